//! What fails: one clear error, exit status 1, no file left.

use crate::workshop::Workshop;

/// Runs commands that must fail with a message that contains the text next to them.
fn refuse(workshop: &Workshop, cases: &[(&str, &str)]) {
    for (arguments, text) in cases {
        let error = workshop.fails(arguments);
        assert!(error.contains(text), "hecc {arguments}: {error}, expected {text}");
    }
}

#[test]
fn missing_files() {
    let workshop = Workshop::full();
    for key in ["plan.sk", "plan.ek"] {
        std::fs::remove_file(workshop.path(key)).unwrap();
    }
    refuse(
        &workshop,
        &[
            ("compile no.onnx -o p.bin", "cannot read `no.onnx`: "),
            ("compile tiny.hecc -o p.bin --calibration no.npz", "cannot read `no.npz`"),
            (
                "compile tiny.hecc -o no/p.bin --calibration data.npz",
                "cannot write `no/p.bin`: there is no folder `no`",
            ),
            ("keygen no.bin", "cannot read `no.bin`"),
            (
                "encrypt plan.bin --input x.npy -o y.ct",
                "there is no `plan.sk`\n  hint: `hecc keygen plan.bin`",
            ),
            ("run plan.bin --input x.ct", "there is no `plan.ek`"),
            ("run plan.bin --input no.ct", "cannot read `no.ct`"),
            ("decrypt plan.bin --input x.out.ct --keys no.sk", "cannot read `no.sk`"),
            ("inspect no.bin", "cannot read `no.bin`"),
            ("inspect .", "`.` is a folder"),
            ("simulate plan.bin --data no.npz", "cannot read `no.npz`"),
        ],
    );
}

#[test]
fn files_of_another_kind() {
    let workshop = Workshop::full();
    std::fs::write(workshop.path("net.onnx"), b"\x08\x07 this is a network").unwrap();
    refuse(
        &workshop,
        &[
            ("keygen plan.sk --out keys", "this is a secret key, expected a plan"),
            ("encrypt x.ct --input x.npy -o y.ct", "this is an encrypted input, expected a plan"),
            ("encrypt plan.bin --input x.npy --keys plan.ek -o y.ct", "expected a secret key"),
            (
                "run plan.bin --input plan.ek",
                "these are evaluation keys, expected an encrypted input",
            ),
            (
                "run plan.bin --input x.out.ct -o y.ct",
                "this is an encrypted result, expected an encrypted input",
            ),
            (
                "decrypt plan.bin --input x.ct",
                "this is an encrypted input, expected an encrypted result",
            ),
            ("inspect x.npy", "not a file of hecc"),
            ("keygen data.npz", "not a file of hecc"),
            (
                "compile plan.bin -o p.bin",
                "holds a plan, expected a network\n  hint: it is compiled already",
            ),
            ("compile x.npy -o p.bin", "ends neither in .onnx nor in .hecc"),
            ("encrypt plan.bin --input x.out.ct -o y.ct", "an encrypted result, expected an array"),
            ("decrypt plan.bin -i x.ct", "hint: run it first: `hecc run plan.bin -i x.ct`"),
            (
                "run plan.bin -i x.out.ct -o y.ct",
                "hint: it is computed already: `hecc decrypt plan",
            ),
            ("run plan.bin -i x.npy -o y.ct", "hint: data is encrypted first: `hecc encrypt plan"),
            (
                "keygen net.onnx",
                "`net.onnx` is a network, expected a plan\n  hint: a network is compiled first: `hecc compile net.onnx -o net.bin`",
            ),
            (
                "decrypt plan.bin -i x.out.ct --keys plan.ek",
                "these are evaluation keys, expected a sec",
            ),
        ],
    );
}

#[test]
fn files_of_another_plan() {
    let workshop = Workshop::full();
    workshop.ok("compile tiny.hecc -o other.bin --calibration data.npz --precision 20");
    refuse(
        &workshop,
        &[
            ("encrypt other.bin --keys plan.sk --input x.npy -o y.ct", "made for plan"),
            ("run other.bin --keys plan.ek --input x.ct -o y.ct", "made for plan"),
            (
                "decrypt other.bin --keys plan.sk --input x.out.ct",
                "hint: keys and ciphertexts work",
            ),
        ],
    );
}

