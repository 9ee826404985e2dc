//! Samples of both languages in `tests/text`: each verifies and prints as it is written, below its leading comments.
//! `INSTA_UPDATE=always cargo test` rewrites them. Adding a case is adding a file.

mod bless;

use std::fs;
use std::path::{Path, PathBuf};

use hecc_grammar::model::Model;
use hecc_grammar::plan::{Plan, VerifiedPlan};

#[test]
fn samples_print_as_they_are_written() {
    let files = files("tests/text");
    assert!(files.len() >= 4, "the samples are missing");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let printed = match path.extension().and_then(|extension| extension.to_str()) {
            Some("plan") => {
                let plan: Plan = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                VerifiedPlan::new(plan)
                    .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
                    .to_string()
            }
            _ => {
                let model: Result<Model, _> = text.parse();
                model.unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_string()
            }
        };
        let comments: String =
            text.split_inclusive('\n').take_while(|line| line.starts_with(';')).collect();
        bless::expect(&path, &(comments + &printed)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The files of a folder, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the folder is in the repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}
