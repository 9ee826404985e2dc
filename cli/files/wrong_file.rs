//! What to do with a file of another kind than the one asked for: the command that it goes with.

use std::path::Path;

use hecc_grammar::envelope::{FileError, Kind, kind_of_any_version};

use crate::files::stream::{input_name, name};
use crate::files::{companions, refusal};
use crate::terminal::failure::hinted;

/// The error of a file that begins with `head`, where one of kind `expected` that goes with `plan` was asked for.
pub(crate) fn wrong_kind(
    path: &Path,
    head: &[u8],
    expected: Kind,
    plan: &Path,
    error: FileError,
) -> anyhow::Error {
    match error {
        FileError::Kind { .. } | FileError::Magic => {
            let hint = match expected {
                Kind::Plan => for_plan(path),
                Kind::SecretKey => format!(
                    "the secret key is in the file that `hecc keygen {}` wrote, `{}`",
                    name(plan),
                    name(&companions::secret_key(plan, None))
                ),
                Kind::EvaluationKeys => format!(
                    "evaluation keys are in the file that `hecc keygen {}` wrote, `{}`; the secret key stays with its owner",
                    name(plan),
                    name(&companions::evaluation_keys(plan, None))
                ),
                Kind::Input => for_input(path, kind_of_any_version(head), plan),
                Kind::Result => for_result(path, kind_of_any_version(head), plan),
            };
            let message = if is_network(path) && matches!(error, FileError::Magic) {
                format!("`{}` is a network, expected {expected}", name(path))
            } else {
                format!("{}: {error}", input_name(path))
            };
            hinted(message, hint)
        }
        FileError::Version { .. }
        | FileError::UnknownKind(_)
        | FileError::Length { .. }
        | FileError::Checksum { .. }
        | FileError::OtherPlan { .. }
        | FileError::OtherKey { .. }
        | FileError::Content { .. }
        | FileError::Promise(_) => refusal::refused(path, error),
    }
}

/// What to do with a file of hecc that was given as data or as a network.
pub(crate) fn next_command(path: &Path, found: Kind) -> String {
    let path = name(path);
    match found {
        Kind::Plan => format!("it is compiled already: `hecc keygen {path}` makes its keys"),
        Kind::Input => {
            format!("it is encrypted already: `hecc run PLAN -i {path}` computes its result")
        }
        Kind::Result => format!("it is a result: `hecc decrypt PLAN -i {path}` reads it"),
        Kind::SecretKey | Kind::EvaluationKeys => {
            "keys are found next to their plan, or named by --keys".to_owned()
        }
    }
}

/// Whether a file's name is that of a network.
fn is_network(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

fn for_plan(path: &Path) -> String {
    if is_network(path) {
        let plan = name(&path.with_extension("bin"));
        return format!("a network is compiled first: `hecc compile {} -o {plan}`", name(path));
    }
    "the plan comes first, as `hecc compile` wrote it; `hecc inspect FILE` tells what a file is"
        .to_owned()
}

fn for_input(path: &Path, found: Option<Kind>, plan: &Path) -> String {
    let (path, plan) = (name(path), name(plan));
    match found {
        Some(Kind::Result) => {
            format!("it is computed already: `hecc decrypt {plan} -i {path}` reads it")
        }
        Some(Kind::Plan | Kind::SecretKey | Kind::EvaluationKeys | Kind::Input) => {
            format!("-i takes what `hecc encrypt {plan}` wrote")
        }
        None => format!("data is encrypted first: `hecc encrypt {plan} -i {path} -o x.ct`"),
    }
}

fn for_result(path: &Path, found: Option<Kind>, plan: &Path) -> String {
    let (path, plan) = (name(path), name(plan));
    match found {
        Some(Kind::Input) => format!("run it first: `hecc run {plan} -i {path}`"),
        Some(Kind::Plan | Kind::SecretKey | Kind::EvaluationKeys | Kind::Result) | None => {
            format!("-i takes what `hecc run {plan}` wrote")
        }
    }
}
