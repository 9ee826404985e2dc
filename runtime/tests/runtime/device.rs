//! A second back end, on a device of which the host sees nothing until it is through: commands are queued on streams and wait for
//! events of other streams, buffers are freed by commands. It computes slots.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use hecc_grammar::plan::{ConstantId, Key, Meaning, Op, Value, VerifiedPlan};
use hecc_runtime::eval::{Backend, Execution, Noise, execute, run_clear};

use crate::common::{Build, setup, uniform, usual};

/// Each command records one when it is through. Buffers are named by that of the command that fills them.
type Event = usize;

enum Work {
    Compute { value: Value, operands: Vec<Event> },
    Free(Event),
}

struct Command {
    after: Vec<Event>,
    event: Event,
    work: Work,
}

#[derive(Default)]
struct Queues {
    streams: Vec<VecDeque<Command>>,
    n_events: usize,
    past: BTreeSet<Event>,
    buffers: BTreeMap<Event, Vec<f64>>,
}

/// What the host holds of a buffer.
struct Handle {
    queues: Arc<Mutex<Queues>>,
    stream: usize,
    filled: Event,
    /// Recorded by the commands that read it.
    read: Mutex<Vec<Event>>,
}

struct Device<'a> {
    plan: &'a VerifiedPlan,
    inputs: &'a [Vec<f64>],
    queues: Arc<Mutex<Queues>>,
    n_streams: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic under this lock")
}

impl Queues {
    fn push(&mut self, stream: usize, after: Vec<Event>, work: Work) -> Event {
        self.n_events += 1;
        let event = self.n_events;
        self.streams[stream].push_back(Command { after, event, work });
        event
    }

    /// The next command of the last stream whose next command need not wait: not the order in which they came.
    fn next(&mut self) -> Option<Command> {
        let past = &self.past;
        let mut ready = self.streams.iter_mut().rev().filter(|stream| {
            stream.front().is_some_and(|next| next.after.iter().all(|event| past.contains(event)))
        });
        ready.next().and_then(VecDeque::pop_front)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let after = [lock(&self.read).as_slice(), &[self.filled]].concat();
        lock(&self.queues).push(self.stream, after, Work::Free(self.filled));
    }
}

impl Backend for Device<'_> {
    type Data = Handle;

    fn on_lanes(&self, worker: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            (0..self.n_streams).for_each(|lane| drop(scope.spawn(move || worker(lane))));
        });
    }

    fn compute(
        &self,
        lane: usize,
        bundle: Range<usize>,
        operands: &[Vec<Arc<Handle>>],
    ) -> Vec<Handle> {
        let launch = |(i, operands): (usize, &Vec<Arc<Handle>>)| {
            let filled: Vec<Event> = operands.iter().map(|operand| operand.filled).collect();
            let work = Work::Compute { value: Value(i as u32), operands: filled.clone() };
            let event = lock(&self.queues).push(lane, filled, work);
            operands.iter().for_each(|operand| lock(&operand.read).push(event));
            let (queues, read) = (self.queues.clone(), Mutex::new(vec![]));
            Handle { queues, stream: lane, filled: event, read }
        };
        bundle.zip(operands).map(launch).collect()
    }
}

