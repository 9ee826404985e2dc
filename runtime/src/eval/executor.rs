//! Runs the instructions of a plan as a graph: independent ones at the same time, each value freed after its last use.
//!
//! Ready bundles of instructions are taken lowest index first, which is the order that the compiler scheduled for memory. What is
//! computed does not depend on the order, so any number of lanes gives the same bits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hecc_grammar::plan::{Op, Plan, Value};

use super::Backend;

/// Called after each bundle with the numbers of instructions done and in total.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What was computed of a plan and is still needed.
pub struct Computed<T> {
    /// Of each instruction, whether it was executed.
    pub done: Vec<bool>,
    /// The results that are still to be read.
    pub values: Vec<(Value, Arc<T>)>,
}

/// Saves what was computed while the execution goes on.
pub trait Saver<T>: Sync {
    /// Whether to save now: asked after each bundle.
    fn is_due(&self) -> bool;

    /// Saves it.
    fn save(&self, computed: Computed<T>);
}

/// What is executed, and what is told of it.
pub struct Execution<'a, T> {
    /// Whose instructions.
    pub plan: &'a Plan,
    /// The plan's [`bundles`](Plan::bundles).
    pub bundles: &'a [Range<usize>],
    /// Told how far it is.
    pub progress: Progress<'a>,
    /// Nanoseconds that each instruction took are added here, if there is a place for each.
    pub spent: &'a [AtomicU64],
    /// What is computed already, whole bundles of it.
    pub start: Option<Computed<T>>,
    /// Saves what was computed.
    pub saver: Option<&'a dyn Saver<T>>,
}

impl<'a, T> Execution<'a, T> {
    /// An execution from the beginning of which nothing is told.
    pub fn new(plan: &'a Plan, bundles: &'a [Range<usize>]) -> Execution<'a, T> {
        Execution { plan, bundles, progress: &|_, _| {}, spent: &[], start: None, saver: None }
    }
}

/// Executes every bundle of instructions and returns the values that leave the plan, in order.
///
/// # Panics
/// If the back end does.
pub fn execute<B: Backend>(
    backend: &B,
    mut execution: Execution<'_, B::Data>,
) -> Vec<Arc<B::Data>> {
    let start = execution.start.take();
    let state = Mutex::new(State::new(execution.plan, execution.bundles, start));
    backend.on_lanes(&|lane| work(backend, &execution, &state, lane));
    let mut state = state.into_inner().expect("workers do not panic while they hold the lock");
    let take = |value: Value| state.values[value.index()].clone().expect("outputs are kept");
    let outputs = execution.plan.output_values().map(take).collect();
    state.values.clear();
    outputs
}

/// Executes bundles on one lane until there are no more.
fn work<B: Backend>(
    backend: &B,
    execution: &Execution<'_, B::Data>,
    state: &Mutex<State<B::Data>>,
    lane: usize,
) {
    let Execution { plan, bundles, progress, spent, saver, .. } = execution;
    let lock = || state.lock().expect("workers do not panic while they hold the lock");
    let total = plan.ops.len();
    let mut idle_since: Option<Instant> = None;
    loop {
        let next = lock().take(plan, bundles);
        match next {
            Next::Done => return,
            Next::Wait => {
                if backend.wait(idle_since.get_or_insert_with(Instant::now).elapsed()) {
                    idle_since = None;
                }
            }
            Next::Run(index, operands) => {
                idle_since = None;
                let (bundle, start) = (bundles[index].clone(), Instant::now());
                let working = Working { state, finished: false };
                let results = backend.compute(lane, bundle.clone(), &operands);
                working.finish();
                drop(operands);
                // What is computed in one pass takes about as long each.
                let nanoseconds = start.elapsed().as_nanos() as u64 / bundle.len() as u64;
                for spent in spent.iter().take(bundle.end).skip(bundle.start) {
                    spent.fetch_add(nanoseconds, Ordering::Relaxed);
                }
                let mut state = lock();
                state.finish(plan, bundle, results);
                let done = state.n_done;
                let due = saver.filter(|saver| done < total && saver.is_due());
                let computed = due.map(|saver| (saver, state.computed()));
                drop(state);
                progress(done, total);
                if let Some((saver, computed)) = computed {
                    saver.save(computed);
                }
            }
        }
    }
}

/// Tells the other workers to stop if an instruction panics: they would wait for its result for ever.
struct Working<'a, T> {
    state: &'a Mutex<State<T>>,
    finished: bool,
}

impl<T> Working<'_, T> {
    fn finish(mut self) {
        self.finished = true;
    }
}

impl<T> Drop for Working<'_, T> {
    fn drop(&mut self) {
        if !self.finished {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
        }
    }
}

enum Next<T> {
    Run(usize, Vec<Vec<Arc<T>>>),
    Wait,
    Done,
}

struct State<T> {
    /// Bundles whose operands are computed.
    ready: BinaryHeap<Reverse<usize>>,
    /// Of each bundle, operands not computed yet.
    missing: Vec<usize>,
    /// Of each value, reads still to come; one more for values that leave the plan.
    reads: Vec<usize>,
    /// Of each value, the bundles that read it, as often as they do.
    users: Vec<Vec<usize>>,
    values: Vec<Option<Arc<T>>>,
    /// Whether each instruction was executed.
    done: Vec<bool>,
    /// How many were.
    n_done: usize,
    /// Whether an instruction panicked.
    failed: bool,
}

