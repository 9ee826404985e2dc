//! Where a run stands: taken while it goes on, and enough to go on from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hecc_grammar::plan::{Op, Plan, Value};

use crate::error::RunError;
use crate::rlwe::{Ciphertext, EvaluationKeys};

use super::executor::{Computed, Saver};
use super::processors::Data;

/// What a run on one input has computed and still needs. Of the same plan, keys and inputs, a run that goes on from it gives
/// the bits of one that was never interrupted. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The outputs for the plaintext primes that are done with, in the order of the plan.
    pub outputs: Vec<Arc<Ciphertext>>,
    /// For the next prime, or the only one: of each instruction, whether it is done with. None at all are before the first.
    pub done: Vec<bool>,
    /// Results that are [`needed`].
    pub values: BTreeMap<Value, Arc<Ciphertext>>,
}

/// Takes snapshots of a run.
pub trait Keeper: Sync {
    /// Whether to take one now: asked after each instruction.
    fn is_due(&self) -> bool;

    /// Takes one, on a thread of the run, while the others go on.
    fn keep(&self, snapshot: Snapshot);
}

/// The results of instructions that are done with which the others read, or the client.
pub fn needed(plan: &Plan, done: &[bool]) -> Vec<Value> {
    let mut is_needed = vec![false; plan.ops.len()];
    let to_do = plan.values().filter(|(value, _)| !done[value.index()]);
    let read = to_do.flat_map(|(_, op)| op.operands().to_vec());
    read.chain(plan.output_values()).for_each(|value| is_needed[value.index()] = true);
    let needed = |value: &Value| done[value.index()] && is_needed[value.index()];
    plan.values().map(|(value, _)| value).filter(needed).collect()
}

/// Whether a result is made again rather than kept: it is as good as its operand, or follows from the inputs.
pub(super) fn is_made_again(plan: &Plan, value: Value) -> bool {
    matches!(plan.ops[value.index()], Op::Input(_) | Op::Decompose(_))
}

/// Turns what the executor has computed into snapshots.
pub(super) struct Snapshots<'r> {
    pub(super) plan: &'r Plan,
    pub(super) keys: &'r EvaluationKeys,
    /// See [`Snapshot::outputs`].
    pub(super) outputs: &'r [Arc<Ciphertext>],
    pub(super) keeper: &'r dyn Keeper,
}

impl Snapshots<'_> {
    fn snapshot(&self, computed: Computed<Data>) -> Snapshot {
        let Computed { mut done, values } = computed;
        let is_input = |value: &Value| matches!(self.plan.ops[value.index()], Op::Input(_));
        for (value, _) in self.plan.values().filter(|(value, _)| is_input(value)) {
            done[value.index()] = false;
        }
        let mut kept = BTreeMap::new();
        for (value, data) in values {
            let made_again = is_made_again(self.plan, value);
            let source = match self.plan.ops[value.index()].operands()[..] {
                [operand] if made_again => operand,
                _ => value,
            };
            if made_again {
                done[value.index()] = false;
            }
            if !is_input(&source) {
                kept.insert(source, data.source().clone());
            }
        }
        Snapshot { outputs: self.outputs.to_vec(), done, values: kept }
    }
}

impl Saver<Data> for Snapshots<'_> {
    /// Never of what was computed with keys that could not be read.
    fn is_due(&self) -> bool {
        self.keys.check_stored().is_ok() && self.keeper.is_due()
    }

    fn save(&self, computed: Computed<Data>) {
        self.keeper.keep(self.snapshot(computed));
    }
}

/// Checks that a snapshot is one of a run of this plan, in which each of these bundles is done at once.
pub(super) fn check(
    snapshot: &Snapshot,
    plan: &Plan,
    bundles: &[Range<usize>],
) -> Result<(), RunError> {
    let refused = |what: String| Err(RunError::Snapshot { what });
    let Snapshot { outputs, done, values } = snapshot;
    let per_instance = plan.output_values().count();
    let n_instances = plan.params.n_instances();
    if outputs.len() % per_instance != 0 || outputs.len() >= per_instance * n_instances {
        let what = format!("{} outputs of {n_instances} times {per_instance}", outputs.len());
        return refused(what);
    }
    if done.is_empty() && values.is_empty() {
        return Ok(());
    }
    if done.len() != plan.ops.len() {
        return refused(format!("{} instructions, the plan has {}", done.len(), plan.ops.len()));
    }
    let in_part = |bundle: &&Range<usize>| {
        let done = &done[(*bundle).clone()];
        done.contains(&true) && done.contains(&false)
    };
    if let Some(bundle) = bundles.iter().find(in_part) {
        return refused(format!("sums from %{} on are done in part", bundle.start));
    }
    if !values.keys().copied().eq(needed(plan, done)) {
        return refused("results that nothing reads, or none of one that is read".to_owned());
    }
    let differs = |(value, data): &(&Value, &Arc<Ciphertext>)| data.ty != plan.ty(**value);
    match values.iter().find(differs) {
        Some((value, _)) => refused(format!("%{} is not of its type", value.0)),
        None => Ok(()),
    }
}