impl Device<'_> {
    /// Carries out all commands.
    fn synchronize(&self) {
        let mut queues = lock(&self.queues);
        while let Some(Command { event, work, .. }) = queues.next() {
            match work {
                Work::Compute { value, operands } => {
                    let operands: Vec<&[f64]> =
                        operands.iter().map(|event| &queues.buffers[event][..]).collect();
                    let slots = self.slots(&self.plan.ops[value.index()], &operands);
                    queues.buffers.insert(event, slots);
                }
                Work::Free(buffer) => {
                    queues.buffers.remove(&buffer).expect("a buffer is freed once");
                }
            }
            queues.past.insert(event);
        }
        assert!(queues.streams.iter().all(VecDeque::is_empty), "commands wait for each other");
    }

    fn slots(&self, op: &Op, of: &[&[f64]]) -> Vec<f64> {
        let constant = |c: ConstantId| self.plan.slots_of(c).re;
        let zip = |a: &[f64], b: &[f64], f: fn(f64, f64) -> f64| {
            a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect::<Vec<f64>>()
        };
        match op.meaning() {
            Meaning::Input(index) => self.inputs[index as usize].clone(),
            Meaning::Sum(..) => zip(of[0], of[1], |a, b| a + b),
            Meaning::Difference(..) => zip(of[0], of[1], |a, b| a - b),
            Meaning::Negation(_) => of[0].iter().map(|x| -x).collect(),
            Meaning::Product(..) => zip(of[0], of[1], |a, b| a * b),
            Meaning::PlainSum(_, c) => zip(of[0], &constant(c), |a, b| a + b),
            Meaning::PlainProduct(..) | Meaning::PlainProducts(_) => {
                let products = of.iter().zip(op.constants());
                let products = products.map(|(a, c)| zip(a, &constant(c), |a, b| a * b));
                let sum = products.reduce(|sum, product| zip(&sum, &product, |a, b| a + b));
                sum.expect("sums have terms")
            }
            Meaning::Rotation(_, steps) => {
                let mut slots = of[0].to_vec();
                slots.rotate_left(steps as usize);
                slots
            }
            Meaning::Conjugation(_) | Meaning::Same(_) => of[0].to_vec(),
        }
    }
}

/// Layers of rotations and sums, with squares between them.
fn plan() -> VerifiedPlan {
    let mut build = Build::new(usual(8, 5, 2), 2);
    let mut state = 3;
    let mut values = [Value(0), Value(1)];
    for _ in 0..2 {
        let ty = build.plan.ty(values[0]);
        let last = ty.limbs.last().expect("values have limbs");
        let scale = build.plan.params.log_q(last);
        let weights: Vec<f64> = (0..128).map(|_| uniform(&mut state) / 8.0).collect();
        let weights = build.table(&weights, scale);
        let digits = values.map(|value| build.op(Op::Decompose(value)));
        let mut terms = vec![];
        for digits in digits {
            let rotated = [1, 2, 5].map(|steps| build.op(Op::ApplyKey(digits, Key::Rotate(steps))));
            terms.extend(rotated.map(|rotated| (rotated, weights)));
        }
        let sums = [0..3, 3..6, 1..5].map(|part| build.op(Op::DotPlain(terms[part].to_vec())));
        let divided = sums.map(|sum| build.op(Op::Rescale(sum)));
        let product = build.op(Op::Mul(divided[0], divided[1]));
        let linear = build.switch(product, Key::Relinearize);
        let fewer = build.plan.ty(linear).limbs.without_last();
        let square = build.op(Op::Mul(divided[2], divided[2]));
        let square = build.switch(square, Key::Relinearize);
        values = [linear, square].map(|value| build.op(Op::Rescale(value)));
        assert_eq!(build.plan.ty(values[0]).limbs, fewer);
    }
    build.finish(&values)
}

#[test]
fn a_device_computes_what_the_host_has_queued() {
    let plan = plan();
    let bundles = plan.bundles();
    assert!(bundles.iter().any(|bundle| bundle.len() == 3));
    let setup = setup(&plan, 1);
    let expected = run_clear(&plan, &setup.slots, Noise::None, |_, _| {});
    for n_streams in [1, 2, 5] {
        let queues = Queues {
            streams: (0..n_streams).map(|_| VecDeque::new()).collect(),
            ..Queues::default()
        };
        let queues = Arc::new(Mutex::new(queues));
        let device = Device { plan: &plan, inputs: &setup.slots, queues, n_streams };
        let outputs = execute(&device, Execution::new(&plan, &bundles));
        assert!(lock(&device.queues).past.is_empty(), "the host waited for the device");
        device.synchronize();
        for (output, expected) in outputs.iter().zip(&expected) {
            let found = lock(&device.queues).buffers[&output.filled].clone();
            let is_same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(found.iter().zip(expected).all(is_same), "{n_streams} streams");
        }
        drop(outputs);
        device.synchronize();
        assert!(lock(&device.queues).buffers.is_empty(), "a buffer is left");
    }
}
