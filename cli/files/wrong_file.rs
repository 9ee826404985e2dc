//! What to do with a file of another kind than the one asked for: the command that it goes with.

use std::path::Path;

use hecc_grammar::envelope::{FileError, Kind, kind_of_any_version};

use crate::files::stream::{input_name, name};
use crate::files::{companions, refusal};
use crate::terminal::failure::hinted;

/// The error of a file that begins with `head`, where one of the kinds `allowed` that goes with `plan` was asked for.
pub(crate) fn wrong_kind(
    path: &Path,
    head: &[u8],
    allowed: &[Kind],
    plan: &Path,
    error: FileError,
) -> anyhow::Error {
    let expected = allowed[0];
    if !matches!(error, FileError::Kind { .. } | FileError::Magic) {
        return refusal::refused(path, error);
    }
    let hint = match expected {
        Kind::Plan => for_plan(path, kind_of_any_version(head), allowed),
        Kind::ClientPart | Kind::ServerPart => for_plan(path, None, allowed),
        Kind::PublicKey => format!(
            "the public key is in the file that `hecc keygen {} --public` wrote, `{}`",
            name(plan),
            name(&companions::public_key(plan, None))
        ),
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
        Kind::Checkpoint => "`hecc run --checkpoint DIR` writes it, and reads it".to_owned(),
    };
    let message = if is_network(path) && matches!(error, FileError::Magic) {
        format!("`{}` is a network, expected {expected}", name(path))
    } else {
        format!("{}: {error}", input_name(path))
    };
    hinted(message, hint)
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
        Kind::ClientPart => format!("it is a part of a plan: `hecc keygen {path}` makes its keys"),
        Kind::ServerPart => format!("it is a part of a plan: `hecc run {path} -i X` runs it"),
        Kind::SecretKey | Kind::PublicKey | Kind::EvaluationKeys => {
            "keys are found next to their plan, or named by --keys".to_owned()
        }
        Kind::Checkpoint => {
            "it is where a run stands: `hecc run --checkpoint` takes its folder".to_owned()
        }
    }
}

/// Whether a file's name is that of a network.
fn is_network(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// What to give instead of a file in the place of a plan, of which `allowed` would do.
fn for_plan(path: &Path, found: Option<Kind>, allowed: &[Kind]) -> String {
    if is_network(path) {
        let plan = name(&path.with_extension("bin"));
        return format!("a network is compiled first: `hecc compile {} -o {plan}`", name(path));
    }
    let is_part = matches!(found, Some(Kind::ClientPart | Kind::ServerPart));
    if is_part && allowed.contains(&Kind::ClientPart) {
        let part = name(&companions::client_part(path));
        return format!("the owner of the data takes the client part, `{part}`, or the whole plan");
    }
    if is_part && allowed.contains(&Kind::ServerPart) {
        let part = name(&companions::server_part(path));
        return format!(
            "the machine that runs it takes the server part, `{part}`, or the whole plan"
        );
    }
    if is_part {
        return "it is a part only: this takes the whole plan, as `hecc compile` wrote it"
            .to_owned();
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
        Some(
            Kind::Plan
            | Kind::ClientPart
            | Kind::ServerPart
            | Kind::SecretKey
            | Kind::PublicKey
            | Kind::EvaluationKeys
            | Kind::Input
            | Kind::Checkpoint,
        ) => {
            format!("-i takes what `hecc encrypt {plan}` wrote")
        }
        None => format!("data is encrypted first: `hecc encrypt {plan} -i {path} -o x.ct`"),
    }
}

fn for_result(path: &Path, found: Option<Kind>, plan: &Path) -> String {
    let (path, plan) = (name(path), name(plan));
    match found {
        Some(Kind::Input) => format!("run it first: `hecc run {plan} -i {path}`"),
        Some(
            Kind::Plan
            | Kind::ClientPart
            | Kind::ServerPart
            | Kind::SecretKey
            | Kind::PublicKey
            | Kind::EvaluationKeys
            | Kind::Result
            | Kind::Checkpoint,
        )
        | None => {
            format!("-i takes what `hecc run {plan}` wrote")
        }
    }
}
