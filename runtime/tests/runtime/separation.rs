//! Server code cannot name the secret key: no module but `client` imports it.

use std::fs;
use std::path::Path;

#[test]
fn only_the_client_knows_the_client() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    visit(&source, &mut |path, text| {
        seen += 1;
        // Text in documentation may refer to it.
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!line.contains("client::"), "{}: {line}", path.display());
        }
    });
    assert!(seen > 20, "{seen} files were read");
}

fn visit(folder: &Path, check: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the sources are there").path();
        if path.ends_with("src/client") {
            continue;
        }
        if path.is_dir() {
            visit(&path, check);
        } else {
            check(&path, &fs::read_to_string(&path).expect("sources are text"));
        }
    }
}
