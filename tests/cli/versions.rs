//! Files of every version of the format: those of this one still give the same results, all others are refused by name.
//!
//! Of each version there is a folder in `tests/versions`, which `INSTA_UPDATE=always cargo test --test cli versions` makes when it is new.
//! Versions 1 to 4 were in use before there was a release; of them nothing is kept.

use std::path::{Path, PathBuf};

use hecc_grammar::envelope::{Fingerprint, KeyId, Kind, Origin, VERSION, seal};
use ndarray::array;

use crate::workshop::Workshop;

/// A layer of two scores: small enough for its keys to be kept.
const MODEL: &str = r#"model 1 "tiny"
c0 : [4,2] = [0.5,-0.25,0.125,0,0.5,-0.5,0.25,0.75]
t0 = input : [1,4] "x"
t1 = matmul t0, c0 : [1,2] "fc"
output "y" t1
"#;
const FILES: [&str; 5] = ["plan.bin", "plan.sk", "plan.ek", "x.ct", "x.out.ct"];
/// What the network makes of the input that was encrypted.
const SCORES: [f64; 2] = [0.5625, 0.5];

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/versions/v{version}"))
}

/// Writes the files of this version.
fn bless(folder: &Path) {
    let workshop = Workshop::empty();
    std::fs::write(workshop.path("tiny.hecc"), MODEL).unwrap();
    workshop.write_npy("x.npy", &array![[0.5f32, -0.5, 0.25, 1.0]].into_dyn());
    workshop.ok("compile tiny.hecc -o plan.bin --input-range -1,1");
    workshop.ok("keygen plan.bin");
    workshop.ok("encrypt plan.bin -i x.npy -o x.ct");
    workshop.ok("run plan.bin -i x.ct");
    std::fs::create_dir_all(folder).unwrap();
    for file in FILES {
        std::fs::copy(workshop.path(file), folder.join(file)).unwrap();
    }
}

#[test]
fn files_of_this_version_give_the_same_results() {
    let folder = folder(VERSION);
    if !folder.is_dir() {
        assert!(
            std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always"),
            "no files of version {VERSION}: INSTA_UPDATE=always"
        );
        bless(&folder);
    }
    let workshop = Workshop::empty();
    for file in FILES {
        std::fs::copy(folder.join(file), workshop.path(file)).unwrap();
        workshop.ok(&format!("inspect {file}"));
    }
    workshop.ok("run plan.bin -i x.ct -o again.ct");
    let files = workshop.files();
    assert!(files["again.ct"] == files["x.out.ct"], "another result than when it was made");
    let shown = workshop.json("decrypt plan.bin -i x.out.ct --all-digits");
    let scores = shown.to_string();
    workshop.ok("decrypt plan.bin -i x.out.ct -o y.npy --all-digits");
    let bytes = std::fs::read(workshop.path("y.npy")).unwrap();
    let found: ndarray::ArrayD<f64> = ndarray_npy::ReadNpyExt::read_npy(&bytes[..]).unwrap();
    let is_close = |(found, expected): (&f64, f64)| (found - expected).abs() < 1e-3;
    assert!(found.len() == 2 && found.iter().zip(SCORES).all(is_close), "{scores}");
}

#[test]
fn files_of_other_versions_are_refused_by_name() {
    let workshop = Workshop::full();
    let origin = Origin { plan: Fingerprint([1; 32]), key: KeyId([2; 16]) };
    for (kind, command) in [
        (Kind::Plan, "keygen other"),
        (Kind::SecretKey, "decrypt plan.bin -i x.out.ct --keys other"),
        (Kind::EvaluationKeys, "run plan.bin -i x.ct -o y.ct --keys other"),
        (Kind::Input, "run plan.bin -i other -o y.ct"),
        (Kind::Result, "decrypt plan.bin -i other"),
        (Kind::Checkpoint, "inspect other"),
    ] {
        for version in (1..VERSION).chain([VERSION + 1, u32::MAX]) {
            let origin = if kind == Kind::Plan { Origin::of_plan(origin.plan) } else { origin };
            let mut file = seal(kind, origin, b"a payload of another version");
            file[8..12].copy_from_slice(&version.to_le_bytes());
            std::fs::write(workshop.path("other"), file).unwrap();
            let error = workshop.fails(command);
            let name =
                format!("{kind} of format version {version}, this program reads version {VERSION}");
            assert!(error.contains(&name) && error.contains("hint: "), "hecc {command}: {error}");
        }
    }
}

#[test]
fn folders_of_older_versions_are_refused_by_name() {
    let older = (1..VERSION).map(|version| (version, folder(version)));
    let older: Vec<(u32, PathBuf)> = older.filter(|(_, folder)| folder.is_dir()).collect();
    assert!(!older.is_empty(), "files of older versions are kept in tests/versions");
    for (version, folder) in older {
        let workshop = Workshop::empty();
        for file in FILES {
            std::fs::copy(folder.join(file), workshop.path(file)).unwrap();
            let error = workshop.fails(&format!("inspect {file}"));
            assert!(error.contains(&format!("of format version {version}, ")), "{error}");
        }
    }
}
