//! Runs the instructions of a plan as a graph: independent ones at the same time, each value freed after its last use.
//!
//! Ready units of instructions are taken lowest index first, which is the order that the compiler scheduled for memory. What is
//! computed does not depend on the order, so any number of threads gives the same bits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hecc_grammar::plan::{Plan, Value};

/// How long a thread without work looks for some again and again, before it pauses in between.
const PATIENCE: Duration = Duration::from_millis(1);
const PAUSE: Duration = Duration::from_micros(20);

/// Called after each instruction with the numbers done and in total.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What was computed of a plan and is still needed.
pub(super) struct Computed<T> {
    /// Of each instruction, whether it was executed.
    pub(super) done: Vec<bool>,
    /// The results that are still to be read.
    pub(super) values: Vec<(Value, Arc<T>)>,
}

/// Saves what was computed while the execution goes on.
pub(super) trait Saver<T>: Sync {
    /// Whether to save now: asked after each unit.
    fn is_due(&self) -> bool;

    /// Saves it.
    fn save(&self, computed: Computed<T>);
}

/// What is executed, and how.
pub(super) struct Execution<'a, T> {
    pub(super) plan: &'a Plan,
    pub(super) units: &'a [Vec<Value>],
    pub(super) pool: &'a rayon::ThreadPool,
    pub(super) progress: Progress<'a>,
    /// What is computed already.
    pub(super) start: Option<Computed<T>>,
    pub(super) saver: Option<&'a dyn Saver<T>>,
}

/// Executes every unit of instructions with `f(values, operands of each)` and returns the values that leave the plan, in order.
pub(super) fn execute<T: Send + Sync>(
    execution: Execution<'_, T>,
    f: impl Fn(&[Value], &[Vec<Arc<T>>]) -> Vec<T> + Sync,
) -> Vec<Arc<T>> {
    let Execution { plan, units, pool, progress, start, saver } = execution;
    let state = Mutex::new(State::new(plan, units, start));
    let total = plan.ops.len();
    pool.broadcast(|_| {
        let mut idle_since = None;
        loop {
            let next = state
                .lock()
                .expect("workers do not panic while they hold the lock")
                .take(plan, units);
            match next {
                Next::Done => return,
                Next::Wait => {
                    // Help with the limbs of an instruction that another thread works on. They come any moment, and are
                    // done in less time than it takes to wake up.
                    if rayon::yield_now() == Some(rayon::Yield::Executed) {
                        idle_since = None;
                    } else if idle_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
                        std::thread::yield_now();
                    } else {
                        std::thread::sleep(PAUSE);
                    }
                }
                Next::Run(unit, operands) => {
                    idle_since = None;
                    let working = Working { state: &state, finished: false };
                    let results = f(&units[unit], &operands);
                    working.finish();
                    drop(operands);
                    let mut state =
                        state.lock().expect("workers do not panic while they hold the lock");
                    state.finish(plan, &units[unit], results);
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
    });
    let mut state = state.into_inner().expect("workers do not panic while they hold the lock");
    let take = |value: Value| state.values[value.index()].clone().expect("outputs are kept");
    let outputs = plan.output_values().map(take).collect();
    state.values.clear();
    outputs
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
    /// Units whose operands are computed.
    ready: BinaryHeap<Reverse<usize>>,
    /// Of each unit, operands not computed yet.
    missing: Vec<usize>,
    /// Of each value, reads still to come; one more for values that leave the plan.
    reads: Vec<usize>,
    /// Of each value, the units that read it, as often as they do.
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
    fn new(plan: &Plan, units: &[Vec<Value>], start: Option<Computed<T>>) -> State<T> {
        let n = plan.ops.len();
        let nothing = || Computed { done: vec![false; n], values: vec![] };
        let Computed { done, values } = start.unwrap_or_else(nothing);
        let mut state = State {
            ready: BinaryHeap::new(),
            missing: vec![0; units.len()],
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
        for (unit, values) in units.iter().enumerate() {
            if state.done[values[0].index()] {
                continue;
            }
            for operand in values.iter().flat_map(|value| plan.ops[value.index()].operands()) {
                state.reads[operand.index()] += 1;
                if !state.done[operand.index()] {
                    state.missing[unit] += 1;
                    state.users[operand.index()].push(unit);
                }
            }
            if state.missing[unit] == 0 {
                state.ready.push(Reverse(unit));
            }
        }
        plan.output_values().for_each(|value| state.reads[value.index()] += 1);
        state
    }

    fn take(&mut self, plan: &Plan, units: &[Vec<Value>]) -> Next<T> {
        if self.failed || self.n_done == self.values.len() {
            return Next::Done;
        }
        let Some(Reverse(unit)) = self.ready.pop() else {
            return Next::Wait;
        };
        let operand = |value: &Value| {
            self.values[value.index()].clone().expect("operands are computed and kept")
        };
        let operands =
            |value: &Value| plan.ops[value.index()].operands().iter().map(operand).collect();
        Next::Run(unit, units[unit].iter().map(operands).collect())
    }

    fn computed(&self) -> Computed<T> {
        let held = |(i, data): (usize, &Option<Arc<T>>)| Some((Value(i as u32), data.clone()?));
        Computed {
            done: self.done.clone(),
            values: self.values.iter().enumerate().filter_map(held).collect(),
        }
    }

    fn finish(&mut self, plan: &Plan, unit: &[Value], results: Vec<T>) {
        for (value, result) in unit.iter().zip(results) {
            self.n_done += 1;
            self.done[value.index()] = true;
            if self.reads[value.index()] > 0 {
                self.values[value.index()] = Some(Arc::new(result));
            }
            for operand in plan.ops[value.index()].operands() {
                self.reads[operand.index()] -= 1;
                if self.reads[operand.index()] == 0 {
                    self.values[operand.index()] = None;
                }
            }
            for user in std::mem::take(&mut self.users[value.index()]) {
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
    use hecc_grammar::plan::{Input, LimbSet, Op, Params, Plaintexts, Profile, Ranges, Runs};
    use hecc_grammar::security::Security;

    use super::*;
    use crate::eval::units::units;

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

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn operands_come_first_and_values_are_freed_after_their_last_use() {
        let plan = plan();
        for threads in 1..5 {
            let alive = Mutex::new(vec![]);
            let run = |values: &[Value], operands: &[Vec<Arc<Arc<Value>>>]| {
                let result = Arc::new(values[0]);
                let mut alive = alive.lock().unwrap();
                alive.push(Arc::downgrade(&result));
                let live = alive.iter().filter(|weak| weak.upgrade().is_some()).count();
                // Each worker holds an operand and a result; each of the eight chains at most one value.
                assert!(live <= 8 + 2 * threads, "{live} values are alive");
                assert!(operands[0].iter().all(|operand| ***operand < values[0]));
                vec![result]
            };
            let units = units(&plan);
            let execution = Execution {
                plan: &plan,
                units: &units,
                pool: &pool(threads),
                progress: &|_, _| {},
                start: None,
                saver: None,
            };
            execute(execution, run);
            assert_eq!(alive.into_inner().unwrap().len(), plan.ops.len());
        }
    }

    #[test]
    fn a_panic_ends_the_run() {
        let plan = plan();
        let run = || {
            let execution = Execution {
                plan: &plan,
                units: &units(&plan),
                pool: &pool(3),
                progress: &|_, _| {},
                start: None,
                saver: None,
            };
            execute(execution, |values, _| {
                assert!(values[0].index() != 90, "as the test wants");
                vec![()]
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    }
}
