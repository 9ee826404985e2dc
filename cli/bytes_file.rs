//! Files as bytes: read whole, once it is clear that they are of the right kind.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Kind, kind_of};

use crate::failure::hinted;

/// Bytes that tell what a file of hecc is.
const HEAD: usize = 16;

/// Reads a file of hecc that should be of kind `expected`. A file of another kind is refused before it is read whole.
pub(crate) fn read_kind(path: &Path, expected: Kind) -> Result<Bytes> {
    let mut file = open(path)?;
    let mut head = Vec::with_capacity(HEAD);
    let problem = |error: FileError| refused(path, error);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head).with_context(|| cannot_read(path))?;
    let found = kind_of(&head).map_err(problem)?;
    if found != expected {
        return Err(problem(FileError::Kind { found, expected }));
    }
    rest(path, file, head)
}

/// Reads any regular file.
pub(crate) fn read(path: &Path) -> Result<Bytes> {
    rest(path, open(path)?, vec![])
}

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
        FileError::Content { .. } | FileError::Plan(_) => {
            return anyhow::Error::new(error).context(path.display().to_string());
        }
    };
    hinted(format!("{}: {error}", path.display()), hint)
}

/// The error of a file of keys or ciphertexts that should belong to the same keys as `other`.
pub(crate) fn mismatched(path: &Path, error: FileError, other: &Path) -> anyhow::Error {
    let FileError::OtherKey { kind, found, expected } = error else {
        return refused(path, error);
    };
    let (path, other) = (path.display(), other.display());
    let message = match kind {
        Kind::EvaluationKeys => format!(
            "{path} holds evaluation keys of key {found}, but {other} is encrypted under key {expected}"
        ),
        Kind::Plan | Kind::SecretKey | Kind::Input | Kind::Result => {
            format!("{path} is encrypted under key {found}, but {other} is key {expected}")
        }
    };
    hinted(
        message,
        "they come from different runs of `hecc keygen`; --keys names the keys that go with it",
    )
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).with_context(|| cannot_read(path))?;
    // A folder, a device or a pipe has no size to judge by.
    if !file.metadata().with_context(|| cannot_read(path))?.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    Ok(file)
}

fn rest(path: &Path, mut file: File, head: Vec<u8>) -> Result<Bytes> {
    let size = file.metadata().with_context(|| cannot_read(path))?.len();
    let mut bytes = head;
    let left = usize::try_from(size).context("the file is larger than memory")?;
    bytes.try_reserve_exact(left.saturating_sub(bytes.len())).with_context(|| cannot_read(path))?;
    file.read_to_end(&mut bytes).with_context(|| cannot_read(path))?;
    Ok(bytes.into())
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", path.display())
}
