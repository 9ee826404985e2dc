//! Where a command writes: a file that is whole or absent and destroys nothing, or standard output.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hecc_grammar::envelope::{Kind, kind_of_any_version};

use crate::files::save::{Access, check_place, write_atomically};
use crate::files::stream;
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;

/// What a command writes, and so the only thing that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A plan.
    Plan,
    /// The client part of a plan.
    ClientPart,
    /// The server part of a plan.
    ServerPart,
    /// An encrypted input or result.
    Ciphertext,
    /// An `.npy` or `.npz` file.
    Arrays,
    /// A network, as ONNX.
    Network,
}

/// How a field that holds the version of ONNX begins.
const IR_VERSION: u8 = 8;

impl Content {
    fn name(self) -> &'static str {
        match self {
            Content::Plan => "plan",
            Content::ClientPart => "client part of a plan",
            Content::ServerPart => "server part of a plan",
            Content::Ciphertext => "ciphertext",
            Content::Arrays => ".npy or .npz file",
            Content::Network => "network in ONNX",
        }
    }

    /// Whether a file that begins so is one of these.
    fn is_of(self, head: &[u8]) -> bool {
        match (self, kind_of_any_version(head)) {
            (Content::Plan, Some(Kind::Plan))
            | (Content::ClientPart, Some(Kind::ClientPart))
            | (Content::ServerPart, Some(Kind::ServerPart)) => true,
            (Content::Ciphertext, Some(Kind::Input | Kind::Result)) => true,
            (Content::Arrays, None) => head.starts_with(b"\x93NUMPY") || head.starts_with(b"PK"),
            // Its first field is the version of the format.
            (Content::Network, None) => head.first() == Some(&IR_VERSION),
            _ => false,
        }
    }
}

/// A place to write to that was checked.
pub(crate) struct Output {
    path: PathBuf,
    is_stdout: bool,
}

impl Output {
    /// Checks that nothing but an older file of the same kind would be lost: before the work, which may take long.
    /// `inputs` are the files that the same command reads, with what they are.
    pub(crate) fn new(path: &Path, content: Content, inputs: &[(&Path, &str)]) -> Result<Output> {
        Output::named("-o", path, content, inputs)
    }

    /// The same for a file that another option than `-o` names.
    pub(crate) fn named(
        option: &str,
        path: &Path,
        content: Content,
        inputs: &[(&Path, &str)],
    ) -> Result<Output> {
        let output = Output { path: path.to_owned(), is_stdout: stream::is_stdout(path) };
        if output.is_stdout {
            ensure!(
                !io::stdout().is_terminal(),
                "a {} is no text for a terminal: redirect it to a file or into a pipe",
                content.name()
            );
            return Ok(output);
        }
        for (input, what) in inputs {
            if is_same(path, input) {
                let message =
                    format!("`{}` is {what} and would be overwritten", stream::name(path));
                let hint = format!("{option} names the file to write: give it another name");
                return Err(hinted(message, hint));
            }
        }
        check_replaced(option, path, content)?;
        if std::fs::metadata(path).map_or(true, |found| found.is_file()) {
            check_place(path).with_context(|| cannot_write(path))?;
        }
        Ok(output)
    }

    /// Writes the file.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        if self.is_stdout {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            return Ok(out.flush()?);
        }
        write_file(&self.path, bytes)
    }

    /// How to print what is not the file.
    pub(crate) fn console(&self, console: &Console) -> Console {
        Console { stdout_is_taken: self.is_stdout, ..*console }
    }

    /// The path for messages.
    pub(crate) fn name(&self) -> String {
        if self.is_stdout { "standard output".to_owned() } else { stream::name(&self.path) }
    }
}

/// Writes a file that is whole or absent.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, Access::Public, |out| out.write_all(bytes))
        .with_context(|| cannot_write(path))
}

/// The error of a file that cannot be written.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", stream::name(path))
}

/// Checks that the folder that a file would be in exists.
pub(crate) fn check_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => {
            bail!("{}: there is no folder `{}`", cannot_write(path), stream::name(folder))
        }
        _ => Ok(()),
    }
}

/// Whether two paths lead to the same file, under whatever names, also where there is none yet.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let (Some(a), Some(b)) = (resolved(a), resolved(b)) else { return false };
    a == b || is_same_node(&a, &b)
}

