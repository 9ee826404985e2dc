//! A plan in two parts: who has the data needs no weights, who runs the plan does not learn what it is about.

use hecc_grammar::plan::{self, VerifiedPlan};
use hecc_grammar::security::Security;

use crate::workshop::{MODEL, Workshop, weights};

#[test]
fn both_parts_together_do_what_the_plan_does() {
    let workshop = Workshop::split();
    let whole = std::fs::read(workshop.path("plan.bin")).unwrap();
    std::fs::remove_file(workshop.path("plan.bin")).unwrap();
    workshop.ok("keygen plan.client.bin");
    workshop.ok("encrypt plan.client.bin -i x.npy -o x.ct");
    workshop.ok("run plan.server.bin -i x.ct");
    let decrypted = workshop.json("decrypt plan.client.bin -i x.out.ct");
    assert_eq!(decrypted["inputs"][0]["outputs"][0]["name"], "y");

    std::fs::write(workshop.path("plan.bin"), whole).unwrap();
    let results = workshop.files()["x.out.ct"].clone();
    workshop.ok("run plan.bin -i x.ct");
    assert!(workshop.files()["x.out.ct"] == results);
    assert_eq!(workshop.json("decrypt plan.bin -i x.out.ct"), decrypted);
    workshop.ok("encrypt plan.bin -i x.npy -o y.ct");
    workshop.ok("run plan.server.bin -i y.ct");
    // Encrypted anew, the noise is another.
    let top = |json: &serde_json::Value| json["inputs"][0]["outputs"][0]["class"].as_u64().unwrap();
    assert_eq!(top(&workshop.json("decrypt plan.client.bin -i y.out.ct")), top(&decrypted));
    // Keys that were made again, by the plan's other owner.
    workshop.ok("keygen plan.bin --evaluation-only --force");
    workshop.ok("run plan.server.bin -i y.ct");
}

#[test]
fn a_batch_of_integers_goes_through_parts() {
    let workshop = Workshop::empty();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    workshop.ok(&format!(
        "compile {examples}/qat/hcnn_mnist_tiny.onnx -o plan.bin --split --scheme bfv --calibration \
         {examples}/mnist/calibration.npz"
    ));
    std::fs::remove_file(workshop.path("plan.bin")).unwrap();
    workshop.ok("keygen plan.client.bin");
    workshop.ok(&format!(
        "encrypt plan.client.bin -i {examples}/mnist/digits.npz --index 0..2 -o x.ct"
    ));
    workshop.ok("run plan.server.bin -i x.ct");
    let json = workshop.json("decrypt plan.client.bin -i x.out.ct");
    assert_eq!([0, 1].map(|i| &json["inputs"][i]["outputs"][0]["class"]), [7, 2]);
}

#[test]
fn parts_of_other_plans_are_told_apart() {
    let workshop = Workshop::split();
    workshop.ok("compile tiny.hecc -o other.bin --calibration data.npz --split --precision 20");
    workshop.ok("keygen plan.client.bin");
    workshop.ok("keygen other.client.bin");
    workshop.ok("encrypt plan.client.bin -i x.npy -o x.ct");
    let error = workshop.fails("run other.server.bin -i x.ct");
    assert!(error.contains("this is an encrypted input made for plan"), "{error}");
    let error = workshop.fails("encrypt other.client.bin -i x.npy --keys plan.sk -o y.ct");
    assert!(error.contains("this is a secret key made for plan"), "{error}");
    let id = |file: &str| workshop.json(&format!("inspect {file}"))["plan"].clone();
    assert_eq!(
        ["plan.client.bin", "plan.server.bin", "plan.sk", "x.ct"].map(id),
        [(); 4].map(|()| id("plan.bin"))
    );
    assert_ne!(id("plan.bin"), id("other.client.bin"));
}

