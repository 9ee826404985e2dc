//! Texts that are refused, in `tests/plan-verify` (plans and models that break a promise; a name begins with the promise's
//! number) and `tests/text-refused` (texts that are neither). Each says why with `; error: MESSAGE`, a comment on the offending
//! line if the text is refused when it is read, on a line of its own if when it is verified. Adding a case is adding a file;
//! `INSTA_UPDATE=always cargo test` rewrites the messages.

mod bless;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hecc_grammar::TextError;
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Op, Plan, PlanError, TypeError, Value, VerifiedPlan};

#[test]
fn broken_promises_are_named() {
    let refused = check_folder("tests/plan-verify");
    for promise in 1..=7 {
        // Types are checked where a text is read: see `types_that_an_instruction_cannot_have_are_refused`.
        let least = if promise == 3 { 1 } else { 4 };
        let count = refused.iter().filter(|(name, _)| name.starts_with(&format!("{promise}-")));
        assert!(count.count() >= least, "promise {promise} has hardly any tests");
    }
    let found = refused.iter().map(|(file, refused)| match refused {
        Refused::Verify(error) => name(error),
        Refused::Text(error) => panic!("{file} is refused before it is verified: {error}"),
    });
    let all = [
        "Params",
        "Security",
        "EphemeralSecurity",
        "View",
        "Output",
        "Validation",
        "CorrectionFactors",
        "Noise",
        "Headroom",
    ];
    assert_eq!(found.collect::<BTreeSet<_>>(), BTreeSet::from(all), "no file breaks them all");
}

/// Which promise is broken. `Type` and `RecordedType` are not said of texts, which are typed when they are read.
fn name(error: &PlanError) -> &'static str {
    match error {
        PlanError::Params(_) => "Params",
        PlanError::Security { .. } => "Security",
        PlanError::EphemeralSecurity { .. } => "EphemeralSecurity",
        PlanError::Type { .. } => "Type",
        PlanError::RecordedType(_) => "RecordedType",
        PlanError::View { .. } => "View",
        PlanError::Output { .. } => "Output",
        PlanError::Validation(_) => "Validation",
        PlanError::CorrectionFactors(_) => "CorrectionFactors",
        PlanError::Noise { .. } => "Noise",
        PlanError::Headroom { .. } => "Headroom",
    }
}

#[test]
fn types_that_are_not_the_inferred_ones_are_refused() {
    let plan: Plan = include_str!("text/small.plan").parse().unwrap();
    let refused = |change: fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        VerifiedPlan::new(plan).unwrap_err()
    };
    let error = refused(|plan| plan.types[5].scale += 1.0);
    assert_eq!(error, PlanError::RecordedType(Value(5)));
    let error = refused(|plan| plan.ops[5] = Op::ModDown(Value(9)));
    let undefined = TypeError::Undefined(Value(9));
    assert_eq!(error, PlanError::Type { value: Value(5), error: undefined });
    let error = refused(|plan| plan.ops[5] = Op::Neg(Value(1)));
    assert!(matches!(error, PlanError::Type { error: TypeError::Form { .. }, .. }), "{error}");
    let changes: [fn(&mut Plan); 2] =
        [|plan| plan.types.truncate(3), |plan| plan.origins.truncate(3)];
    for change in changes {
        assert!(matches!(refused(change), PlanError::Params(_)));
    }
}

#[test]
fn inputs_and_outputs_are_counted() {
    let plan: Plan = include_str!("text/small.plan").parse().unwrap();
    let inputs = Plan { inputs: vec![plan.inputs[0].clone(); 1025], ..plan.clone() };
    let outputs = Plan { outputs: vec![plan.outputs[0].clone(); 1025], ..plan };
    for (plan, place) in [(inputs, "inputs"), (outputs, "outputs")] {
        let error = VerifiedPlan::new(plan).unwrap_err().to_string();
        assert_eq!(error, format!("{place}: 1025, expected at most 1024"));
    }
}

#[test]
fn texts_are_refused_at_the_line() {
    let refused = check_folder("tests/text-refused");
    let has = |part: &str| refused.iter().any(|(name, _)| name.contains(part));
    assert!(has(".plan") && has(".hecc") && has("3-"), "{} files", refused.len());
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
    let (found, found_line) = match refused {
        Refused::Text(error) => (error.what.clone(), Some(error.line)),
        Refused::Verify(error) => (error.to_string(), None),
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

fn refuse(text: &str, is_plan: bool) -> Option<Refused> {
    if !is_plan {
        return text.parse::<Model>().err().map(Refused::Text);
    }
    match text.parse::<Plan>() {
        Err(error) => Some(Refused::Text(error)),
        Ok(plan) => VerifiedPlan::new(plan).err().map(Refused::Verify),
    }
}
