//! Why a file is refused, with what to do about it.

use std::path::Path;

use hecc_grammar::envelope::{FileError, Kind};

use crate::files::stream::input_name;
use crate::terminal::failure::hinted;

/// The error of a file that does not hold what it should, with a hint where one helps.
pub(crate) fn refused(path: &Path, error: FileError) -> anyhow::Error {
    let hint = match &error {
        FileError::OtherPlan { .. } | FileError::OtherKey { .. } => {
            "keys and ciphertexts work with the plan that they were made for only: give that plan, or make them again \
             with `hecc keygen` and `hecc encrypt`"
        }
        FileError::Kind { .. } | FileError::Magic => {
            "`hecc inspect FILE` tells what a file is; a plan is made by `hecc compile`"
        }
        FileError::Length { .. } | FileError::Checksum { .. } => {
            "the file was damaged on its way: copy it again from where it was made"
        }
        FileError::Version { .. } | FileError::UnknownKind(_) => {
            "it was written by another version of hecc: make it again with this one, or use that one"
        }
        FileError::Content { .. } | FileError::Promise(_) | _ => {
            return anyhow::Error::new(error).context(input_name(path));
        }
    };
    hinted(format!("{}: {error}", input_name(path)), hint)
}

/// The error of a file of keys or ciphertexts that should belong to the same keys as `other`.
pub(crate) fn mismatched(path: &Path, error: FileError, other: &Path) -> anyhow::Error {
    let FileError::OtherKey { kind, found, expected } = error else {
        return refused(path, error);
    };
    let (path, other) = (input_name(path), input_name(other));
    let message = match kind {
        Kind::EvaluationKeys => format!(
            "{path} holds evaluation keys of key {found}, but {other} is encrypted under key {expected}"
        ),
        Kind::Plan
        | Kind::ClientPart
        | Kind::ServerPart
        | Kind::SecretKey
        | Kind::PublicKey
        | Kind::Input
        | Kind::Result
        | Kind::Checkpoint => {
            format!("{path} is encrypted under key {found}, but {other} is key {expected}")
        }
    };
    hinted(
        message,
        "they come from different runs of `hecc keygen`; --keys names the keys that go with it",
    )
}
