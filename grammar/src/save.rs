//! Files that are either whole or absent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whom the process's umask allows.
    Public,
    /// Its owner only (mode 0600): secret keys.
    Owner,
}

/// Writes a file through `write`: under a temporary name in the same folder, synced, then renamed. On an error nothing
/// is left behind and an older file of that name stays. A path that exists but is no regular file (a pipe, a terminal)
/// is written directly.
pub fn write_atomically(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|existing| !existing.is_file()) {
        return write_all(&fs::OpenOptions::new().write(true).open(path)?, write);
    }
    // A link keeps pointing to what it points to; the file behind it is replaced.
    let target = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let folder = folder_of(&target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hecc-").suffix(".tmp");
    permit(&mut builder, access);
    let temporary = builder.tempfile_in(&folder)?;
    write_all(temporary.as_file(), write)?;
    temporary.as_file().sync_all()?;
    temporary.persist(&target).map_err(|failed| failed.error)?;
    sync_folder(&folder)
}

fn write_all(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
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
