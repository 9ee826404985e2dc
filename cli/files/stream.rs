//! Standard input and output where a file is named, as `-`; and files that can be read once only, such as pipes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;

use crate::terminal::failure::hinted;

/// What was read from streams: whoever needs it again gets the same.
static READ: Mutex<BTreeMap<PathBuf, Bytes>> = Mutex::new(BTreeMap::new());

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Whether a path stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Whether a path names a file that this process was started with, such as the end of a pipe that a shell calls `/dev/fd/63`.
/// Other pipes may have nobody who writes to them.
pub(crate) fn is_open(path: &Path) -> bool {
    is_stdin(path) || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// A path for messages: bytes that are no text are replaced.
pub(crate) fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An input's path for messages.
pub(crate) fn input_name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { name(path) }
}

/// Checks that standard input is named once at most.
pub(crate) fn check_inputs(paths: &[&Path]) -> Result<()> {
    let count = paths.iter().filter(|path| is_stdin(path)).count();
    ensure!(
        count <= 1,
        "{count} inputs are to be read from standard input, which can be read once only"
    );
    Ok(())
}

/// Checks that a file is one, and not standard input; `why` says what it would take.
pub(crate) fn check_named(path: &Path, why: &str) -> Result<()> {
    let is_stream = std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    if is_stdin(path) || is_stream {
        return Err(hinted(format!("{} has no name and folder", input_name(path)), why));
    }
    Ok(())
}

/// All of standard input.
pub(crate) fn read_stdin() -> Result<Bytes> {
    once(Path::new("-"), || {
        let mut stdin = io::stdin().lock();
        if stdin.is_terminal() {
            bail!("standard input is a terminal, expected a file or a pipe");
        }
        let mut bytes = vec![];
        stdin.read_to_end(&mut bytes).context("cannot read standard input")?;
        Ok(bytes)
    })
}

/// All that comes out of a pipe.
pub(crate) fn read_pipe(path: &Path, mut file: File) -> Result<Bytes> {
    once(path, || {
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).with_context(|| format!("cannot read `{}`", name(path)))?;
        Ok(bytes)
    })
}

/// What came out of a pipe when it was read, if it was.
pub(crate) fn read_before(path: &Path) -> Option<Bytes> {
    READ.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
}

fn once(path: &Path, read: impl FnOnce() -> Result<Vec<u8>>) -> Result<Bytes> {
    if let Some(bytes) = read_before(path) {
        return Ok(bytes);
    }
    let bytes = Bytes::from(read()?);
    READ.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes.clone());
    Ok(bytes)
}
