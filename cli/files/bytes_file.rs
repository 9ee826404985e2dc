//! Files as bytes: read whole, once it is clear that they are of the right kind.

use std::fs::{File, Metadata};
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Kind, kind_of};
use hecc_runtime::rlwe::ReadAt;
use zeroize::Zeroizing;

use crate::files::memory;
use crate::files::stream::{self, name};
use crate::files::wrong_file::wrong_kind;
use crate::terminal::failure::hinted;

/// Bytes that tell what a file of hecc is.
const HEAD: usize = 16;

/// A file of hecc whose kind is known.
pub(crate) struct Opened {
    source: Source,
    /// Its first bytes, which were read.
    head: Vec<u8>,
    /// Its length in bytes.
    pub(crate) len: u64,
}

impl Opened {
    /// To be read from its start.
    pub(crate) fn reader(self) -> Box<dyn Read + Send> {
        match self.source {
            Source::File(file) => Box::new(Cursor::new(self.head).chain(file)),
            Source::Stream(bytes) => Box::new(Cursor::new(bytes)),
        }
    }

    /// To be read anywhere.
    pub(crate) fn anywhere(self) -> Box<dyn ReadAt> {
        match self.source {
            Source::File(file) => Box::new(file),
            Source::Stream(bytes) => Box::new(bytes),
        }
    }
}

/// Opens a file of hecc that should be of one of the kinds `expected`, the first of which is the usual one, and go with `plan`.
pub(crate) fn open_kind(path: &Path, expected: &[Kind], plan: &Path) -> Result<Opened> {
    let check = |head: &[u8]| match kind_of(head)? {
        found if expected.contains(&found) => Ok(()),
        found => Err(FileError::Kind { found, expected: expected[0] }),
    };
    let problem = |head: &[u8], error| wrong_kind(path, head, expected, plan, error);
    let mut source = open(path)?;
    let mut head = Vec::with_capacity(HEAD);
    let len = match &mut source {
        Source::Stream(bytes) => {
            check(bytes).map_err(|error| problem(bytes, error))?;
            bytes.len() as u64
        }
        Source::File(file) => {
            let read = file.by_ref().take(HEAD as u64).read_to_end(&mut head);
            read.with_context(|| cannot_read(path))?;
            check(&head).map_err(|error| problem(&head, error))?;
            length(path, file)?
        }
    };
    Ok(Opened { source, head, len })
}

/// Reads a file of hecc as [`open_kind`] opens it. One of another kind is refused before it is read whole.
pub(crate) fn read_kind(path: &Path, expected: &[Kind], plan: &Path) -> Result<Bytes> {
    let opened = open_kind(path, expected, plan)?;
    let len = opened.len;
    let bytes = whole(path, opened.reader(), len)?;
    // The only copy of a secret key's file, wiped in the end.
    let is_secret = expected.contains(&Kind::SecretKey);
    Ok(if is_secret { Bytes::from_owner(Zeroizing::new(bytes)) } else { bytes.into() })
}

/// Whether bytes that were read are of that kind.
pub(crate) fn is_of(file: &[u8], kind: Kind) -> bool {
    kind_of(file).is_ok_and(|found| found == kind)
}

/// Reads any file, or standard input.
pub(crate) fn read(path: &Path) -> Result<Bytes> {
    match open(path)? {
        Source::Stream(bytes) => Ok(bytes),
        Source::File(file) => {
            let len = length(path, &file)?;
            Ok(whole(path, file, len)?.into())
        }
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

fn length(path: &Path, file: &File) -> Result<u64> {
    Ok(file.metadata().with_context(|| cannot_read(path))?.len())
}

/// All of a file, whose length is known for as long as nobody writes to it.
fn whole(path: &Path, mut from: impl Read, len: u64) -> Result<Vec<u8>> {
    memory::require(len, &format!("`{}`", name(path)))?;
    let capacity = usize::try_from(len).context("the file is larger than memory")?;
    let mut bytes = vec![];
    bytes.try_reserve_exact(capacity).with_context(|| cannot_read(path))?;
    from.read_to_end(&mut bytes).with_context(|| cannot_read(path))?;
    Ok(bytes)
}

/// The error of a file that cannot be read any further.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(cannot_read(path))
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", name(path))
}
