//! Arrays in `.npy` and `.npz` files.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hecc_grammar::envelope::kind_of_any_version;
use zip::ZipArchive;

use crate::data::foreign_file;
use crate::data::npy::{self, Array, read_npy};
use crate::files::{bytes_file, stream, wrong_file};
use crate::terminal::failure::hinted;

/// The arrays of one file. An `.npy` file has one, without a name.
pub(crate) struct ArrayFile {
    path: PathBuf,
    content: Content,
}

enum Content {
    Npy(Bytes),
    Npz(ZipArchive<Cursor<Bytes>>),
}

/// Whether a file is an archive of arrays, as far as its first bytes say.
pub(crate) fn is_archive(path: &Path) -> bool {
    !path.is_dir() && bytes_file::read(path).is_ok_and(|bytes| bytes.starts_with(b"PK"))
}

impl ArrayFile {
    /// Opens an `.npy` or `.npz` file.
    pub(crate) fn open(path: &Path) -> Result<ArrayFile> {
        let bytes = bytes_file::read(path)?;
        if let Some(kind) = kind_of_any_version(&bytes) {
            return Err(hinted(
                format!(
                    "{}: this holds {kind}, expected an array or an image",
                    stream::input_name(path)
                ),
                wrong_file::next_command(path, kind),
            ));
        }
        let content = if bytes.starts_with(b"PK") {
            let archive = ZipArchive::new(Cursor::new(bytes));
            let archive =
                archive.with_context(|| format!("{} is a damaged .npz", path.display()))?;
            let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
            if !names.iter().any(|name| name.ends_with(".npy")) {
                return Err(foreign_file::refused_archive(path, &names));
            }
            Content::Npz(archive)
        } else if bytes.starts_with(npy::MAGIC) {
            Content::Npy(bytes)
        } else {
            return Err(foreign_file::refused(path, &bytes));
        };
        Ok(ArrayFile { path: path.to_owned(), content })
    }

    /// The names of all arrays, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.content {
            Content::Npy(_) => vec![],
            Content::Npz(archive) => {
                archive.file_names().map(|name| name.trim_end_matches(".npy").to_owned()).collect()
            }
        };
        names.sort();
        names
    }

    /// The array of this name, if `accept` takes its shape; an `.npy` file's array goes by any name.
    pub(crate) fn read(
        &mut self,
        name: &str,
        accept: impl Fn(&[usize]) -> Result<()>,
    ) -> Result<Array> {
        let place = || format!("{}: array `{name}`", self.path.display());
        match &mut self.content {
            Content::Npy(bytes) => {
                read_npy(&bytes[..], accept).context(self.path.display().to_string())
            }
            Content::Npz(archive) => {
                let member = format!("{name}.npy");
                let index = archive.index_for_name(&member).or(archive.index_for_name(name));
                let Some(index) = index else { bail!("{} is missing", place()) };
                let member = archive.by_index(index).with_context(place)?;
                read_npy(member, accept).with_context(place)
            }
        }
    }

    /// The name of the array meant for a network's input: the one asked for, or the only one, or the one with the
    /// input's name, or `x`.
    pub(crate) fn choose(&self, wanted: Option<&str>, input: &str) -> Result<String> {
        let names = self.names();
        let has = |name: &str| names.iter().any(|n| n == name);
        if let (Content::Npy(_), None) = (&self.content, wanted) {
            return Ok(String::new());
        }
        match (wanted, &names[..]) {
            (Some(wanted), _) if has(wanted) => Ok(wanted.to_owned()),
            (None, [only]) => Ok(only.clone()),
            (None, _) if has(input) => Ok(input.to_owned()),
            (None, _) if has("x") => Ok("x".to_owned()),
            _ => Err(hinted(
                format!(
                    "{} has no array `{}`: it has {}",
                    self.path.display(),
                    wanted.unwrap_or(input),
                    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                ),
                format!("`{}:NAME` takes the array NAME", self.path.display()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::NpzWriter;

    #[test]
    fn arrays_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut npz = NpzWriter::new_compressed(std::fs::File::create(&path).unwrap());
        npz.add_array("x", &array![1.0, 2.0]).unwrap();
        npz.add_array("y", &array![3i64]).unwrap();
        npz.finish().unwrap();
        let mut file = ArrayFile::open(&path).unwrap();
        assert_eq!(file.names(), ["x", "y"]);
        assert_eq!(file.choose(None, "image").unwrap(), "x");
        assert_eq!(file.choose(Some("y"), "image").unwrap(), "y");
        let error = file.choose(Some("z"), "image").unwrap_err().to_string();
        assert!(error.ends_with("a.npz has no array `z`: it has x, y"), "{error}");
        let any = |_: &[usize]| Ok(());
        assert_eq!(file.read("y", any).unwrap().data, array![3.0].into_dyn());
        assert!(file.read("z", any).unwrap_err().to_string().ends_with("array `z` is missing"));
    }
}
