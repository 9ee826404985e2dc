//! Names of files that are found or written next to others.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files::stream::{check_inputs, check_named, name};
use crate::terminal::failure::hinted;

/// The secret key's file next to a plan, or in a folder: `plan.bin` has `plan.sk`, as have its parts.
pub(crate) fn secret_key(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(of_plan(plan, "sk"), folder)
}

/// The evaluation keys' file next to a plan, or in a folder: `plan.bin` has `plan.ek`, as have its parts.
pub(crate) fn evaluation_keys(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(of_plan(plan, "ek"), folder)
}

/// The public key's file next to a plan, or in a folder: `plan.bin` has `plan.pk`, as have its parts.
pub(crate) fn public_key(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(of_plan(plan, "pk"), folder)
}

/// The file of how long runs of a plan took, next to the plan: `plan.bin` has `plan.profile.json`, as have its parts.
pub(crate) fn run_profile(plan: &Path) -> PathBuf {
    of_plan(plan, "profile.json")
}

/// Words before the extension of a part: `plan.bin` has the parts `plan.client.bin` and `plan.server.bin`.
const CLIENT: &str = "client";
const SERVER: &str = "server";

/// The file of a plan's client part.
pub(crate) fn client_part(plan: &Path) -> PathBuf {
    part(plan, CLIENT)
}

/// The file of a plan's server part.
pub(crate) fn server_part(plan: &Path) -> PathBuf {
    part(plan, SERVER)
}

/// The file of a part, next to the plan or to its other part.
fn part(plan: &Path, word: &str) -> PathBuf {
    let mut extension = OsString::from(word);
    if let Some(own) = plan.extension() {
        extension.push(".");
        extension.push(own);
    }
    of_plan(plan, &extension)
}

fn of_plan(plan: &Path, extension: impl AsRef<OsStr>) -> PathBuf {
    let stem = plan.with_extension("");
    let is_part = stem.extension().is_some_and(|word| word == CLIENT || word == SERVER);
    if is_part { stem.with_extension(extension) } else { plan.with_extension(extension) }
}

/// The encrypted result of an encrypted input: `x.ct` has `x.out.ct`.
pub(crate) fn result_of(input: &Path) -> PathBuf {
    input.with_extension("out.ct")
}

/// Checks, before anything is read, that standard input is named once at most by a command that takes a plan, keys and
/// `inputs`; and that there is a place to look for keys if none are named.
pub(crate) fn check_streams(plan: &Path, keys: Option<&Path>, inputs: &[&Path]) -> Result<()> {
    if keys.is_none() {
        check_named(plan, "keys are looked for next to the file of their plan: --keys names them")?;
    }
    let all: Vec<&Path> = inputs.iter().copied().chain([plan]).chain(keys).collect();
    check_inputs(&all)
}

/// The secret key that was named, or the one next to the plan, which must then exist.
pub(crate) fn find_secret_key(named: Option<&Path>, plan: &Path) -> Result<PathBuf> {
    let again = format!("`hecc keygen {}` makes keys; --keys names keys elsewhere", name(plan));
    find(named, secret_key(plan, None), again)
}

/// The key to encrypt with that was named, or the one next to the plan, secret or public, which must then exist.
pub(crate) fn find_encryption_key(named: Option<&Path>, plan: &Path) -> Result<PathBuf> {
    let public = public_key(plan, None);
    if named.is_none() && !secret_key(plan, None).exists() && public.exists() {
        return Ok(public);
    }
    find_secret_key(named, plan)
}

/// The evaluation keys that were named, or those next to the plan, which must then exist.
pub(crate) fn find_evaluation_keys(named: Option<&Path>, plan: &Path) -> Result<PathBuf> {
    let only = if secret_key(plan, None).exists() { " --evaluation-only" } else { "" };
    let again =
        format!("`hecc keygen {}{only}` makes them; --keys names keys elsewhere", name(plan));
    find(named, evaluation_keys(plan, None), again)
}

fn find(named: Option<&Path>, expected: PathBuf, again: String) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    if expected.exists() {
        return Ok(expected);
    }
    Err(hinted(format!("there is no `{}`", name(&expected)), again))
}

fn in_folder(path: PathBuf, folder: Option<&Path>) -> PathBuf {
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_plan() {
        let plan = Path::new("a/plan.bin");
        assert_eq!(secret_key(plan, None), Path::new("a/plan.sk"));
        assert_eq!(evaluation_keys(plan, Some(Path::new("keys"))), Path::new("keys/plan.ek"));
        assert_eq!(public_key(Path::new("a/plan.server.bin"), None), Path::new("a/plan.pk"));
        assert_eq!(secret_key(Path::new("a/plan.client.bin"), None), Path::new("a/plan.sk"));
        assert_eq!(client_part(plan), Path::new("a/plan.client.bin"));
        assert_eq!(server_part(Path::new("a/plan.client.bin")), Path::new("a/plan.server.bin"));
        assert_eq!(server_part(Path::new("a.b/plan")), Path::new("a.b/plan.server"));
        assert_eq!(result_of(Path::new("b/x.ct")), Path::new("b/x.out.ct"));
    }
}