#[test]
fn damaged_files() {
    let files = ["plan.bin", "plan.sk", "plan.ek", "x.ct", "x.out.ct"];
    let users = |file: &str| match file {
        "plan.bin" => {
            vec!["keygen plan.bin --force", "run plan.bin --input x.ct -o y.ct", "inspect plan.bin"]
        }
        "plan.sk" => vec!["decrypt plan.bin --input x.out.ct", "inspect plan.sk"],
        "plan.ek" => vec!["run plan.bin --input x.ct -o y.ct", "inspect plan.ek"],
        "x.ct" => vec!["run plan.bin --input x.ct -o y.ct", "inspect x.ct"],
        _ => vec!["decrypt plan.bin --input x.out.ct", "inspect x.out.ct"],
    };
    for file in files {
        let workshop = Workshop::full();
        let whole = workshop.files()[file].clone();
        let mut damaged: Vec<Vec<u8>> =
            [0, 7, 40, whole.len() - 1].map(|len| whole[..len].to_vec()).into();
        damaged.push([&whole[..], b"more"].concat());
        for place in [0, 9, 13, 17, 30, whole.len() / 2, whole.len() - 5] {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            damaged.push(bytes);
        }
        for bytes in damaged {
            std::fs::write(workshop.path(file), bytes).unwrap();
            users(file).into_iter().for_each(|arguments| {
                let error = workshop.fails(arguments);
                assert!(error.starts_with(&format!("{file}: ")), "hecc {arguments}: {error}");
            });
        }
    }
}

#[test]
fn damaged_networks_and_data() {
    let workshop = Workshop::empty();
    let write = |name: &str, bytes: &[u8]| std::fs::write(workshop.path(name), bytes).unwrap();
    write("junk.onnx", b"\x08\x07junk");
    write("empty.onnx", b"");
    write("junk.hecc", b"model 1 \"junk\"\nt0 = nonsense\n");
    write("bytes.hecc", b"\xff\xfe");
    let weights = std::fs::read(workshop.path("tiny.npz")).unwrap();
    write("cut.npz", &weights[..weights.len() / 2]);
    write("junk.png", b"\x89PNG\r\n\x1a\nno");
    let text = std::fs::read(workshop.path("tiny.hecc")).unwrap();
    write("alone.hecc", &text);
    write("cut.hecc", &text);
    refuse(
        &workshop,
        &[
            ("compile junk.onnx -o p.bin", "junk.onnx: "),
            ("compile empty.onnx -o p.bin", "empty.onnx: "),
            ("compile junk.hecc -o p.bin", "junk.hecc: line 2"),
            ("compile bytes.hecc -o p.bin", "not text"),
            ("compile alone.hecc -o p.bin", "c2"),
            ("compile cut.hecc -o p.bin", "cut.npz is a damaged .npz"),
            ("compile tiny.hecc -o p.bin --calibration cut.npz", "cut.npz is a damaged .npz"),
            ("compile tiny.hecc -o p.bin --calibration junk.png", "junk.png: "),
            ("compile tiny.hecc -o p.bin --calibration tiny.hecc", "is text, such as CSV"),
            (
                "compile tiny.hecc -o p.bin --calibration tiny.npz",
                "shape [8, 3], expected [n, 1, 4, 4]",
            ),
            ("compile tiny.hecc -o p.bin --calibration x.npy", "one input is too few"),
            (
                "compile tiny.hecc -o p.bin --calibration data.npz --normalize 1,2,3/1,1,1",
                "1 channels",
            ),
            (
                "compile tiny.hecc -o p.bin --calibration data.npz --max-memory 1k",
                "--max-memory allows 1.00 kB",
            ),
            ("compile tiny.hecc -o p.bin --calibration data.npz --precision 39", "39.0 are wanted"),
        ],
    );
}

