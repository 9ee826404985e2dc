//! Texts that are refused, in `tests/plan-verify` (plans and models that break a promise) and `tests/text-refused`
//! (texts that are neither). Each says why with `; error: MESSAGE`, a comment on the offending line if the text is
//! refused when it is read, on a line of its own if when it is verified. Adding a case is adding a file; `BLESS=1 cargo
//! test` rewrites the messages.

use std::fs;
use std::path::Path;

use hecc_grammar::TextError;
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Plan, VerifiedPlan};

#[test]
fn broken_promises_are_named() {
    check_folder("tests/plan-verify", 15);
}

#[test]
fn texts_are_refused_at_the_line() {
    check_folder("tests/text-refused", 15);
}

fn check_folder(folder: &str, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut failures = String::new();
    let mut count = 0;
    let bless = std::env::var_os("BLESS").is_some();
    for entry in fs::read_dir(folder).expect("the folder is in the repository") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a text");
        count += 1;
        let is_plan = path.extension().is_some_and(|extension| extension == "plan");
        match check(&text, is_plan) {
            Ok(right) if bless => fs::write(&path, right).expect("the folder is writable"),
            Ok(right) if right == text => {}
            Ok(right) => failures += &format!("{}: expected\n{right}\n", path.display()),
            Err(why) => failures += &format!("{}: {why}\n", path.display()),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(count >= least, "{count} files");
}

/// The text with the message that it should carry.
fn check(text: &str, is_plan: bool) -> Result<String, String> {
    let error = text.lines().enumerate().find_map(|(i, line)| {
        let (before, message) = line.split_once("; error: ")?;
        Some((i + 1, !before.trim().is_empty(), message))
    });
    let (line, is_of_the_line, message) = error.ok_or("no `; error: ` line")?;
    let (found, found_line) = match refuse(text, is_plan).ok_or("accepted")? {
        Refused::Text(error) => (error.what, Some(error.line)),
        Refused::Verify(what) => (what, None),
    };
    match found_line {
        Some(found) if is_of_the_line && found != line => Err(format!("line {found}, not {line}")),
        None if is_of_the_line => Err("refused by the verifier, not at its line".to_owned()),
        _ => Ok(text.replace(&format!("; error: {message}"), &format!("; error: {found}"))),
    }
}

enum Refused {
    Text(TextError),
    Verify(String),
}

fn refuse(text: &str, is_plan: bool) -> Option<Refused> {
    if !is_plan {
        return text.parse::<Model>().err().map(Refused::Text);
    }
    match text.parse::<Plan>() {
        Err(error) => Some(Refused::Text(error)),
        Ok(plan) => VerifiedPlan::new(plan).err().map(|error| Refused::Verify(error.to_string())),
    }
}
