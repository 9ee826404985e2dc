//! The messages that source files have, so that each can be asked for a test that it is given in.

use std::fs;
use std::path::{Path, PathBuf};

/// The messages of a file, or of all files of a folder.
pub(crate) fn of_source(path: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    let messages: Vec<String> = files(&path)
        .iter()
        .flat_map(|file| literals(&fs::read_to_string(file).expect("a source file")))
        .collect();
    assert!(!messages.is_empty(), "no messages in {}", path.display());
    messages
}

/// Whether a text says what a message does, whatever stands in the places of its `{}`.
pub(crate) fn says(text: &str, message: &str) -> bool {
    let mut parts =
        message.split('{').map(|part| part.split_once('}').map_or(part, |(_, end)| end));
    parts.try_fold(text, |rest, part| rest.split_once(part).map(|(_, rest)| rest)).is_some()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a folder of the crate");
    entries.map(|entry| entry.expect("a file").path()).collect()
}

/// The string literals of code, but for its tests; none of those that are read here has a quotation mark.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let literals = code.split('"').skip(1).step_by(2);
    // A backslash at the end of a line leaves out what the next one begins with.
    literals.map(|literal| literal.split("\\\n").map(str::trim_start).collect()).collect()
}
