//! Runs a plan on ciphertexts.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hecc_grammar::plan::{Op, Scheme, VerifiedPlan};
use rayon::prelude::*;

use crate::error::RunError;
use crate::rlwe::{Ciphertext, Context, EvaluationKeys, FreshCiphertext};
use crate::scheme::bfv::Multiplier;

use super::executor::{Computed, Execution, Progress, Saver, execute};
use super::factors::Factors;
use super::processors::{Data, Processors};
use super::shared::Shared;
use super::snapshot::{self, Keeper, Snapshot, Snapshots};

/// How a plan is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of threads, at least 1.
    pub threads: usize,
    /// Encoded plaintexts are kept from run to run while they take no more than this many bytes. Those that a run uses more than
    /// once are kept from the first use to the last in any case.
    pub cache_bytes: usize,
}

/// A plan ready to run with a set of keys; may be used for any number of inputs.
pub struct Evaluator<'a> {
    pub(super) plan: Shared<'a, VerifiedPlan>,
    bundles: Vec<Range<usize>>,
    pub(super) keys: Shared<'a, EvaluationKeys>,
    pub(super) context: Context,
    pub(super) factors: Factors,
    pub(super) multiplier: Option<Multiplier>,
    /// BFV: for each plaintext prime, the correction factor of each value.
    pub(super) correction_factors: Vec<Vec<u64>>,
    pub(super) pool: rayon::ThreadPool,
    /// Nanoseconds spent on each instruction, in all runs.
    spent: Vec<AtomicU64>,
}

impl<'a> Evaluator<'a> {
    /// Prepares a plan and its keys.
    ///
    /// # Errors
    /// If a key that the plan needs is missing, or no threads can be started.
    pub fn new(
        plan: impl Into<Shared<'a, VerifiedPlan>>,
        keys: impl Into<Shared<'a, EvaluationKeys>>,
        options: Options,
    ) -> Result<Evaluator<'a>, RunError> {
        let (plan, keys) = (plan.into(), keys.into());
        keys.check(&plan)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
        let pool = pool.map_err(|error| RunError::Threads { wanted: options.threads, error })?;
        let context = pool.install(|| Context::new(&plan));
        let factors = pool.install(|| Factors::new(&plan, options.cache_bytes));
        let multiplier = (plan.params.scheme() == Scheme::Bfv)
            .then(|| pool.install(|| Multiplier::new(&plan, &context.ring)));
        let corrections = |&t: &u64| plan.correction_factors(t).expect("a verified plan has them");
        Ok(Evaluator {
            bundles: plan.bundles(),
            correction_factors: plan.params.t().iter().map(corrections).collect(),
            spent: plan.ops.iter().map(|_| AtomicU64::new(0)).collect(),
            plan,
            keys,
            context,
            factors,
            multiplier,
            pool,
        })
    }

    /// The ciphertexts of what a client sent.
    pub fn expand(&self, inputs: Vec<FreshCiphertext>) -> Vec<Ciphertext> {
        let expand = |input: FreshCiphertext| input.expand(&self.context.ring);
        self.pool.install(|| inputs.into_par_iter().map(expand).collect())
    }

    /// Runs the plan on the ciphertexts of its inputs and returns those of its outputs; with several plaintext primes
    /// those of the first come first.
    ///
    /// # Errors
    /// If the ciphertexts are not those that the plan declares.
    pub fn run(
        &self,
        inputs: Vec<Ciphertext>,
        progress: Progress<'_>,
    ) -> Result<Vec<Ciphertext>, RunError> {
        self.run_from(Snapshot::default(), inputs, progress, None)
    }

    /// As [`run`](Self::run), from where a run on the same inputs stood; `keeper` takes further snapshots.
    ///
    /// # Errors
    /// If the ciphertexts are not those that the plan declares, or the snapshot is of another plan.
    pub fn run_from(
        &self,
        start: Snapshot,
        inputs: Vec<Ciphertext>,
        progress: Progress<'_>,
        keeper: Option<&dyn Keeper>,
    ) -> Result<Vec<Ciphertext>, RunError> {
        self.check_inputs(&inputs)?;
        snapshot::check(&start, &self.plan, &self.bundles)?;
        let inputs: Vec<Arc<Ciphertext>> = inputs.into_iter().map(Arc::new).collect();
        let Snapshot { mut outputs, done, values } = start;
        let of_value = |(value, data)| (value, Arc::new(Data::Ciphertext(data)));
        let mut start = (!done.is_empty())
            .then(|| Computed { done, values: values.into_iter().map(of_value).collect() });
        let first = outputs.len() / self.plan.output_values().count();
        for instance in first..self.plan.params.n_instances() {
            let per_instance = self.plan.n_input_ciphertexts();
            let inputs = &inputs[instance * per_instance..][..per_instance];
            let saver = keeper.map(|keeper| Snapshots {
                plan: &self.plan,
                keys: &self.keys,
                outputs: &outputs,
                keeper,
            });
            let saver = saver.as_ref().map(|saver| saver as &dyn Saver<Data>);
            let backend = Processors { evaluator: self, inputs, instance };
            let results = self.run_instance(&backend, start.take(), progress, saver);
            self.keys.check_stored()?;
            outputs.extend(results);
        }
        Ok(outputs.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    fn check_inputs(&self, inputs: &[Ciphertext]) -> Result<(), RunError> {
        let per_instance = self.plan.n_input_ciphertexts();
        let expected = per_instance * self.plan.params.n_instances();
        if inputs.len() != expected {
            return Err(RunError::InputCount { found: inputs.len(), expected });
        }
        for (value, op) in self.plan.values() {
            if let Op::Input(index) = op {
                let mut instances = inputs.iter().skip(*index as usize).step_by(per_instance);
                if instances.any(|input| input.ty != self.plan.ty(value)) {
                    return Err(RunError::InputType { index: *index });
                }
            }
        }
        Ok(())
    }

    fn run_instance(
        &self,
        backend: &Processors<'_>,
        start: Option<Computed<Data>>,
        progress: Progress<'_>,
        saver: Option<&dyn Saver<Data>>,
    ) -> Vec<Arc<Ciphertext>> {
        let (n_ops, n_instances) = (self.plan.ops.len(), self.plan.params.n_instances());
        let progress =
            |done: usize, _: usize| progress(backend.instance * n_ops + done, n_instances * n_ops);
        let execution = Execution {
            progress: &progress,
            spent: &self.spent,
            start,
            saver,
            ..Execution::new(&self.plan, &self.bundles)
        };
        execute(backend, execution).iter().map(|data| data.ciphertext().clone()).collect()
    }

    /// The time spent on each instruction so far, in all runs. With several threads one that waits for the limbs of its
    /// instruction may work on those of another, which counts for both.
    pub fn times(&self) -> Vec<Duration> {
        self.spent.iter().map(|spent| Duration::from_nanos(spent.load(Ordering::Relaxed))).collect()
    }

    /// The part of [`times`](Self::times) that encoding plaintexts took, summed over threads.
    pub fn encoding_time(&self) -> Duration {
        self.factors.time()
    }
}
