//! A run that goes on from a checkpoint, at whatever instruction and with whatever threads, gives the same bits.

use std::borrow::Cow;
use std::sync::Mutex;

use hecc_grammar::envelope::{FileError, Fingerprint, KeyId, Kind, Origin, open, seal};
use hecc_grammar::plan::{Op, Scheme, Value, VerifiedPlan};
use hecc_runtime::error::RunError;
use hecc_runtime::eval::{Evaluator, Keeper, Options, Snapshot};
use hecc_runtime::file::{
    Checkpoint, Contents, RunSource, describe, read_checkpoint, write_checkpoint,
};
use hecc_runtime::rlwe::Ciphertext;

use crate::common::{Setup, run, setup};
use crate::random::{approximate, exact};

const PLAN: Fingerprint = Fingerprint([3; 32]);
/// That of a key of a seed alone.
const ORIGIN: Origin = Origin { plan: PLAN, key: KeyId([0; 16]) };
const SOURCE: RunSource = RunSource { input: Fingerprint([1; 32]), keys: Fingerprint([2; 32]) };

/// Keeps a snapshot after every instruction.
#[derive(Default)]
pub(crate) struct All(pub(crate) Mutex<Vec<Snapshot>>);

impl Keeper for All {
    fn is_due(&self) -> bool {
        true
    }

    fn keep(&self, snapshot: Snapshot) {
        self.0.lock().expect("no panic under this lock").push(snapshot);
    }
}

fn evaluator<'a>(plan: &'a VerifiedPlan, setup: &'a Setup, threads: usize) -> Evaluator<'a> {
    Evaluator::new(plan, &setup.keys, Options { threads, cache_bytes: 0 })
        .expect("the keys are the plan's")
}

fn snapshots(plan: &VerifiedPlan, setup: &Setup, threads: usize) -> Vec<Snapshot> {
    let evaluator = evaluator(plan, setup, threads);
    let (inputs, all) = (evaluator.expand(setup.fresh.clone()), All::default());
    evaluator
        .run_from(Snapshot::default(), inputs, &|_, _| {}, Some(&all))
        .expect("the inputs are the plan's");
    all.0.into_inner().expect("no panic under this lock")
}

fn goes_on(plan: &VerifiedPlan, setup: &Setup, start: Snapshot, threads: usize) -> Vec<Ciphertext> {
    let evaluator = evaluator(plan, setup, threads);
    let inputs = evaluator.expand(setup.fresh.clone());
    evaluator.run_from(start, inputs, &|_, _| {}, None).expect("the snapshot is the plan's")
}

fn written(plan: &VerifiedPlan, finished: &[Vec<Ciphertext>], snapshot: Snapshot) -> Vec<u8> {
    let checkpoint = Checkpoint { source: SOURCE, finished: Cow::Borrowed(finished), snapshot };
    let mut file = vec![];
    write_checkpoint(plan, ORIGIN, &checkpoint, &mut file).expect("a Vec takes all bytes");
    file
}

/// Through files, from every fifth snapshot of runs on one thread and on three.
fn check(plan: &VerifiedPlan, seed: u8) {
    let setup = setup(plan, seed);
    let expected = run(plan, &setup, 1, 0);
    let finished = [expected.clone()];
    for threads in [1, 3] {
        let snapshots = snapshots(plan, &setup, threads);
        assert!(snapshots.len() >= (plan.bundles().len() - 1) * plan.params.n_instances());
        for snapshot in snapshots.into_iter().step_by(5) {
            let file = written(plan, &finished, snapshot.clone());
            let read = read_checkpoint(plan, ORIGIN, 2, file.into()).expect("it was written so");
            assert_eq!((read.source, &read.finished[..]), (SOURCE, &finished[..]));
            assert_eq!(read.snapshot, snapshot);
            assert_eq!(goes_on(plan, &setup, read.snapshot, 4 - threads), expected);
        }
    }
}

#[test]
fn runs_go_on_with_the_same_bits() {
    for seed in 0..4 {
        check(&approximate(seed), seed as u8);
        check(&exact(seed, 1), seed as u8);
    }
    check(&exact(5, 2), 5);
}

#[test]
fn what_follows_from_operands_is_not_stored() {
    let plan = approximate(1);
    let setup = setup(&plan, 1);
    let mut n_stored = 0;
    for snapshot in snapshots(&plan, &setup, 1) {
        let is_stored =
            |value: &Value| !matches!(plan.ops[value.index()], Op::Input(_) | Op::Decompose(_));
        assert!(snapshot.values.keys().all(is_stored));
        n_stored += snapshot.values.len();
    }
    assert!(n_stored > 0, "nothing is stored");
}

#[test]
fn snapshots_of_other_runs_are_refused() {
    let (plan, other) = (approximate(0), approximate(2));
    assert_eq!(plan.params.scheme(), Scheme::Ckks);
    let setup = setup(&plan, 1);
    let evaluator = evaluator(&plan, &setup, 1);
    let last = snapshots(&plan, &setup, 1).pop().unwrap();
    let without = Snapshot { values: Default::default(), ..last.clone() };
    let whole = Snapshot { outputs: last.values.values().cloned().collect(), ..last.clone() };
    let longer = Snapshot { done: vec![true; other.ops.len() + plan.ops.len()], ..last };
    for snapshot in [without, whole, longer] {
        let inputs = evaluator.expand(setup.fresh.clone());
        let error = evaluator.run_from(snapshot, inputs, &|_, _| {}, None).unwrap_err();
        assert!(matches!(error, RunError::Snapshot { .. }), "{error}");
    }
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let plan = approximate(0);
    let setup = setup(&plan, 1);
    let snapshot = snapshots(&plan, &setup, 1).swap_remove(plan.ops.len() / 2);
    let file = written(&plan, &[], snapshot);
    let read = |origin, file: &[u8]| read_checkpoint(&plan, origin, 1, file.to_vec().into());
    read(ORIGIN, &file).unwrap();
    let described = describe(&open(file.clone().into(), Kind::Checkpoint).unwrap()).unwrap();
    assert!(matches!(described, Contents::Checkpoint { source: SOURCE, n_finished: 0, .. }));
    let other_plan = Origin { plan: Fingerprint([4; 32]), ..ORIGIN };
    assert!(matches!(read(other_plan, &file), Err(FileError::OtherPlan { .. })));
    let other_key = Origin { key: KeyId([4; 16]), ..ORIGIN };
    assert!(matches!(read(other_key, &file), Err(FileError::OtherKey { .. })));
    let payload = open(file.into(), Kind::Checkpoint).unwrap().payload;
    let counts = payload.len() - payload.len() % 2;
    for len in (0..counts).step_by(payload.len() / 50) {
        assert!(read(ORIGIN, &seal(Kind::Checkpoint, ORIGIN, &payload[..len])).is_err());
    }
    let longer = [&payload[..], &[0]].concat();
    assert!(read(ORIGIN, &seal(Kind::Checkpoint, ORIGIN, &longer)).is_err());
}
