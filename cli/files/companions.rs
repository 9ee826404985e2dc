//! Names of files that are found or written next to others.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files::stream::{check_inputs, check_named, name};
use crate::terminal::failure::hinted;

/// The secret key's file next to a plan, or in a folder: `plan.bin` has `plan.sk`.
pub(crate) fn secret_key(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(plan.with_extension("sk"), folder)
}

/// The evaluation keys' file next to a plan, or in a folder: `plan.bin` has `plan.ek`.
pub(crate) fn evaluation_keys(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(plan.with_extension("ek"), folder)
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
        assert_eq!(result_of(Path::new("b/x.ct")), Path::new("b/x.out.ct"));
    }
}
