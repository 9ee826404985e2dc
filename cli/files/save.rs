//! Files that are either whole or absent.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::files::leftover;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whom the process's umask allows.
    Public,
    /// Its owner only (mode 0600): secret keys.
    Owner,
}

/// Temporary files that exist now.
static PENDING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Held while files that belong together come into their places.
static PLACING: Mutex<()> = Mutex::new(());

/// Writes a file through `write`: under a temporary name in the same folder, synced, then renamed. On an error nothing
/// is left behind and an older file of that name stays. A path that exists but is no regular file (a pipe, a terminal)
/// is written directly.
pub(crate) fn write_atomically(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|existing| !existing.is_file()) {
        return write_all(&fs::OpenOptions::new().write(true).open(path)?, access, write);
    }
    Staged::write(path, access, write)?.replace()?.sync()
}

/// A file that is written whole and not yet in its place. Dropped, it leaves nothing.
pub(crate) struct Staged {
    // Removed from the disk before it is removed from the list.
    file: NamedTempFile,
    _pending: Pending,
    target: PathBuf,
    folder: PathBuf,
}

impl Staged {
    /// Writes the file meant for `path` under a temporary name in the same folder, synced. Of a link, that is the folder
    /// of the file that it leads to: a link keeps pointing to what it points to.
    pub(crate) fn write(
        path: &Path,
        access: Access,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Staged> {
        let target = match fs::canonicalize(path) {
            Ok(target) if path.is_symlink() => target,
            _ => path.to_owned(),
        };
        let folder = folder_of(&target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(leftover::PREFIX).suffix(leftover::SUFFIX);
        permit(&mut builder, access);
        leftover::remove(&folder);
        let (file, pending) = Pending::create(&builder, &folder)?;
        let staged = Staged { file, _pending: pending, target, folder };
        write_all(staged.file.as_file(), access, write)?;
        staged.file.as_file().sync_all()?;
        Ok(staged)
    }

    /// Puts the file in its place, where it replaces an older one.
    pub(crate) fn replace(self) -> io::Result<Placed> {
        self.file.persist(&self.target).map_err(|failed| failed.error)?;
        Ok(Placed { folder: self.folder })
    }

    /// Puts the file in its place, which must be free: of several that are put there at once, one is.
    ///
    /// # Errors
    /// Of kind `AlreadyExists` if it is taken.
    pub(crate) fn create(self) -> io::Result<Placed> {
        self.file.persist_noclobber(&self.target).map_err(|failed| failed.error)?;
        Ok(Placed { folder: self.folder })
    }
}

/// A file that is in its place, which a loss of power might still undo.
#[must_use]
pub(crate) struct Placed {
    folder: PathBuf,
}

impl Placed {
    /// Waits until the place is on the disk. If that fails, the file is in its place all the same.
    pub(crate) fn sync(self) -> io::Result<()> {
        sync_folder(&self.folder)
    }
}

/// Checks that a file can be written at `path`, before the work that it takes: with one that has no name.
pub(crate) fn check_place(path: &Path) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    tempfile::tempfile_in(folder_of(&target)).map(drop).map_err(without_name)
}

/// Runs what puts files that belong together in their places: [`abandon`] waits for its end.
pub(crate) fn together<T>(place: impl FnOnce() -> T) -> T {
    let _placing = lock(&PLACING);
    place()
}

/// Removes the temporary files of everything that is being written, for a process that is about to end. Whoever wants
/// to begin another file waits forever.
pub(crate) fn abandon() {
    let placing = lock(&PLACING);
    let mut pending = lock(&PENDING);
    for path in std::mem::take(&mut *pending) {
        // Nobody is left to tell.
        let _ = fs::remove_file(path);
    }
    std::mem::forget((placing, pending));
}

/// A temporary file's place in the list.
struct Pending(PathBuf);

impl Pending {
    /// Makes a temporary file that is in the list as long as it exists.
    fn create(
        builder: &tempfile::Builder<'_, '_>,
        folder: &Path,
    ) -> io::Result<(NamedTempFile, Pending)> {
        let mut pending = lock(&PENDING);
        let file = leftover::claimed(|| builder.tempfile_in(folder).map_err(without_name))?;
        pending.insert(file.path().to_owned());
        let path = file.path().to_owned();
        Ok((file, Pending(path)))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        lock(&PENDING).remove(&self.0);
    }
}

/// The same error without the name of the temporary file, which means nothing to anyone.
fn without_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    let reason = text.split(" at path ").next().unwrap_or(&text);
    io::Error::new(error.kind(), reason.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What they guard is sound even after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(
    mut file: &File,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if access == Access::Owner {
        // A secret is short, and no copy of it is left in a buffer.
        return write(&mut file);
    }
    let mut buffered = BufWriter::with_capacity(1 << 18, file);
    write(&mut buffered)?;
    buffered.flush()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(unix)]
fn permit(builder: &mut tempfile::Builder<'_, '_>, access: Access) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(match access {
        Access::Public => 0o666,
        Access::Owner => 0o600,
    }));
}

/// Elsewhere a new file has the rights of its folder.
#[cfg(not(unix))]
fn permit(_: &mut tempfile::Builder<'_, '_>, _: Access) {}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.bin");
        write_atomically(&path, Access::Public, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, Access::Public, |out| {
            out.write_all(&[0; 1 << 20])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["plan.bin"]);
    }

    #[test]
    fn of_files_created_at_once_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.sk");
        let staged = |content: u8| {
            Staged::write(&path, Access::Owner, |out| out.write_all(&[content])).unwrap()
        };
        let all = [1, 2, 3].map(staged);
        assert_eq!(names(folder.path()).len(), 3);
        let created = all.map(Staged::create);
        assert_eq!(created.iter().filter(|created| created.is_ok()).count(), 1);
        let taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        assert!(created.iter().flat_map(|created| created.as_ref().err()).all(taken));
        assert_eq!(fs::read(&path).unwrap(), [1]);
        assert_eq!(names(folder.path()), ["plan.sk"]);
    }

    #[test]
    fn errors_do_not_name_temporary_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("plan.bin");
        let error = write_atomically(&path, Access::Public, |out| out.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(".hecc-"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn secret_files_are_their_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.sk");
        // Even where a readable file of that name exists.
        fs::write(&path, b"old").unwrap();
        write_atomically(&path, Access::Owner, |out| out.write_all(b"secret")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_devices_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, Access::Public, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        write_atomically(Path::new("/dev/null"), Access::Public, |out| out.write_all(b"x"))
            .unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
