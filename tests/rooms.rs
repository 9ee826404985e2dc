//! Rooms, the folders and files at the top of a crate, import each other without circles: each can be read without those above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms that it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the project");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.flat_map(below).filter(|path| path.extension().is_some_and(|x| x == "rs")).collect()
}

/// What a file imports, but for its tests and what comments link to.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1));
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    names.map(|rest| rest.chars().take_while(|&c| is_part(c)).collect()).collect()
}

fn rooms(root: &Path) -> Imports {
    let mut rooms = Imports::new();
    for path in files(root) {
        let inside = path.strip_prefix(root).expect("a file of the crate");
        let first = inside.components().next().expect("a name").as_os_str();
        let room = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("a source file");
        rooms.entry(room).or_default().extend(imports(&text));
    }
    let names: BTreeSet<String> = rooms.keys().cloned().collect();
    for (room, imported) in &mut rooms {
        imported.retain(|other| other != room && names.contains(other));
    }
    rooms
}

/// Leaves out rooms that import none of those that are left, until there is none: what is left then are circles and what is above.
fn circles(mut rooms: Imports) -> Imports {
    loop {
        let names: BTreeSet<String> = rooms.keys().cloned().collect();
        rooms.values_mut().for_each(|imported| imported.retain(|other| names.contains(other)));
        let before = rooms.len();
        rooms.retain(|_, imported| !imported.is_empty());
        if rooms.len() == before {
            return rooms;
        }
    }
}

#[test]
fn rooms_import_each_other_without_circles() {
    for root in ["grammar/src", "compiler/src", "runtime/src", "src", "cli"] {
        let rooms = rooms(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
        assert!(rooms.len() > 3, "{root}: {rooms:?}");
        let left = circles(rooms);
        assert!(left.is_empty(), "{root}: in circles or above them: {left:#?}");
    }
}

#[test]
fn circles_are_found() {
    let room = |name: &str, imported: &[&str]| {
        (name.to_owned(), imported.iter().map(|&other| other.to_owned()).collect())
    };
    let all = [room("a", &["b"]), room("b", &["c"]), room("c", &["b"]), room("d", &[])];
    assert_eq!(circles(all.into()).into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let text = "use crate::graph::Graph;\n// crate::no\n#[cfg(test)]\nuse crate::never;";
    assert_eq!(imports(text), ["graph".to_owned()].into());
}