#[test]
fn networks_that_are_too_deep() {
    let workshop = Workshop::empty();
    let mut text = "model 1 \"deep\"\nt0 = input : [1,4] \"x\"\n".to_owned();
    // Cubics that let errors grow by a fiftieth only.
    let cubic = "lo=-1 hi=1 coefficients=[0,0.9975,0,0.0025] : [1,4]";
    for i in 0..32 {
        text += &format!("t{} = polynomial t{i} {cubic} \"cubic{i}\"\n", i + 1);
    }
    text += "output \"y\" t32\n";
    std::fs::write(workshop.path("deep.hecc"), text).unwrap();
    // At 128 bits it is bootstrapped; the sparse secret that this takes promises no more.
    let error =
        workshop.fails("compile deep.hecc -o p.bin --input-range -1,1 --quiet --security 192");
    assert!(error.starts_with("the network needs ") && error.contains(" levels ("), "{error}");
    assert!(error.contains("carries 1199 bits") && error.contains("enough for 4"), "{error}");
    let sheet = workshop.json("compile deep.hecc -o p.bin --input-range -1,1 --explain");
    let steps = sheet["explanation"]["bootstraps"]["steps"].as_array().unwrap().len();
    assert!(steps >= 5, "{sheet}");
}

#[test]
fn inputs_that_do_not_fit() {
    let workshop = Workshop::full();
    workshop.write_npy("wide.npy", &ndarray::ArrayD::zeros(vec![5, 4]));
    workshop.write_npy("nan.npy", &ndarray::ArrayD::from_elem(vec![4, 4], f32::NAN));
    image::GrayImage::new(5, 4).save(workshop.path("wide.png")).unwrap();
    refuse(
        &workshop,
        &[
            ("encrypt plan.bin --input far.npy -o y.ct", "use --allow-out-of-range"),
            ("encrypt plan.bin --input nan.npy -o y.ct", "row 0, element 0 is NaN"),
            (
                "encrypt plan.bin --input nan.npy -o y.ct --allow-out-of-range",
                "row 0, element 0 is NaN",
            ),
            ("encrypt plan.bin --input wide.npy -o y.ct", "shape [5, 4], expected [n, 1, 4, 4]"),
            (
                "encrypt plan.bin --input wide.png -o y.ct",
                "5 pixels wide and 4 high, the network takes 4 by 4",
            ),
            ("encrypt plan.bin --input data.npz:z -o y.ct", "has no array `z`: it has x, y"),
            ("encrypt plan.bin --input data.npz --index 70 -o y.ct", "there are 70 examples"),
            (
                "encrypt plan.bin --input x.npy --input x.npy -o y.ct",
                "2 inputs were given, the network has 1 (x)",
            ),
            ("decrypt plan.bin --input x.out.ct -o y.txt", "ends neither in .npy nor in .npz"),
        ],
    );
    workshop.ok("encrypt plan.bin --input far.npy -o far.ct --allow-out-of-range");
}

#[test]
fn commands_that_are_not_understood() {
    let workshop = Workshop::full();
    for arguments in [
        "",
        "fly",
        "compile tiny.hecc",
        "compile tiny.hecc -o p.bin --security 100",
        "compile tiny.hecc -o p.bin --normalize 1",
        "compile tiny.hecc -o p.bin --input-range 1,0",
        "compile tiny.hecc -o p.bin --max-memory much",
        "compile tiny.hecc -o p.bin --max-memory 8",
        "compile tiny.hecc --emit nothing",
        "run plan.bin --input x.ct --threads 0",
        "encrypt plan.bin --input x.npy -o y.ct --index 3..3",
        "simulate plan.bin --data data.npz --limit 0",
    ] {
        let output = workshop.hecc(arguments);
        assert_eq!(output.status.code(), Some(2), "hecc {arguments}");
        assert!(!output.stderr.is_empty());
        let output = workshop.hecc(&format!("{arguments} --json"));
        assert_eq!(output.status.code(), Some(2), "hecc {arguments}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(!error["error"].as_str().unwrap().is_empty(), "{error}");
    }
}

#[test]
fn errors_for_scripts() {
    let workshop = Workshop::full();
    let output = workshop.hecc("--json run plan.bin --input x.npy");
    assert_eq!(output.status.code(), Some(1));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().starts_with("x.npy: "), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`hecc encrypt plan.bin -i x.npy"), "{error}");
}
