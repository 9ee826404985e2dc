//! Names of files that are found or written beside others.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::hinted;

/// The secret key's file beside a plan, or in a folder: `plan.bin` has `plan.sk`.
pub(crate) fn secret_key(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(plan.with_extension("sk"), folder)
}

/// The evaluation keys' file beside a plan, or in a folder: `plan.bin` has `plan.ek`.
pub(crate) fn evaluation_keys(plan: &Path, folder: Option<&Path>) -> PathBuf {
    in_folder(plan.with_extension("ek"), folder)
}

/// The encrypted result of an encrypted input: `x.ct` has `x.out.ct`.
pub(crate) fn result_of(input: &Path) -> PathBuf {
    input.with_extension("out.ct")
}

/// The key file that was named, or the one beside the plan, which must then exist.
pub(crate) fn key_file(named: Option<&Path>, beside: PathBuf, plan: &Path) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None if beside.exists() => Ok(beside),
        None => Err(hinted(
            format!("there is no `{}`", beside.display()),
            format!("`hecc keygen {}` makes keys; --keys names keys elsewhere", plan.display()),
        )),
    }
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