impl<T> State<T> {
    fn new(plan: &Plan, bundles: &[Range<usize>], start: Option<Computed<T>>) -> State<T> {
        let n = plan.ops.len();
        let nothing = || Computed { done: vec![false; n], values: vec![] };
        let Computed { done, values } = start.unwrap_or_else(nothing);
        let mut state = State {
            ready: BinaryHeap::new(),
            missing: vec![0; bundles.len()],
            reads: vec![0; n],
            users: vec![vec![]; n],
            values: (0..n).map(|_| None).collect(),
            n_done: done.iter().filter(|done| **done).count(),
            done,
            failed: false,
        };
        for (value, data) in values {
            state.values[value.index()] = Some(data);
        }
        for (index, bundle) in bundles.iter().enumerate() {
            if state.done[bundle.start] {
                continue;
            }
            for operand in plan.ops[bundle.clone()].iter().flat_map(Op::operands) {
                state.reads[operand.index()] += 1;
                if !state.done[operand.index()] {
                    state.missing[index] += 1;
                    state.users[operand.index()].push(index);
                }
            }
            if state.missing[index] == 0 {
                state.ready.push(Reverse(index));
            }
        }
        plan.output_values().for_each(|value| state.reads[value.index()] += 1);
        state
    }

    fn take(&mut self, plan: &Plan, bundles: &[Range<usize>]) -> Next<T> {
        if self.failed || self.n_done == self.values.len() {
            return Next::Done;
        }
        let Some(Reverse(index)) = self.ready.pop() else {
            return Next::Wait;
        };
        let operand = |value: &Value| {
            self.values[value.index()].clone().expect("operands are computed and kept")
        };
        let operands = |op: &Op| op.operands().iter().map(operand).collect();
        Next::Run(index, plan.ops[bundles[index].clone()].iter().map(operands).collect())
    }

    fn computed(&self) -> Computed<T> {
        let held = |(i, data): (usize, &Option<Arc<T>>)| Some((Value(i as u32), data.clone()?));
        Computed {
            done: self.done.clone(),
            values: self.values.iter().enumerate().filter_map(held).collect(),
        }
    }

    fn finish(&mut self, plan: &Plan, bundle: Range<usize>, results: Vec<T>) {
        for (i, result) in bundle.zip(results) {
            self.n_done += 1;
            self.done[i] = true;
            if self.reads[i] > 0 {
                self.values[i] = Some(Arc::new(result));
            }
            for operand in plan.ops[i].operands() {
                self.reads[operand.index()] -= 1;
                if self.reads[operand.index()] == 0 {
                    self.values[operand.index()] = None;
                }
            }
            for user in std::mem::take(&mut self.users[i]) {
                self.missing[user] -= 1;
                if self.missing[user] == 0 {
                    self.ready.push(Reverse(user));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{Input, LimbSet, Params, Plaintexts, Profile, Ranges, Runs};
    use hecc_grammar::security::Security;

    use super::*;

    /// A chain of negations of each of eight inputs.
    fn plan() -> Plan {
        let params = Params {
            plaintexts: Plaintexts::Ckks { top_scale: 2.0 },
            log_n: 3,
            q: vec![97],
            p: vec![],
            input_level: 0,
            security: Security::insecure_for_tests(),
        };
        let mut plan = Plan::new(params, "negations");
        plan.inputs.push(Input {
            name: "x".to_owned(),
            shape: vec![1],
            ranges: Ranges::all(0.0, 1.0),
            seen: Profile::default(),
            factor: 1.0,
            quantizer: None,
            slots: vec![Runs::default(); 8],
            normalization: None,
        });
        for i in 0..8 {
            let mut value = plan.push(Op::Input(i), 0).unwrap();
            for _ in 0..20 {
                value = plan.push(Op::Neg(value), 0).unwrap();
            }
            plan.push(Op::Drop(value, LimbSet::first(1)), 0).unwrap();
        }
        plan
    }

    /// Lanes of threads.
    struct Lanes<'a, T> {
        count: usize,
        compute: &'a (dyn Fn(usize, &[Arc<T>]) -> T + Sync),
    }

    impl<T: Send + Sync> Backend for Lanes<'_, T> {
        type Data = T;

        fn on_lanes(&self, worker: &(dyn Fn(usize) + Sync)) {
            std::thread::scope(|scope| {
                (0..self.count).for_each(|lane| drop(scope.spawn(move || worker(lane))));
            });
        }

        fn compute(&self, _: usize, bundle: Range<usize>, operands: &[Vec<Arc<T>>]) -> Vec<T> {
            bundle.zip(operands).map(|(i, operands)| (self.compute)(i, operands)).collect()
        }
    }

    #[test]
    fn operands_come_first_and_values_are_freed_after_their_last_use() {
        let plan = plan();
        for count in 1..5 {
            let alive = Mutex::new(vec![]);
            let compute = |i: usize, operands: &[Arc<Arc<usize>>]| {
                let result = Arc::new(i);
                let mut alive = alive.lock().unwrap();
                alive.push(Arc::downgrade(&result));
                let live = alive.iter().filter(|weak| weak.upgrade().is_some()).count();
                // Each lane holds an operand and a result; each of the eight chains at most one value.
                assert!(live <= 8 + 2 * count, "{live} values are alive");
                assert!(operands.iter().all(|operand| ***operand < i));
                result
            };
            execute(&Lanes { count, compute: &compute }, Execution::new(&plan, &plan.bundles()));
            assert_eq!(alive.into_inner().unwrap().len(), plan.ops.len());
        }
    }

    #[test]
    fn a_panic_ends_the_run() {
        let plan = plan();
        let compute = |i: usize, _: &[Arc<()>]| assert!(i != 90, "as the test wants");
        let lanes = Lanes { count: 3, compute: &compute };
        let run = || execute(&lanes, Execution::new(&plan, &plan.bundles()));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    }
}