/// A path without detours.
fn resolved(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok().or_else(|| {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = std::fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    })
}

#[cfg(unix)]
fn is_same_node(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let node = |path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    node(a).is_some_and(|a| Some(a) == node(b))
}

/// Elsewhere hard links are not told apart.
#[cfg(not(unix))]
fn is_same_node(_: &Path, _: &Path) -> bool {
    false
}

/// Bytes that tell what a file is.
const HEAD: u64 = 16;

/// The first bytes of a regular file.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = vec![];
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.with_context(|| {
        format!("cannot read `{}`, which would be overwritten", stream::name(path))
    })?;
    Ok(head)
}

/// Checks what is there already: nothing, something empty, an older file of the same kind, or no regular file.
fn check_replaced(option: &str, path: &Path, content: Content) -> Result<()> {
    let Ok(found) = std::fs::metadata(path) else { return check_folder(path) };
    ensure!(!found.is_dir(), "`{}` is a folder, expected a file to write", stream::name(path));
    if !found.is_file() || found.len() == 0 {
        return Ok(());
    }
    let head = head(path)?;
    if content.is_of(&head) {
        return Ok(());
    }
    let what = match kind_of_any_version(&head) {
        Some(kind) => format!("holds {kind}"),
        None => format!("exists and is no {}", content.name()),
    };
    Err(hinted(
        format!("`{}` {what}: it is not overwritten", stream::name(path)),
        format!(
            "{option} names the {} to write: give another name, or remove the file first",
            content.name()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::envelope::{Fingerprint, KeyId, Origin, seal};

    fn refusal(path: &Path, content: Content, inputs: &[(&Path, &str)]) -> String {
        match Output::new(path, content, inputs) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_files_of_the_same_kind_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let origin = Origin { plan: Fingerprint([1; 32]), key: KeyId([2; 16]) };
        let old = |kind| {
            let mut file = seal(kind, origin, b"x");
            file[8] = 1;
            file
        };
        for (file, right, wrong) in [
            (old(Kind::Plan), Some(Content::Plan), "holds a plan"),
            (old(Kind::ClientPart), Some(Content::ClientPart), "holds the client part of a plan"),
            (old(Kind::ServerPart), Some(Content::ServerPart), "holds the server part of a plan"),
            (old(Kind::PublicKey), None, "holds a public key"),
            (old(Kind::SecretKey), None, "holds a secret key"),
            (old(Kind::EvaluationKeys), None, "holds evaluation keys"),
            (old(Kind::Result), Some(Content::Ciphertext), "holds an encrypted result"),
            (b"\x93NUMPY more".to_vec(), Some(Content::Arrays), "exists and is no"),
            (b"\x08\x07 a network".to_vec(), None, "exists and is no"),
        ] {
            std::fs::write(&path, file).unwrap();
            for content in [
                Content::Plan,
                Content::ClientPart,
                Content::ServerPart,
                Content::Ciphertext,
                Content::Arrays,
            ] {
                let refusal = refusal(&path, content, &[]);
                assert_eq!(refusal.is_empty(), Some(content) == right, "{content:?}: {refusal}");
                assert!(refusal.is_empty() || refusal.contains(wrong), "{refusal}");
            }
        }
        std::fs::write(&path, b"").unwrap();
        assert_eq!(refusal(&path, Content::Plan, &[]), "");
        assert!(refusal(folder.path(), Content::Plan, &[]).contains("is a folder"));
        assert!(refusal(&path.join("x"), Content::Plan, &[]).contains("there is no folder"));
    }

    #[cfg(unix)]
    #[test]
    fn inputs_are_known_under_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let [input, soft, hard] = ["in", "soft", "hard"].map(|name| folder.path().join(name));
        std::fs::write(&input, b"").unwrap();
        std::os::unix::fs::symlink(&input, &soft).unwrap();
        std::fs::hard_link(&input, &hard).unwrap();
        for path in [&input, &soft, &hard, &folder.path().join(".").join("in")] {
            let refusal = refusal(path, Content::Plan, &[(&input, "the network that is read")]);
            assert!(refusal.contains("is the network that is read and would be"), "{refusal}");
        }
    }
}
