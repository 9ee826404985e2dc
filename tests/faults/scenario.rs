//! Commands that write files, and what must hold of their files whatever happens to them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use hecc_compiler::onnx::import;
use hecc_grammar::envelope::open_any;
use ndarray::ArrayD;
use ndarray_npy::{NpzReader, ReadNpyExt, ReadNpzError};

use crate::trace::Ended;
use crate::workshop::Workshop;

/// The files of a folder with their contents.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A command, in a folder where everything was computed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) arguments: &'static str,
    /// Files of `examples/mnist` that it reads.
    pub(crate) examples: &'static [&'static str],
    /// Files that are not there before.
    pub(crate) absent: &'static [&'static str],
    /// Files that it may write.
    pub(crate) outputs: &'static [&'static str],
    /// Commands that may be named after it was killed, besides itself.
    pub(crate) otherwise: &'static [&'static str],
}

const fn writes(arguments: &'static str, outputs: &'static [&'static str]) -> Scenario {
    Scenario { arguments, examples: &[], absent: &[], outputs, otherwise: &[] }
}

/// Every command that writes a file: a new one, and over an older one.
pub(crate) const ALL: [Scenario; 15] = [
    writes("compile tiny.hecc -o new.bin --calibration data.npz", &["new.bin"]),
    writes("compile tiny.hecc -o plan.bin --calibration data.npz", &["plan.bin"]),
    Scenario {
        absent: &["plan.sk", "plan.ek"],
        otherwise: &["keygen plan.bin --evaluation-only"],
        ..writes("keygen plan.bin", &["plan.sk", "plan.ek"])
    },
    Scenario {
        otherwise: &["keygen plan.bin --evaluation-only --force"],
        ..writes("keygen plan.bin --force", &["plan.sk", "plan.ek"])
    },
    writes("keygen plan.bin --evaluation-only --force", &["plan.ek"]),
    Scenario {
        absent: &["plan.sk", "plan.ek"],
        otherwise: &[
            "keygen plan.bin --evaluation-only --public",
            "keygen plan.bin --evaluation-only --force --public",
        ],
        ..writes("keygen plan.bin --public", &["plan.sk", "plan.ek", "plan.pk"])
    },
    writes(
        "compile tiny.hecc -o new.bin --calibration data.npz --split",
        &["new.bin", "new.client.bin", "new.server.bin"],
    ),
    Scenario {
        examples: &["square.onnx", "calibration.npz"],
        ..writes(
            "prune square.onnx -o new.onnx --mask new.npz --calibration calibration.npz --keep 0.9",
            &["new.onnx", "new.npz"],
        )
    },
    writes("encrypt plan.bin -i x.npy -o new.ct", &["new.ct"]),
    writes("encrypt plan.bin -i x.npy -o x.ct", &["x.ct"]),
    writes("run plan.bin -i x.ct -o new.out.ct", &["new.out.ct"]),
    writes("run plan.bin -i x.ct -o x.out.ct", &["x.out.ct"]),
    writes(RESUMED, &["new.out.ct", "state/run.checkpoint"]),
    writes(
        "run plan.bin -i x.ct -o x.out.ct --checkpoint . --checkpoint-every 0",
        &["x.out.ct", "run.checkpoint"],
    ),
    writes("decrypt plan.bin -i x.out.ct -o new.npy", &["new.npy"]),
];

/// A run with a checkpoint after every few instructions, in a folder that it makes.
pub(crate) const RESUMED: &str =
    "run plan.bin -i x.ct -o new.out.ct --threads 1 --checkpoint state --checkpoint-every 0";

impl Scenario {
    /// The folder that the command is run in.
    pub(crate) fn workshop(&self) -> Workshop {
        let workshop = Workshop::full();
        for file in self.examples {
            let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mnist").join(file);
            std::fs::copy(example, workshop.path(file)).unwrap();
        }
        self.absent.iter().for_each(|file| std::fs::remove_file(workshop.path(file)).unwrap());
        workshop
    }

    /// What must hold after the command ended, however it did: nothing was lost, and no name leads to half a file. Temporary
    /// files are left only where nothing could be removed.
    pub(crate) fn check(&self, before: &Files, workshop: &Workshop, ended: &Ended) {
        let after = files(workshop);
        let context = format!("hecc {}: {ended:?}", self.arguments);
        // Leftovers of a command that was killed before may go.
        for (name, content) in before.iter().filter(|(name, _)| !is_temporary(name)) {
            assert!(after.contains_key(name), "{name} is lost: {context}");
            let is_output = self.outputs.contains(&name.as_str());
            assert!(is_output || after[name] == *content, "{name} is changed: {context}");
        }
        for (name, content) in &after {
            if is_temporary(name) {
                assert!(ended.could_not_remove, "{name} is left: {context}");
            } else if before.get(name) != Some(content) {
                assert!(self.outputs.contains(&name.as_str()), "{name} is new: {context}");
                assert!(is_whole(name, content), "{name} is broken: {context}");
            }
        }
        let has = |name: &str| after.contains_key(name);
        let is_published = has("plan.ek") || has("plan.pk");
        assert!(has("plan.sk") || !is_published, "keys without their secret key: {context}");
        match ended.code {
            None => {}
            Some(0) => {
                let outputs = self.outputs.iter().filter(|name| !name.ends_with("checkpoint"));
                outputs.for_each(|name| assert!(has(name), "no {name}: {context}"));
            }
            Some(code) => {
                assert_eq!(code, 1, "{context}");
                let says = ended.stderr.lines().any(|line| line.starts_with("error: "));
                assert!(says, "no sentence: {context}");
                assert!(!ended.stderr.contains("panicked"), "{context}");
            }
        }
    }

    /// What the user does next succeeds, and everything is there.
    pub(crate) fn recover(&self, workshop: &Workshop) {
        let output = workshop.hecc(self.arguments);
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            // All keys are in their places: the command would replace them.
            let of = ["secret key in `plan.sk`", "public key in `plan.pk`"];
            let is_made = of.iter().any(|key| error.contains(&format!("{key} already\n")));
            let named = |command: &&&str| error.contains(&format!("`hecc {command}`"));
            match self.otherwise.iter().find(named) {
                Some(otherwise) => drop(workshop.ok(otherwise)),
                None => assert!(is_made, "hecc {} after a fault: {error}", self.arguments),
            }
        }
        let after = files(workshop);
        // What was left is removed by the next command that writes to the folder.
        let is_left = |name: &String| is_temporary(name) && output.status.success();
        assert!(!after.keys().any(is_left), "{:?}", after.keys());
        for name in self.outputs {
            // The result of a run does not depend on what happened on the way.
            assert!(*name != "new.out.ct" || after[*name] == after["x.out.ct"], "another result");
            let is_checkpoint = name.ends_with("checkpoint");
            assert!(is_checkpoint || is_whole(name, &after[*name]), "{name}: {}", self.arguments);
            assert!(!is_checkpoint || !after.contains_key(*name), "{name} is left");
        }
    }
}

/// All files below the folder, by their names from there.
pub(crate) fn files(workshop: &Workshop) -> Files {
    let mut files = Files::new();
    let mut folders = vec![workshop.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(workshop.folder()).unwrap().to_string_lossy().into_owned();
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    files
}

fn is_temporary(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.starts_with(".hecc-") && name.ends_with(".tmp"))
}

/// Whether a file is all that it should be: those of hecc carry a checksum, an array has three scores, networks and masks can
/// be read.
fn is_whole(name: &str, content: &[u8]) -> bool {
    if name.ends_with(".npy") {
        return ArrayD::<f64>::read_npy(content).is_ok_and(|array| array.len() == 3);
    }
    if name.ends_with(".npz") {
        return are_masks(content).unwrap_or(false);
    }
    let bytes = Bytes::copy_from_slice(content);
    if name.ends_with(".onnx") { import(bytes, None).is_ok() } else { open_any(bytes).is_ok() }
}

fn are_masks(content: &[u8]) -> Result<bool, ReadNpzError> {
    let mut npz = NpzReader::new(Cursor::new(content))?;
    let names = npz.names()?;
    for name in &names {
        let _: ArrayD<bool> = npz.by_name(name)?;
    }
    Ok(!names.is_empty())
}
