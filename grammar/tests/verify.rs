//! Refusals. Those of texts are in `tests/plan-verify` (plans that break a promise; a name begins with the promise's number) and
//! `tests/text-refused` (texts that are no plans or models). Each says why with `; error: MESSAGE`, a comment on the offending
//! line if the text is refused when it is read, on a line of its own if when it is verified. Adding a case is adding a file;
//! `INSTA_UPDATE=always cargo test` rewrites the messages. What no text can say is in [`CHANGES`].

mod bless;
mod messages;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use hecc_grammar::TextError;
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Op, Plan, PlanError, Value, VerifiedPlan};

use messages::{of_source, says};

/// Where promises of plans are checked: in the verifier, and next to what it asks.
const CHECKS: [&str; 5] = [
    "plan/verify",
    "plan/profile.rs",
    "plan/ranges.rs",
    "plan/slot_check.rs",
    "plan/validation.rs",
];

/// Breaks a promise.
type Change = fn(&mut Plan);

/// Changes of a plan that no text can make: texts are counted and typed when they are read. With the messages of the refusals.
const CHANGES: [(Change, &str); 9] = [
    (
        |plan| plan.params.q = vec![3; 65],
        "parameters: 65 ciphertext-modulus and 1 special primes, expected 1 to 64 and 0 to 64",
    ),
    (
        |plan| plan.inputs = vec![plan.inputs[0].clone(); 1025],
        "inputs: 1025, expected at most 1024",
    ),
    (
        |plan| plan.outputs = vec![plan.outputs[0].clone(); 1025],
        "outputs: 1025, expected at most 1024",
    ),
    (|plan| plan.types.truncate(3), "parameters: instructions, types and origins differ in number"),
    (
        |plan| plan.origins.truncate(3),
        "parameters: instructions, types and origins differ in number",
    ),
    (
        |plan| plan.joined.truncate(3),
        "parameters: instructions, types and origins differ in number",
    ),
    (
        |plan| plan.types[5].scale += 1.0,
        "instruction v5: recorded type differs from the inferred one",
    ),
    (
        |plan| plan.ops[5] = Op::ModDown(Value(9)),
        "instruction v5: v9 is not defined before its use",
    ),
    (
        |plan| plan.ops[5] = Op::Neg(Value(1)),
        "instruction v5: v1 has form Digits, expected Q or QP",
    ),
];

/// The refused files of both folders. Several tests ask for them, one reads them: with `INSTA_UPDATE=always` they are written.
static PROMISES: LazyLock<Vec<(String, Refused)>> =
    LazyLock::new(|| check_folder("tests/plan-verify"));
static TEXTS: LazyLock<Vec<(String, Refused)>> =
    LazyLock::new(|| check_folder("tests/text-refused"));

#[test]
fn broken_promises_are_named() {
    for (file, refused) in &*PROMISES {
        match refused {
            Refused::Verify(_) => {}
            Refused::Text(error) => panic!("{file} is refused before it is verified: {error}"),
        }
    }
}

#[test]
fn what_no_text_can_say_is_refused() {
    let plan: Plan = include_str!("text/small.plan").parse().unwrap();
    for (change, message) in CHANGES {
        let mut plan = plan.clone();
        change(&mut plan);
        assert_eq!(VerifiedPlan::new(plan).unwrap_err().to_string(), message);
    }
}

/// A promise that no case breaks may as well not be checked.
#[test]
fn every_message_of_the_verifier_has_a_case() {
    let mut found: Vec<String> = CHANGES.map(|(_, message)| message.to_owned()).into();
    found.extend(PROMISES.iter().chain(&*TEXTS).map(|(_, refused)| refused.message()));
    // `tests/parts.rs` asks for those of client parts.
    let of_parts = of_source("plan/verify/client_part.rs");
    let messages = CHECKS.iter().flat_map(|path| of_source(path));
    let is_missing = |message: &String| {
        !of_parts.contains(message) && !found.iter().any(|text| says(text, message))
    };
    let missing: Vec<String> = messages.filter(is_missing).collect();
    assert!(missing.is_empty(), "no case for {missing:#?}");
}

#[test]
fn texts_are_refused_at_the_line() {
    let has = |part: &str| TEXTS.iter().any(|(name, _)| name.contains(part));
    assert!(has(".plan") && has(".hecc") && has("3-"), "{} files", TEXTS.len());
}

/// Why each file of a folder is refused, by its name.
fn check_folder(folder: &str) -> Vec<(String, Refused)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut failures = String::new();
    let mut all = vec![];
    for entry in fs::read_dir(folder).expect("the folder is in the repository") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a text");
        let is_plan = path.extension().is_some_and(|extension| extension == "plan");
        match refuse(&text, is_plan) {
            None => failures += &format!("{}: accepted\n", path.display()),
            Some(refused) => {
                let right = with_message(&text, &refused);
                let right = right.map_err(|error| format!("{}: {error}", path.display()));
                let checked = right.and_then(|right| bless::expect(&path, &right));
                failures += &checked.err().map_or(String::new(), |error| error + "\n");
                let name = path.file_name().expect("a file").to_string_lossy();
                all.push((name.into_owned(), refused));
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    all
}

/// The text with the message that it should carry.
fn with_message(text: &str, refused: &Refused) -> Result<String, String> {
    let error = text.lines().enumerate().find_map(|(i, line)| {
        let (before, message) = line.split_once("; error: ")?;
        Some((i + 1, !before.trim().is_empty(), message))
    });
    let (line, is_of_the_line, message) = error.ok_or("no `; error: ` line")?;
    let found = refused.message();
    let found_line = match refused {
        Refused::Text(error) => Some(error.line),
        Refused::Verify(_) => None,
    };
    match found_line {
        Some(found) if is_of_the_line && found != line => Err(format!("line {found}, not {line}")),
        None if is_of_the_line => Err("refused by the verifier, not at its line".to_owned()),
        Some(_) | None => {
            Ok(text.replace(&format!("; error: {message}"), &format!("; error: {found}")))
        }
    }
}

enum Refused {
    Text(TextError),
    Verify(PlanError),
}

impl Refused {
    fn message(&self) -> String {
        match self {
            Refused::Text(error) => error.what.clone(),
            Refused::Verify(error) => error.to_string(),
        }
    }
}

fn refuse(text: &str, is_plan: bool) -> Option<Refused> {
    if !is_plan {
        return text.parse::<Model>().err().map(Refused::Text);
    }
    match text.parse::<Plan>() {
        Err(error) => Some(Refused::Text(error)),
        Ok(plan) => VerifiedPlan::new(plan).err().map(Refused::Verify),
    }
}
