//! Temporary files that a command left behind when it was killed: the next one that writes into their folder removes them.
//!
//! Whoever writes a temporary file holds a lock on it, which ends with the process, however it ends. Where files cannot be
//! locked, those left behind stay.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Names of temporary files begin so.
pub(crate) const PREFIX: &str = ".hecc-";
/// Names of temporary files end so.
pub(crate) const SUFFIX: &str = ".tmp";

/// Creates a temporary file with a lock on it. One that was taken for a leftover before it was locked is made again.
pub(crate) fn claimed(create: impl Fn() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
    loop {
        let file = create()?;
        let is_claimed = match file.as_file().try_lock() {
            Ok(()) => has_name(file.as_file()),
            Err(TryLockError::Error(_)) => true,
            Err(TryLockError::WouldBlock) => false,
        };
        if is_claimed {
            return Ok(file);
        }
    }
}

/// Removes the leftovers in a folder, as far as that is possible.
pub(crate) fn remove(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(is_temporary) {
        let Ok(file) = File::open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // Another command may do the same.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_temporary(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let is_file = || entry.file_type().is_ok_and(|found| found.is_file());
    name.starts_with(PREFIX) && name.ends_with(SUFFIX) && is_file()
}

#[cfg(unix)]
fn has_name(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|found| found.nlink() > 0)
}

/// Elsewhere open files keep their names.
#[cfg(not(unix))]
fn has_name(_: &File) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(folder: &Path) -> NamedTempFile {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        claimed(|| builder.tempfile_in(folder)).unwrap()
    }

    #[test]
    fn only_what_nobody_writes_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (written, left) = (temporary(folder.path()), temporary(folder.path()));
        let path = left.path().to_owned();
        // As if its process had ended.
        let (closed, kept) = left.keep().unwrap();
        drop(closed);
        fs::write(folder.path().join("notes.tmp"), b"").unwrap();
        assert_eq!(kept, path);
        remove(folder.path());
        assert!(written.path().exists() && !path.exists());
        assert!(folder.path().join("notes.tmp").exists());
    }

    #[test]
    fn a_file_that_was_taken_for_a_leftover_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut n_made = std::cell::Cell::new(0);
        let create = || {
            let file = NamedTempFile::with_prefix_in(PREFIX, folder.path())?;
            n_made.set(n_made.get() + 1);
            if n_made.get() == 1 {
                fs::remove_file(file.path())?;
            }
            Ok(file)
        };
        assert!(claimed(create).unwrap().path().exists());
        assert_eq!(*n_made.get_mut(), 2);
    }
}