#[test]
fn each_part_refuses_the_work_of_the_other() {
    let workshop = Workshop::split();
    workshop.ok("keygen plan.bin");
    workshop.ok("encrypt plan.bin -i x.npy -o x.ct");
    workshop.ok("run plan.bin -i x.ct");
    for arguments in [
        "keygen plan.server.bin --out keys",
        "encrypt plan.server.bin -i x.npy -o y.ct",
        "decrypt plan.server.bin -i x.out.ct",
    ] {
        let error = workshop.fails(arguments);
        assert!(
            error
                .starts_with("plan.server.bin: this is the server part of a plan, expected a plan"),
            "{error}"
        );
        assert!(
            error.contains("takes the client part, `plan.client.bin`, or the whole plan"),
            "{error}"
        );
    }
    let error = workshop.fails("run plan.client.bin -i x.ct -o y.ct");
    assert!(
        error.starts_with("plan.client.bin: this is the client part of a plan, expected a plan"),
        "{error}"
    );
    assert!(
        error.contains("takes the server part, `plan.server.bin`, or the whole plan"),
        "{error}"
    );
    for part in ["plan.client.bin", "plan.server.bin"] {
        let error = workshop.fails(&format!("simulate {part} --data data.npz"));
        assert!(error.contains("it is a part only: this takes the whole plan"), "{error}");
        let error = workshop.fails(&format!("compile {part} -o y.bin"));
        assert!(error.contains("part of a plan, expected a network"), "{error}");
    }
}

/// Whether bytes hold the numbers, as single or double precision.
fn holds(bytes: &[u8], x: f32) -> bool {
    let (single, double) = (x.to_le_bytes(), f64::from(x).to_le_bytes());
    bytes.windows(4).any(|window| window == single)
        || bytes.windows(8).any(|window| window == double)
}

#[test]
fn no_weight_is_in_a_client_part() {
    let workshop = Workshop::split();
    let files = workshop.files();
    let whole = plan::from_bytes(files["plan.bin"].clone().into()).unwrap();
    // Numbers with few digits may be there by chance.
    let is_long = |x: &&f32| x.to_bits() & 0xff != 0;
    let stored: Vec<f32> = whole.plan.tables.iter().flatten().copied().collect();
    let stored: Vec<f32> = stored.iter().filter(is_long).copied().collect();
    assert!(stored.len() > 20, "{} weights", stored.len());
    for weight in stored.iter().chain(weights().iter().filter(is_long)).chain(&[0.3, 0.1, -0.2]) {
        assert!(!holds(&files["plan.client.bin"], *weight), "{weight}");
    }
    assert!(stored.iter().all(|weight| holds(&files["plan.server.bin"], *weight)));
    assert!(!holds_text(&files["plan.client.bin"], "conv"));
}

