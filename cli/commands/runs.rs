//! The runs of a plan on all that an input holds, from where an interrupted command stood.

use std::time::{Duration, Instant};

use anyhow::Result;
use hecc_grammar::plan::Plan;
use hecc_runtime::eval::{Evaluator, Keeper, Snapshot};
use hecc_runtime::file::Checkpoint;
use hecc_runtime::rlwe::{Ciphertext, FreshCiphertext};

use crate::files::checkpoint::{CheckpointFolder, Checkpoints, Subject};
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::units;

/// What is run, and where it is written how far that is.
pub(super) struct Runs<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) subject: &'a Subject<'a>,
    pub(super) folder: Option<&'a CheckpointFolder>,
    /// The least time between checkpoints.
    pub(super) period: Duration,
    pub(super) console: &'a Console,
}

/// What came out.
pub(super) struct Ran {
    /// The output ciphertexts of each run.
    pub(super) outputs: Vec<Vec<Ciphertext>>,
    /// Of each run that was not finished before.
    pub(super) seconds: Vec<f64>,
    /// Instructions that an earlier command had executed.
    pub(super) n_before: usize,
}

impl Runs<'_> {
    /// Runs the plan on each set.
    pub(super) fn all(&self, sets: Vec<Vec<FreshCiphertext>>) -> Result<Ran> {
        let plan: &Plan = self.subject.plan;
        let n_steps = plan.ops.len() * plan.params.n_instances();
        let (mut outputs, start) = self.start()?;
        let n_before = outputs.len() * n_steps + steps_done(plan, &start);
        self.tell(n_before, sets.len() * n_steps);
        let checkpoints = self
            .folder
            .map(|folder| Checkpoints::new(folder, self.subject, self.period, self.console));
        let bar = Progress::new(self.console, "run", sets.len() * n_steps);
        let (mut start, mut seconds) = (Some(start), vec![]);
        for (i, set) in sets.into_iter().enumerate().skip(outputs.len()) {
            let begin = Instant::now();
            let start = start.take().unwrap_or_default();
            let keeper = checkpoints.as_ref().map(|checkpoints| checkpoints.after(&outputs));
            let keeper = keeper.as_ref().map(|keeper| keeper as &dyn Keeper);
            let progress = |done, _| bar.set(i * n_steps + done);
            let inputs = self.evaluator.expand(set);
            let results = self.evaluator.run_from(start, inputs, &progress, keeper)?;
            outputs.push(results);
            seconds.push(begin.elapsed().as_secs_f64());
        }
        Ok(Ran { outputs, seconds, n_before })
    }

    /// Outputs of runs that were finished before, and where the next one stands.
    fn start(&self) -> Result<(Vec<Vec<Ciphertext>>, Snapshot)> {
        let found = self.folder.map(|folder| folder.read(self.subject)).transpose()?.flatten();
        Ok(match found {
            Some(Checkpoint { finished, snapshot, .. }) => (finished.into_owned(), snapshot),
            None => (vec![], Snapshot::default()),
        })
    }

    fn tell(&self, n_before: usize, n_steps: usize) {
        if let Some(folder) = self.folder.filter(|_| n_before > 0) {
            let share = units::percent(n_before, n_steps);
            self.console.note(format!("going on from `{}`: {share} are done", folder.name()));
        }
    }
}

/// Instructions that need not be executed any more in the run that goes on.
fn steps_done(plan: &Plan, start: &Snapshot) -> usize {
    let finished = start.outputs.len() / plan.output_values().count() * plan.ops.len();
    finished + start.done.iter().filter(|done| **done).count()
}
