//! Files: what is written destroys nothing, `-` is standard input or output, and names may be any bytes.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::workshop::Workshop;

/// Runs `hecc` with something on its standard input.
fn piped(workshop: &Workshop, arguments: &str, input: &[u8]) -> Output {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = workshop.command(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn succeeds(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn nothing_but_an_older_file_of_the_kind_is_replaced() {
    let workshop = Workshop::full();
    workshop.ok("compile tiny.hecc --emit model");
    std::fs::write(workshop.path("notes.txt"), b"not to be lost").unwrap();
    let commands = [
        "compile tiny.hecc --calibration data.npz -o",
        "encrypt plan.bin -i x.npy -o",
        "run plan.bin -i x.ct -o",
    ];
    for command in commands {
        for file in
            ["plan.sk", "plan.ek", "tiny.hecc", "tiny.npz", "data.npz", "notes.txt", "x.npy"]
        {
            let error = workshop.fails(&format!("{command} {file}"));
            assert!(error.contains(&format!("`{file}` ")), "{error}");
        }
    }
    for (arguments, text) in [
        (
            "encrypt plan.bin -i x.npy -o plan.bin",
            "`plan.bin` is the plan and would be overwritten",
        ),
        ("run plan.bin -i x.ct -o ./x.ct", "`./x.ct` is the input that is read and would be"),
        ("run plan.bin -i x.ct -o .", "`.` is a folder"),
        ("decrypt plan.bin -i x.out.ct -o plan.sk", "`plan.sk` is the secret key and would be"),
        ("compile tiny.hecc -o x.ct --calibration data.npz", "`x.ct` holds an encrypted input"),
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains(text), "hecc {arguments}: {error}");
    }
    workshop.ok("run plan.bin -i x.ct -o x.out.ct");
    workshop.ok("compile tiny.hecc -o plan.bin --calibration data.npz");
    workshop.ok("decrypt plan.bin -i x.out.ct -o y.npy");
    workshop.ok("decrypt plan.bin -i x.out.ct -o y.npy");
}

#[cfg(unix)]
#[test]
fn links_do_not_hide_what_would_be_lost() {
    let workshop = Workshop::full();
    for (target, link) in [("plan.sk", "soft.ct"), ("x.ct", "input.ct"), ("tiny.hecc", "tiny.bin")]
    {
        std::os::unix::fs::symlink(target, workshop.path(link)).unwrap();
    }
    std::fs::hard_link(workshop.path("plan.sk"), workshop.path("hard.ct")).unwrap();
    for arguments in [
        "encrypt plan.bin -i x.npy -o soft.ct",
        "run plan.bin -i x.ct -o soft.ct",
        "encrypt plan.bin -i x.npy -o hard.ct",
        "run plan.bin -i x.ct -o input.ct",
        "compile tiny.hecc -o tiny.bin --calibration data.npz",
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains("overwritten"), "hecc {arguments}: {error}");
    }
}

#[test]
fn a_dash_is_standard_input_or_output() {
    let workshop = Workshop::full();
    let files = workshop.files();
    let compile = piped(&workshop, "compile tiny.hecc -o - --calibration -", &files["data.npz"]);
    assert!(String::from_utf8_lossy(&compile.stderr).contains("security"));
    assert!(succeeds(compile) == files["plan.bin"]);
    let sent = succeeds(piped(&workshop, "encrypt plan.bin -i - -o -", &files["x.npy"]));
    let result = succeeds(piped(&workshop, "run plan.bin -i -", &sent));
    let shown = succeeds(piped(&workshop, "decrypt plan.bin -i -", &result));
    assert!(String::from_utf8_lossy(&shown).starts_with("class "));
    let array = piped(&workshop, "decrypt plan.bin -i - -o - --json", &result);
    assert!(serde_json::from_slice::<serde_json::Value>(&array.stderr).is_ok());
    assert!(succeeds(array).starts_with(b"\x93NUMPY"));
    let shown = succeeds(piped(&workshop, "inspect -", &result));
    assert!(String::from_utf8_lossy(&shown).contains("standard input: an encrypted result"));
    succeeds(piped(&workshop, "decrypt plan.bin -i x.out.ct --keys -", &files["plan.sk"]));
    succeeds(piped(&workshop, "run - --keys plan.ek -i x.ct -o y.ct", &files["plan.bin"]));
    assert!(!workshop.files().contains_key("-"));
}

#[cfg(unix)]
#[test]
fn pipes_are_read_like_files() {
    let workshop = Workshop::full();
    let files = workshop.files();
    succeeds(piped(&workshop, "encrypt plan.bin -i /dev/stdin -o /dev/stdout", &files["x.npy"]));
    succeeds(piped(&workshop, "simulate plan.bin --data /dev/stdin", &files["data.npz"]));
    let error = workshop.fails("encrypt plan.bin -i /dev/null -o y.ct");
    assert!(error.contains("`/dev/null` is a device"), "{error}");
}

#[test]
fn a_dash_is_refused_where_a_file_is_needed() {
    let workshop = Workshop::full();
    for (arguments, text) in [
        ("keygen -", "keys are named after the file of their plan"),
        ("keygen plan.bin --out -", "--out takes a folder"),
        ("run - -i x.ct", "--keys names them"),
        ("run - -i - --keys plan.ek", "standard input, which can be read once only"),
        ("encrypt plan.bin -i - --keys - -o y.ct", "standard input, which can be read once only"),
        ("compile - --calibration - -o p.bin", "standard input, which can be read once only"),
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains(text), "hecc {arguments}: {error}");
    }
}

/// A Latin-1 name is no UTF-8. Elsewhere than on Linux file systems may refuse it.
#[cfg(target_os = "linux")]
#[test]
fn names_may_be_any_bytes() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let workshop = Workshop::full();
    let folder = OsStr::from_bytes(b"f\xfcr");
    let file = |name: &str| -> OsString {
        let mut path = folder.to_owned();
        path.push("/");
        path.push(name);
        path
    };
    std::fs::create_dir(workshop.folder().join(folder)).unwrap();
    for name in ["plan.bin", "x.npy", "data.npz", "tiny.hecc", "tiny.npz"] {
        std::fs::copy(workshop.path(name), workshop.folder().join(file(name))).unwrap();
    }
    let mut member = file("data.npz");
    member.push(":x");
    let [model, data, plan] = [file("tiny.hecc"), file("data.npz"), file("again.bin")];
    let [x, ct, out, y] = [file("x.npy"), file("x.ct"), file("x.out.ct"), file("y.npy")];
    let plain = OsStr::new;
    let runs: [&[&OsStr]; 7] = [
        &[plain("compile"), &model, plain("-o"), &plan, plain("--calibration"), &data],
        &[plain("keygen"), &plan],
        &[
            plain("encrypt"),
            &plan,
            plain("-i"),
            &member,
            plain("--index"),
            plain("1"),
            plain("-o"),
            &ct,
        ],
        &[plain("encrypt"), &plan, plain("-i"), &x, plain("-o"), &ct],
        &[plain("run"), &plan, plain("-i"), &ct],
        &[plain("decrypt"), &plan, plain("-i"), &out, plain("-o"), &y],
        &[plain("simulate"), &plan, plain("--data"), &data],
    ];
    for arguments in runs {
        let text = succeeds(workshop.command(arguments).arg("--json").output().unwrap());
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "{arguments:?}");
    }
    let missing = workshop.command(&[plain("inspect"), &file("none")]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
}
