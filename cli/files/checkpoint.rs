//! The folder of `--checkpoint`: where a run stands, so that one that was interrupted goes on.

use std::borrow::Cow;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hecc_grammar::envelope::Origin;
use hecc_grammar::plan::VerifiedPlan;
use hecc_runtime::eval::{Keeper, Snapshot};
use hecc_runtime::file::{Checkpoint, RunSource, read_checkpoint, write_checkpoint};
use hecc_runtime::rlwe::Ciphertext;

use crate::files::bytes_file;
use crate::files::output::cannot_write;
use crate::files::save::{Access, write_atomically};
use crate::files::stream::{check_named, name};
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;

/// The file in the folder.
const FILE: &str = "run.checkpoint";
/// Of the time of a run, writing checkpoints takes at most one part in so many on one of its threads.
const SHARE: u32 = 20;

/// A folder that no other run uses meanwhile.
pub(crate) struct CheckpointFolder {
    file: PathBuf,
    #[expect(dead_code, reason = "the lock ends when the folder is closed, also by a kill")]
    lock: Option<File>,
}

/// What is run: of anything else a checkpoint is refused.
pub(crate) struct Subject<'r> {
    pub(crate) plan: &'r VerifiedPlan,
    /// The plan and the key.
    pub(crate) origin: Origin,
    pub(crate) source: RunSource,
    /// Runs of the plan.
    pub(crate) n_runs: usize,
}

impl CheckpointFolder {
    /// Makes the folder if there is none. Where folders cannot be locked, they are not.
    pub(crate) fn open(path: &Path) -> Result<CheckpointFolder> {
        check_named(path, "--checkpoint takes a folder")?;
        let cannot = || format!("cannot use the folder `{}` for checkpoints", name(path));
        std::fs::create_dir_all(path).with_context(cannot)?;
        let folder = File::open(path).with_context(cannot)?;
        let lock = match folder.try_lock() {
            Ok(()) => Some(folder),
            Err(TryLockError::Error(_)) => None,
            Err(TryLockError::WouldBlock) => {
                return Err(hinted(
                    format!("another `hecc run` keeps its checkpoints in `{}`", name(path)),
                    "give --checkpoint a folder of its own for each run that goes on at the same time",
                ));
            }
        };
        Ok(CheckpointFolder { file: path.join(FILE), lock })
    }

    /// Where an interrupted run of the same stood, if there is one.
    pub(crate) fn read(&self, subject: &Subject<'_>) -> Result<Option<Checkpoint<'static>>> {
        if !self.file.exists() {
            return Ok(None);
        }
        let bytes = bytes_file::read(&self.file)?;
        let read = read_checkpoint(subject.plan, subject.origin, subject.n_runs, bytes);
        let checkpoint = read.map_err(|error| self.refused(error.to_string()))?;
        for (what, found, expected) in [
            ("the input", checkpoint.source.input, subject.source.input),
            ("the evaluation keys", checkpoint.source.keys, subject.source.keys),
        ] {
            if found != expected {
                let what = format!(
                    "it is of a run with other files: {what} had checksum {found}, now it is {expected}"
                );
                return Err(self.refused(what));
            }
        }
        Ok(Some(checkpoint))
    }

    fn refused(&self, what: String) -> anyhow::Error {
        hinted(
            format!("`{}`: {what}", name(&self.file)),
            "finish that run with its own files, or give --checkpoint another folder; without the file a run starts from \
             the beginning",
        )
    }

    /// Removes what a finished run does not need any more.
    pub(crate) fn clear(&self) -> Result<()> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
                .with_context(|| format!("cannot remove `{}`: the run is done", name(&self.file))),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The name of the file, for messages.
    pub(crate) fn name(&self) -> String {
        name(&self.file)
    }
}

/// Writes checkpoints of a run, one from time to time.
pub(crate) struct Checkpoints<'r> {
    folder: &'r CheckpointFolder,
    subject: &'r Subject<'r>,
    console: &'r Console,
    /// The least time between them.
    period: Duration,
    state: Mutex<State>,
}

struct State {
    next: Instant,
    has_failed: bool,
}

impl<'r> Checkpoints<'r> {
    /// The first after `period`.
    pub(crate) fn new(
        folder: &'r CheckpointFolder,
        subject: &'r Subject<'r>,
        period: Duration,
        console: &'r Console,
    ) -> Checkpoints<'r> {
        let state = Mutex::new(State { next: Instant::now() + period, has_failed: false });
        Checkpoints { folder, subject, console, period, state }
    }

    /// Those of the run that comes after those that gave `finished`.
    pub(crate) fn after<'a>(&'a self, finished: &'a [Vec<Ciphertext>]) -> AfterRuns<'a> {
        AfterRuns { checkpoints: self, finished }
    }

    fn write(&self, finished: &[Vec<Ciphertext>], snapshot: Snapshot) -> Result<()> {
        let Subject { plan, origin, source, .. } = self.subject;
        let finished = Cow::Borrowed(finished);
        let checkpoint = Checkpoint { source: *source, finished, snapshot };
        let path = &self.folder.file;
        write_atomically(path, Access::Public, |out| {
            write_checkpoint(plan, *origin, &checkpoint, out)
        })
        .with_context(|| cannot_write(path))
    }
}

/// See [`Checkpoints::after`].
pub(crate) struct AfterRuns<'a> {
    checkpoints: &'a Checkpoints<'a>,
    finished: &'a [Vec<Ciphertext>],
}

impl Keeper for AfterRuns<'_> {
    fn is_due(&self) -> bool {
        // While one is written no other is due.
        self.checkpoints.state.try_lock().is_ok_and(|state| Instant::now() >= state.next)
    }

    fn keep(&self, snapshot: Snapshot) {
        let all = self.checkpoints;
        let Ok(mut state) = all.state.try_lock() else { return };
        let start = Instant::now();
        let written = all.write(self.finished, snapshot);
        // Who wants one after each instruction gets it.
        let share = if all.period.is_zero() { Duration::ZERO } else { start.elapsed() * SHARE };
        state.next = Instant::now() + all.period.max(share);
        // The run is worth more than its checkpoints: it goes on without.
        if let Err(error) = written
            && !std::mem::replace(&mut state.has_failed, true)
        {
            all.console.warn(format!("{error:#}: the run goes on, an older checkpoint stays"));
        }
    }
}
