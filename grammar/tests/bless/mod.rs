//! Expected texts: `INSTA_UPDATE=always cargo test` writes what was found, for the diff to be reviewed.

use std::fs;
use std::path::Path;

/// Checks that a file has this text; with `INSTA_UPDATE=always` writes it.
///
/// # Errors
/// What the file should have.
pub(crate) fn expect(path: &Path, found: &str) -> Result<(), String> {
    let path_name = path.display();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        return fs::write(path, found).map_err(|error| format!("{path_name}: {error}"));
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(&expected), lines(found));
    let same = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let line = |lines: &[String]| lines.get(same).map_or("the end", String::as_str).to_owned();
    Err(format!(
        "{path_name}, line {}: expected\n  {}\nfound\n  {}\nif the new text is right, write it with `INSTA_UPDATE=always cargo test`",
        same + 1,
        line(&expected),
        line(&found)
    ))
}
