//! The key files of a plan, put in their places together: of several made at once one set stays, and nothing is replaced
//! unasked.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hecc_grammar::envelope::{Kind, kind_of_any_version};

use crate::files::output::{cannot_write, check_folder, head, is_same};
use crate::files::save::{Placed, Staged, together};
use crate::files::stream::name;
use crate::terminal::failure::hinted;

/// Where the keys of a plan are to be.
pub(crate) struct KeyPair {
    pub(crate) secret: PathBuf,
    pub(crate) evaluation: PathBuf,
    /// If one is wanted.
    pub(crate) public: Option<PathBuf>,
    /// How the command names the plan, for hints.
    pub(crate) plan: PathBuf,
}

/// What is published of a key, written and not yet in its place.
pub(crate) struct Published {
    pub(crate) evaluation: Staged,
    /// If one is wanted.
    pub(crate) public: Option<Staged>,
}

impl KeyPair {
    /// Checks that a new pair can be made, which replaces keys only if `replace`.
    pub(crate) fn check_new(&self, replace: bool) -> Result<()> {
        let secret = self.check(&self.secret, Kind::SecretKey)?;
        let evaluation = self.check(&self.evaluation, Kind::EvaluationKeys)?;
        self.check_public(replace)?;
        let public = if self.public.is_some() { " --public" } else { "" };
        match (secret, evaluation) {
            _ if replace => Ok(()),
            (true, true) if self.public.is_some() => Err(hinted(
                format!(
                    "there is a secret key in `{}` already, without a public key",
                    name(&self.secret)
                ),
                format!(
                    "`hecc keygen {} --evaluation-only --force --public` makes one for it, and its evaluation keys again",
                    name(&self.plan)
                ),
            )),
            (true, true) => Err(hinted(
                format!("there is a secret key in `{}` already", name(&self.secret)),
                "what it encrypted cannot be read without it; --force replaces it and its evaluation keys, --out DIR writes \
                 elsewhere",
            )),
            (true, false) => Err(hinted(
                format!(
                    "there is a secret key in `{}` already, without evaluation keys",
                    name(&self.secret)
                ),
                format!(
                    "`hecc keygen {} --evaluation-only{public}` makes evaluation keys for it; --force makes another pair, and what \
                     the old key encrypted cannot be read any more",
                    name(&self.plan)
                ),
            )),
            (false, true) => Err(hinted(
                format!(
                    "there are evaluation keys in `{}` already, without their secret key",
                    name(&self.evaluation)
                ),
                "--force replaces them by those of a new secret key, --out DIR writes elsewhere",
            )),
            (false, false) => Ok(()),
        }
    }

    /// Checks that evaluation keys of the secret key that is there can be made, which replaces older ones only if
    /// `replace`.
    pub(crate) fn check_evaluation_only(&self, replace: bool) -> Result<()> {
        if !self.check(&self.secret, Kind::SecretKey)? {
            return Err(hinted(
                format!("there is no secret key in `{}`", name(&self.secret)),
                format!("`hecc keygen {}` makes both files", name(&self.plan)),
            ));
        }
        if self.check(&self.evaluation, Kind::EvaluationKeys)? && !replace {
            return Err(hinted(
                format!("there are evaluation keys in `{}` already", name(&self.evaluation)),
                "--force replaces them",
            ));
        }
        self.check_public(replace)
    }

    /// Checks that a public key can be made, if one is wanted.
    fn check_public(&self, replace: bool) -> Result<()> {
        let Some(path) = &self.public else { return Ok(()) };
        if self.check(path, Kind::PublicKey)? && !replace {
            return Err(hinted(
                format!("there is a public key in `{}` already", name(path)),
                "--force replaces it, --out DIR writes elsewhere",
            ));
        }
        Ok(())
    }

