//! Files as bytes: read whole, once it is clear that they are of the right kind.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Kind, kind_of};
use zeroize::Zeroizing;

use crate::files::memory;
use crate::files::stream::{self, name};
use crate::files::wrong_file::wrong_kind;
use crate::terminal::failure::hinted;

/// Bytes that tell what a file of hecc is.
const HEAD: usize = 16;

/// Reads a file of hecc that should be of one of the kinds `expected`, the first of which is the usual one, and go with `plan`.
/// A file of another kind is refused before it is read whole.
pub(crate) fn read_kind(path: &Path, expected: &[Kind], plan: &Path) -> Result<Bytes> {
    let check = |head: &[u8]| match kind_of(head)? {
        found if expected.contains(&found) => Ok(()),
        found => Err(FileError::Kind { found, expected: expected[0] }),
    };
    let problem = |head: &[u8], error| wrong_kind(path, head, expected, plan, error);
    match open(path)? {
        Source::Stream(bytes) => {
            check(&bytes).map_err(|error| problem(&bytes, error))?;
            Ok(bytes)
        }
        Source::File(mut file) => {
            let mut head = Vec::with_capacity(HEAD);
            let read = file.by_ref().take(HEAD as u64).read_to_end(&mut head);
            read.with_context(|| cannot_read(path))?;
            check(&head).map_err(|error| problem(&head, error))?;
            let bytes = rest(path, file, head)?;
            // The only copy of a secret key's file, wiped in the end.
            let is_secret = expected.contains(&Kind::SecretKey);
            Ok(if is_secret { Bytes::from_owner(Zeroizing::new(bytes)) } else { bytes.into() })
        }
    }
}

/// Whether bytes that were read are of that kind.
pub(crate) fn is_of(file: &[u8], kind: Kind) -> bool {
    kind_of(file).is_ok_and(|found| found == kind)
}

/// Reads any file, or standard input.
pub(crate) fn read(path: &Path) -> Result<Bytes> {
    match open(path)? {
        Source::Stream(bytes) => Ok(bytes),
        Source::File(file) => Ok(rest(path, file, vec![])?.into()),
    }
}

/// What a path leads to.
enum Source {
    /// A regular file, to be read.
    File(File),
    /// What came out of standard input, or of another open pipe.
    Stream(Bytes),
}

fn open(path: &Path) -> Result<Source> {
    if path == Path::new("-") {
        return stream::read_stdin().map(Source::Stream);
    }
    if let Some(bytes) = stream::read_before(path) {
        return Ok(Source::Stream(bytes));
    }
    // The kind first: to open a pipe is to wait for whoever writes to it.
    let found = std::fs::metadata(path).with_context(|| cannot_read(path))?;
    if found.is_dir() {
        bail!("`{}` is a folder, expected a file", name(path));
    }
    let is_open_pipe = is_pipe(&found) && stream::is_open(path);
    if !found.is_file() && !is_open_pipe {
        let what = if is_pipe(&found) { "named pipe" } else { "device" };
        let message = format!("`{}` is a {what}, expected a file", name(path));
        return Err(hinted(message, "`-` is standard input: `command | hecc ...`"));
    }
    let file = File::open(path).with_context(|| cannot_read(path))?;
    if found.is_file() {
        Ok(Source::File(file))
    } else {
        stream::read_pipe(path, file).map(Source::Stream)
    }
}

#[cfg(unix)]
fn is_pipe(found: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_fifo()
}

/// Elsewhere pipes are not files.
#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

fn rest(path: &Path, mut file: File, head: Vec<u8>) -> Result<Vec<u8>> {
    let size = file.metadata().with_context(|| cannot_read(path))?.len();
    let mut bytes = head;
    memory::require(size, &format!("`{}`", name(path)))?;
    let left = usize::try_from(size).context("the file is larger than memory")?;
    bytes.try_reserve_exact(left.saturating_sub(bytes.len())).with_context(|| cannot_read(path))?;
    file.read_to_end(&mut bytes).with_context(|| cannot_read(path))?;
    Ok(bytes)
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", name(path))
}
