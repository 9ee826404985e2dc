//! Links of the documents lead somewhere.

use std::path::{Path, PathBuf};

/// Folders with documents.
const FOLDERS: [&str; 4] = ["docs", "examples", "bench", "compiler/proto"];

#[test]
fn links_lead_to_files_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = of_folder(root);
    for folder in FOLDERS {
        with_folders_within(&root.join(folder), &mut documents);
    }
    assert!(documents.len() > 20, "{} documents", documents.len());
    let mut broken = vec![];
    for document in &documents {
        let folder = document.parent().unwrap();
        for link in links(&std::fs::read_to_string(document).unwrap()) {
            if !folder.join(&link).exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The targets of `[text](target)`, without anchors and addresses of the web.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty() && !file.contains("://")).map(str::to_owned).collect()
}

/// The documents of a folder, not of those within it.
fn of_folder(folder: &Path) -> Vec<PathBuf> {
    let files = entries(folder).into_iter();
    files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

fn with_folders_within(folder: &Path, documents: &mut Vec<PathBuf>) {
    documents.extend(of_folder(folder));
    for path in entries(folder) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            with_folders_within(&path, documents);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the repository has these folders");
    entries.map(|entry| entry.expect("folders can be read").path()).collect()
}
