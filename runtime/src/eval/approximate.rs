//! Runs a CKKS plan on cleartext slots: exactly, or with an error of the predicted size added at every step.

use std::sync::{Arc, OnceLock};

use hecc_grammar::noise;
use hecc_grammar::plan::{Constant, ConstantId, Meaning, Op, Slots, Value, VerifiedPlan, View};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::scheme::ckks::Embedding;

use super::clear::{Arithmetic, Held};
use super::normal::Normal;
use super::slots;

/// What is added to the slots. Results of BFV are exact, whatever the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Nothing: what the plan computes in exact arithmetic.
    None,
    /// Normal errors with the deviations of `hecc_grammar::noise`, and the multiples of a prime that raising a modulus
    /// brings, drawn from this seed.
    Predicted(u64),
}

/// See [`ClearEvaluator`](super::ClearEvaluator).
pub(super) struct Approximate<'a> {
    plan: &'a VerifiedPlan,
    /// The slots of the constants that fit the budget.
    constants: Vec<Option<Slots>>,
    errors: Vec<noise::Deviation>,
    embedding: OnceLock<Embedding>,
    normal: Normal,
}

/// The slots of a constant.
enum Plain<'a> {
    Same(f64),
    Held(&'a Slots),
    Made(Slots),
}

/// A run on one input.
pub(super) struct ApproximateRun<'r> {
    pub(super) of: &'r Approximate<'r>,
    pub(super) inputs: &'r [Vec<f64>],
    pub(super) noise: Noise,
}

impl Arithmetic for ApproximateRun<'_> {
    type Slots = Slots;

    fn compute(&self, value: Value, operands: &[Arc<Held<Slots>>]) -> Held<Slots> {
        let op = &self.of.plan.ops[value.index()];
        let mut slots = self.of.step(op, operands, self.inputs);
        if let Noise::Predicted(seed) = self.noise {
            self.of.disturb(value, op, Arc::make_mut(&mut slots), seed);
        }
        slots
    }

    fn observe(&self, value: Value, slots: &Slots, observe: &mut impl FnMut(Value, &[f64])) {
        observe(value, &slots.re);
    }
}

impl<'a> Approximate<'a> {
    pub(super) fn new(plan: &'a VerifiedPlan, cache_bytes: usize) -> Approximate<'a> {
        let bytes = size_of::<f64>() * plan.params.n_slots();
        let mut left = cache_bytes / bytes;
        let mut hold = |(i, constant): (usize, &Constant)| {
            let needed = match constant.view {
                View::Splat(_) => return None,
                View::Table { .. } => 1,
                View::Imaginary(_) | View::Embedding(_) => 2,
            };
            left = left.checked_sub(needed)?;
            Some(plan.slots_of(ConstantId(i as u32)))
        };
        Approximate {
            plan,
            constants: plan.constants.iter().enumerate().map(&mut hold).collect(),
            errors: noise::analyze(plan),
            embedding: OnceLock::new(),
            normal: Normal::new(),
        }
    }

    /// Adds what encryption would: an error, and to raised ciphertexts multiples of their prime.
    fn disturb(&self, value: Value, op: &Op, slots: &mut Slots, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(value.0) << 32));
        let deviation = self.errors[value.index()].added;
        if deviation > 0.0 {
            for part in [Some(&mut slots.re), slots.im.as_mut()].into_iter().flatten() {
                self.normal.disturb(part, deviation, &mut rng);
            }
        }
        if let Op::ModRaise(raised, _) = op {
            let ty = self.plan.ty(*raised);
            let limb = ty.limbs.last().expect("values have limbs");
            let unit = (self.plan.params.log_q(limb) - ty.scale).exp2();
            let n_slots = self.plan.params.n_slots();
            let embedding = self.embedding.get_or_init(|| Embedding::new(n_slots));
            let mut multiples = vec![0.0; 2 * n_slots];
            self.normal.disturb(&mut multiples, noise::overflow(), &mut rng);
            multiples.iter_mut().for_each(|multiple| *multiple = unit * multiple.round());
            let added = embedding.to_slots(&multiples);
            *slots = slots::add(slots, &added, 1.0);
        }
    }

    fn step(&self, op: &Op, of: &[Arc<Held<Slots>>], inputs: &[Vec<f64>]) -> Arc<Slots> {
        Arc::new(match op.meaning() {
            Meaning::Input(index) => Slots::real(inputs[index as usize].clone()),
            Meaning::Sum(..) => slots::add(&of[0], &of[1], 1.0),
            Meaning::Difference(..) => slots::add(&of[0], &of[1], -1.0),
            Meaning::Negation(_) => slots::scale(&of[0], -1.0),
            Meaning::Product(..) => slots::product(&of[0], &of[1]),
            Meaning::PlainSum(_, c) => match self.slots(c) {
                Plain::Same(c) => slots::shift(&of[0], c),
                Plain::Held(c) => slots::add(&of[0], c, 1.0),
                Plain::Made(c) => slots::add(&of[0], &c, 1.0),
            },
            Meaning::PlainProduct(..) | Meaning::PlainProducts(_) => self.dot(&op.constants(), of),
            Meaning::Rotation(_, steps) => slots::rotate(&of[0], steps as usize),
            Meaning::Conjugation(_) => slots::conjugate(&of[0]),
            Meaning::Same(_) => return Arc::clone(&of[0]),
        })
    }

    fn dot(&self, constants: &[ConstantId], of: &[Arc<Held<Slots>>]) -> Slots {
        let mut sum = Slots::real(vec![0.0; self.plan.params.n_slots()]);
        for (slots, constant) in of.iter().zip(constants) {
            match self.slots(*constant) {
                Plain::Same(c) => slots::add_scaled(&mut sum, slots, c),
                Plain::Held(c) => slots::add_product(&mut sum, slots, c),
                Plain::Made(c) => slots::add_product(&mut sum, slots, &c),
            }
        }
        sum
    }

    fn slots(&self, constant: ConstantId) -> Plain<'_> {
        match (&self.plan.constants[constant.index()].view, &self.constants[constant.index()]) {
            (View::Splat(x), _) => Plain::Same(*x),
            (_, Some(slots)) => Plain::Held(slots),
            (_, None) => Plain::Made(self.plan.slots_of(constant)),
        }
    }
}