fn holds_text(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn nothing_of_the_client_is_in_a_server_part() {
    let workshop = Workshop::empty();
    std::fs::write(workshop.path("names.txt"), "healthy\nill\nunclear\n").unwrap();
    let model = MODEL.replace("\"x\"", "\"blood_count\"").replace("\"tiny\"", "\"ward\"");
    std::fs::write(workshop.path("ward.hecc"), model).unwrap();
    std::fs::copy(workshop.path("tiny.npz"), workshop.path("ward.npz")).unwrap();
    workshop.ok(
        "compile ward.hecc -o plan.bin --calibration data.npz --class-names names.txt --split --normalize 0.1307,0.3081",
    );
    let files = workshop.files();
    for text in ["healthy", "unclear", "blood_count", "ward", "softmax", "flatten"] {
        assert!(holds_text(&files["plan.bin"], text), "{text}");
        assert!(!holds_text(&files["plan.server.bin"], text), "{text}");
    }
    let input = &workshop.json("inspect plan.client.bin")["inputs"][0];
    let numbers = input["ranges"][0].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
    for x in numbers.chain([0.1307, 0.3081]).filter(|x| *x != 0.0) {
        let is_in = |file: &str| files[file].windows(8).any(|window| window == x.to_le_bytes());
        assert!(is_in("plan.client.bin") && !is_in("plan.server.bin"), "{x}");
    }
}

#[test]
fn parts_are_described() {
    let workshop = Workshop::split();
    let whole = workshop.json("inspect plan.bin");
    for (part, text) in [
        ("client", "the network's weights are not in it"),
        ("server", "takes 1 ciphertext, returns 1"),
    ] {
        let file = format!("plan.{part}.bin");
        let json = workshop.json(&format!("inspect {file}"));
        assert_eq!(json["kind"], format!("{part}_part"));
        assert_eq!(json["bytes"], workshop.files()[&file].len());
        for same in ["security_bits", "log_qp", "evaluation_keys", "plan"] {
            assert!(!whole[same].is_null() && json[same] == whole[same], "{same}: {json}");
        }
        let printed = workshop.ok(&format!("inspect {file}"));
        assert!(printed.contains(text) && printed.contains("128 bits"), "{printed}");
    }
    let client = workshop.json("inspect plan.client.bin");
    for same in ["inputs", "outputs", "largest_error"] {
        assert!(!whole[same].is_null() && client[same] == whole[same], "{same}: {client}");
    }
    let json = workshop.json("compile tiny.hecc -o plan.bin --calibration data.npz --split");
    assert_eq!(json["parts"]["client"]["bytes"], workshop.files()["plan.client.bin"].len());
    assert_eq!(json["parts"]["server"]["path"], "plan.server.bin");
}

#[test]
fn parts_have_places_and_replace_nothing_else() {
    let workshop = Workshop::split();
    let compile = "compile tiny.hecc --calibration data.npz --split";
    for (arguments, text) in [
        ("-o -", "hint: --split writes files next to the plan"),
        ("--emit plan", "--output"),
        ("-o plan.client.bin", "holds the client part of a plan: it is not overwritten"),
    ] {
        let error = workshop.fails(&format!("{compile} {arguments}"));
        assert!(error.contains(text), "{error}");
    }
    std::fs::copy(workshop.path("plan.server.bin"), workshop.path("new.client.bin")).unwrap();
    let error = workshop.fails(&format!("{compile} -o new.bin"));
    assert!(error.contains("`new.client.bin` holds the server part of a plan"), "{error}");
    let error = workshop.fails(&format!("{compile} -o new.server.bin"));
    assert!(error.contains("`new.client.bin` holds the server part of a plan"), "{error}");
    std::fs::remove_file(workshop.path("new.client.bin")).unwrap();
    let error = workshop.fails(&format!("{compile} -o new.server.bin"));
    assert!(error.contains("is what a part of the plan would be called"), "{error}");
}

#[test]
fn the_owner_of_the_data_judges_the_security_of_a_client_part() {
    let workshop = Workshop::split();
    let error = workshop.fails("keygen plan.client.bin --require-security 256");
    assert!(error.contains("plan.client.bin: its parameters give 128 bits of security"), "{error}");
    workshop.ok("keygen plan.client.bin");
    workshop.fails("encrypt plan.client.bin -i x.npy -o y.ct --require-security 192");
    // One that promises more than it keeps.
    let whole = plan::from_bytes(workshop.files()["plan.bin"].clone().into()).unwrap();
    let mut boast = whole.plan.into_inner();
    boast.params.security = Security::Bits256;
    assert!(VerifiedPlan::new(boast).is_err());
}

#[test]
fn damaged_parts_are_refused_by_name() {
    let workshop = Workshop::split();
    workshop.ok("keygen plan.bin");
    workshop.ok("encrypt plan.bin -i x.npy -o x.ct");
    for (file, arguments) in [
        ("plan.client.bin", "encrypt plan.client.bin -i x.npy -o y.ct"),
        ("plan.server.bin", "run plan.server.bin -i x.ct -o y.ct"),
    ] {
        let whole = workshop.files()[file].clone();
        for place in [9, 17, 30, 100, whole.len() / 2, whole.len() - 5] {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            std::fs::write(workshop.path(file), &bytes).unwrap();
            let error = workshop.fails(arguments);
            assert!(error.starts_with(&format!("{file}: ")), "{error}");
            std::fs::write(workshop.path(file), &bytes[..place]).unwrap();
            assert!(workshop.fails(arguments).starts_with(&format!("{file}: ")));
        }
    }
}
