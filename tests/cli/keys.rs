//! Keys: made once, in pairs, and only ever used with what they belong to.

use std::process::Stdio;

use crate::workshop::Workshop;

#[test]
fn keys_of_two_generations_are_not_mixed() {
    let workshop = Workshop::full();
    workshop.ok("keygen plan.bin --out other");
    let id =
        |file: &str| workshop.json(&format!("inspect {file}"))["key"].as_str().unwrap().to_owned();
    let (own, other) = (id("plan.sk"), id("other/plan.sk"));
    for file in ["plan.ek", "x.ct", "x.out.ct"] {
        assert_eq!(id(file), own);
    }
    assert_eq!(id("other/plan.ek"), other);
    for (arguments, files) in [
        ("decrypt plan.bin -i x.out.ct --keys other/plan.sk", ["x.out.ct", "other/plan.sk"]),
        ("run plan.bin -i x.ct -o y.ct --keys other/plan.ek", ["x.ct", "other/plan.ek"]),
    ] {
        let error = workshop.fails(arguments);
        for part in [&own, &other].into_iter().map(String::as_str).chain(files) {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn of_six_key_generations_at_once_one_pair_stays() {
    let workshop = Workshop::full();
    for key in ["plan.sk", "plan.ek"] {
        std::fs::remove_file(workshop.path(key)).unwrap();
    }
    let spawn = |_| {
        let mut command = workshop.command(&["keygen", "plan.bin"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..6).map(spawn).collect();
    let codes = children.into_iter().map(|mut child| child.wait().unwrap().code());
    assert_eq!(codes.filter(|code| *code == Some(0)).count(), 1);
    workshop.ok("encrypt plan.bin -i x.npy -o y.ct");
    workshop.ok("run plan.bin -i y.ct");
    workshop.ok("decrypt plan.bin -i y.out.ct");
    assert!(workshop.temporary_files().is_empty());
}

#[test]
fn neither_key_is_replaced_unasked() {
    let workshop = Workshop::full();
    let error = workshop.fails("keygen plan.bin");
    assert!(error.contains("a secret key in `plan.sk` already\n  hint: "), "{error}");
    let secret = workshop.files()["plan.sk"].clone();

    std::fs::remove_file(workshop.path("plan.ek")).unwrap();
    for arguments in ["keygen plan.bin", "run plan.bin -i x.ct -o y.ct"] {
        assert!(workshop.fails(arguments).contains("`hecc keygen plan.bin --evaluation-only`"));
    }
    workshop.ok("keygen plan.bin --evaluation-only");
    workshop.ok("run plan.bin -i x.ct -o y.ct");
    workshop.ok("decrypt plan.bin -i y.ct");
    let error = workshop.fails("keygen plan.bin --evaluation-only");
    assert!(error.contains("evaluation keys in `plan.ek` already"), "{error}");
    workshop.ok("keygen plan.bin --evaluation-only --force");
    assert!(workshop.files()["plan.sk"] == secret);

    std::fs::remove_file(workshop.path("plan.sk")).unwrap();
    let error = workshop.fails("keygen plan.bin");
    assert!(error.contains("`plan.ek` already, without their secret key"), "{error}");
    let error = workshop.fails("keygen plan.bin --evaluation-only");
    assert!(error.contains("no secret key in `plan.sk`"), "{error}");
    workshop.ok("keygen plan.bin --force");
    assert!(workshop.files()["plan.sk"] != secret);
}

#[test]
fn a_new_pair_ends_the_use_of_what_the_old_one_encrypted() {
    let workshop = Workshop::full();
    let before = workshop.files();
    workshop.ok("keygen plan.bin --force");
    let after = workshop.files();
    assert!(before["plan.sk"] != after["plan.sk"] && before["plan.ek"] != after["plan.ek"]);
    let error = workshop.fails("decrypt plan.bin --input x.out.ct");
    assert!(error.starts_with("x.out.ct is encrypted under key "), "{error}");
    let error = workshop.fails("run plan.bin --input x.ct");
    assert!(error.starts_with("plan.ek holds evaluation keys of key "), "{error}");
}

#[test]
fn nothing_but_a_key_is_replaced_by_a_key() {
    let workshop = Workshop::full();
    for key in ["plan.sk", "plan.ek"] {
        std::fs::write(workshop.path(key), b"my notes").unwrap();
        let error = workshop.fails("keygen plan.bin --force");
        assert!(error.contains(&format!("`{key}` is in the place of")), "{error}");
        std::fs::copy(workshop.path("x.ct"), workshop.path(key)).unwrap();
        assert!(workshop.fails("keygen plan.bin --force").contains("is an encrypted input"));
        std::fs::remove_file(workshop.path(key)).unwrap();
    }
    std::fs::create_dir(workshop.path("plan.ek")).unwrap();
    assert!(workshop.fails("keygen plan.bin").contains("is no file"));
}

#[cfg(unix)]
#[test]
fn a_plan_is_not_replaced_by_its_keys() {
    let workshop = Workshop::full();
    workshop.ok("compile tiny.hecc -o named.ek --calibration data.npz -q");
    assert!(workshop.fails("keygen named.ek --force").contains("as its key would be: rename it"));
    std::fs::hard_link(workshop.path("plan.bin"), workshop.path("linked.bin")).unwrap();
    std::os::unix::fs::symlink("linked.bin", workshop.path("linked.sk")).unwrap();
    assert!(workshop.fails("keygen linked.bin --force").contains("rename it"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_key_generation_leaves_no_temporary_file() {
    use std::os::unix::process::ExitStatusExt;
    let workshop = Workshop::full();
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        // Whether the signal comes in time is a matter of luck.
        let interrupted = (0..50).any(|_| {
            let mut child =
                workshop.command(&["keygen", "plan.bin", "--force", "-q"]).spawn().unwrap();
            while child.try_wait().unwrap().is_none() && workshop.temporary_files().is_empty() {}
            let pid = child.id().to_string();
            let kill = std::process::Command::new("kill").args(["-s", name, &pid]).output();
            assert!(kill.is_ok());
            let status = child.wait().unwrap();
            assert_eq!(workshop.temporary_files(), Vec::<String>::new());
            let id = |file: &str| workshop.json(&format!("inspect {file}"))["key"].to_string();
            assert!(id("plan.sk") == id("plan.ek") && id("plan.sk") != "null");
            assert!(status.success() || status.signal() == Some(number), "{status}");
            !status.success()
        });
        assert!(interrupted, "SIG{name} never came in time");
    }
}