    /// Puts all files in their places, the secret key first.
    pub(crate) fn place(&self, secret: Staged, published: Published, replace: bool) -> Result<()> {
        let folder = self.secret.parent().filter(|folder| *folder != Path::new(""));
        let _alone = Alone::in_folder(folder.unwrap_or(Path::new(".")));
        self.check_new(replace)?;
        let published = self.with_paths(published);
        together(|| {
            if replace {
                let secret = secret.replace().with_context(|| cannot_write(&self.secret))?;
                let mut placed = vec![secret];
                for (path, staged) in published {
                    placed.push(staged.replace().map_err(|error| self.only_secret(path, &error))?);
                }
                return self.sync(placed);
            }
            let mut placed = vec![];
            for (path, staged) in std::iter::once((&self.secret, secret)).chain(published) {
                match staged.create() {
                    Ok(file) => placed.push((path, file)),
                    Err(error) => {
                        // Nobody has used them yet.
                        let mut paths = placed.iter().map(|(path, _)| path);
                        let removed = paths.all(|path| std::fs::remove_file(path).is_ok());
                        return Err(match removed {
                            true => self.taken(path, error),
                            false => self.only_secret(path, &error),
                        });
                    }
                }
            }
            self.sync(placed.into_iter().map(|(_, file)| file).collect())
        })
    }

    /// Waits for the disk when all files are in their places: none is taken back for its sake.
    fn sync(&self, placed: Vec<Placed>) -> Result<()> {
        let synced = placed.into_iter().try_for_each(Placed::sync);
        synced.with_context(|| {
            let secret = name(&self.secret);
            format!(
                "the keys are in place, `{secret}` and others, but may be lost if power fails now"
            )
        })
    }

    /// Puts what is published next to the secret key that is there.
    pub(crate) fn place_published(&self, published: Published, replace: bool) -> Result<()> {
        self.with_paths(published).into_iter().try_for_each(|(path, staged)| {
            let placed = if replace { staged.replace() } else { staged.create() };
            placed.and_then(Placed::sync).map_err(|error| self.taken(path, error))
        })
    }

    fn with_paths(&self, published: Published) -> Vec<(&PathBuf, Staged)> {
        let public = self.public.iter().zip(published.public);
        std::iter::once((&self.evaluation, published.evaluation)).chain(public).collect()
    }

    /// Whether there is a key of this kind. Nothing else is ever replaced.
    fn check(&self, path: &Path, expected: Kind) -> Result<bool> {
        if is_same(path, &self.plan) {
            bail!("the plan is called `{}` as its key would be: rename it", name(path));
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => bail!("`{}` is in the place of {expected}, and is no file", name(path)),
            Err(_) if path.is_symlink() => {
                bail!("`{}` is a link that leads nowhere, in the place of {expected}", name(path))
            }
            Err(_) => return check_folder(path).map(|()| false),
        }
        match kind_of_any_version(&head(path)?) {
            Some(found) if found == expected => Ok(true),
            found => {
                let what =
                    found.map_or_else(|| "no file of hecc".to_owned(), |kind| kind.to_string());
                Err(hinted(
                    format!("`{}` is in the place of {expected}, and is {what}", name(path)),
                    "--out DIR writes elsewhere; or move that file first",
                ))
            }
        }
    }

    /// The error of a file that could not be put in its place, while the others are not there either.
    fn taken(&self, path: &Path, error: io::Error) -> anyhow::Error {
        if error.kind() == ErrorKind::AlreadyExists {
            let message =
                format!("`{}` was made by someone else meanwhile: no key was made", name(path));
            return hinted(
                message,
                "use the keys that are there, or write elsewhere with --out DIR",
            );
        }
        anyhow::Error::new(error).context(cannot_write(path))
    }

    fn only_secret(&self, missing: &Path, error: &io::Error) -> anyhow::Error {
        let (what, public) = match self.public.as_deref() == Some(missing) {
            true => ("public key", " --public"),
            false => ("evaluation keys", ""),
        };
        hinted(
            format!(
                "`{}` is a new secret key, but its {what} could not be written to `{}`: {error}",
                name(&self.secret),
                name(missing)
            ),
            format!(
                "`hecc keygen {} --evaluation-only --force{public}` makes what is missing",
                name(&self.plan)
            ),
        )
    }
}

/// While it exists, no other `hecc keygen` puts keys into the folder. Where folders cannot be locked it does nothing:
/// files are still created one by one, and keys of two pairs are told apart by their id.
struct Alone(#[expect(dead_code, reason = "the lock ends when the folder is closed")] Option<File>);

impl Alone {
    fn in_folder(folder: &Path) -> Alone {
        let locked = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        Alone(locked.ok())
    }
}
