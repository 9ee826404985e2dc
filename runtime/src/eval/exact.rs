//! Runs a BFV plan on cleartext slots: integers modulo each plaintext prime.

use std::sync::Arc;

use hecc_grammar::plan::{ConstantId, Meaning, Op, Value, VerifiedPlan, View};

use crate::kernel::{Pair, active};
use crate::ring::{MixedRadix, Modulus};

use super::clear::{Arithmetic, Held};

/// The slots of a value: residues modulo each plaintext prime.
pub(super) type Residues = Vec<Vec<u64>>;

/// See [`ClearEvaluator`](super::ClearEvaluator).
pub(super) struct Exact<'a> {
    plan: &'a VerifiedPlan,
    primes: Vec<Modulus>,
    radix: MixedRadix,
    /// The slots of the constants that fit the budget.
    constants: Vec<Option<Arc<Residues>>>,
    /// Whether a layer names the value: putting integers together takes longer than computing their residues.
    observed: Vec<bool>,
}

/// A run on one input.
pub(super) struct ExactRun<'r> {
    pub(super) of: &'r Exact<'r>,
    pub(super) inputs: Vec<Arc<Residues>>,
}

impl Arithmetic for ExactRun<'_> {
    type Slots = Residues;

    fn compute(&self, value: Value, operands: &[Arc<Held<Residues>>]) -> Held<Residues> {
        self.of.step(&self.of.plan.ops[value.index()], operands, &self.inputs)
    }

    fn observe(&self, value: Value, slots: &Residues, observe: &mut impl FnMut(Value, &[f64])) {
        if self.of.observed[value.index()] {
            observe(value, &self.of.integers(slots));
        }
    }
}

impl<'a> Exact<'a> {
    pub(super) fn new(plan: &'a VerifiedPlan, cache_bytes: usize) -> Exact<'a> {
        let primes: Vec<Modulus> = plan.params.t().iter().map(|&t| Modulus::new(t)).collect();
        let radix = MixedRadix::new(&primes);
        let mut observed = vec![false; plan.ops.len()];
        for (value, _) in plan.layers.iter().flat_map(|layer| &layer.slots) {
            observed[value.index()] = true;
        }
        let mut exact = Exact { plan, primes, radix, constants: vec![], observed };
        let each = size_of::<u64>() * plan.params.n_slots() * exact.primes.len();
        let held = (cache_bytes / each).min(plan.constants.len());
        let hold = |i: usize| (i < held).then(|| Arc::new(exact.encode(ConstantId(i as u32))));
        exact.constants = (0..plan.constants.len()).map(hold).collect();
        exact
    }

    /// The slots of input ciphertexts.
    pub(super) fn inputs(&self, inputs: &[Vec<f64>]) -> Vec<Arc<Residues>> {
        inputs.iter().map(|slots| Arc::new(self.residues(slots))).collect()
    }

    fn step(&self, op: &Op, of: &[Arc<Held<Residues>>], inputs: &[Arc<Residues>]) -> Arc<Residues> {
        let zip = |a: &Residues, b: &Residues, f: fn(&mut [u64], &[u64], &[u64], &Modulus)| {
            self.each(|i, t, out| f(out, &a[i], &b[i], t))
        };
        Arc::new(match op.meaning() {
            Meaning::Input(index) => return inputs[index as usize].clone(),
            Meaning::Sum(..) => zip(&of[0], &of[1], active().add),
            Meaning::Difference(..) => zip(&of[0], &of[1], active().sub),
            Meaning::Negation(_) => self.each(|i, t, out| (active().neg)(out, &of[0][i], t)),
            Meaning::Product(..) => zip(&of[0], &of[1], active().mul),
            Meaning::PlainSum(_, c) => zip(&of[0], &self.constant(c), active().add),
            Meaning::PlainProduct(_, c) => zip(&of[0], &self.constant(c), active().mul),
            Meaning::PlainProducts(terms) => {
                let constants: Vec<_> = terms.iter().map(|(_, c)| self.constant(*c)).collect();
                self.each(|i, t, out| {
                    let terms = of.iter().zip(&constants);
                    let pairs: Vec<Pair<'_>> = terms.map(|(a, c)| (&a[i][..], &c[i][..])).collect();
                    (active().dot)(out, &pairs, t);
                })
            }
            Meaning::Rotation(_, steps) => self.rows(&of[0], |row, out| {
                let (first, rest) = row.split_at(steps as usize);
                out[..rest.len()].copy_from_slice(rest);
                out[rest.len()..].copy_from_slice(first);
            }),
            Meaning::Conjugation(_) => self.each(|i, _, out| {
                let (first, second) = of[0][i].split_at(self.plan.params.row_length());
                out[..second.len()].copy_from_slice(second);
                out[second.len()..].copy_from_slice(first);
            }),
            Meaning::Same(_) => return Arc::clone(&of[0]),
        })
    }

    /// Computes the slots for each prime.
    fn each(&self, f: impl Fn(usize, &Modulus, &mut [u64])) -> Residues {
        let compute = |(i, t): (usize, &Modulus)| {
            let mut out = vec![0; self.plan.params.n_slots()];
            f(i, t, &mut out);
            out
        };
        self.primes.iter().enumerate().map(compute).collect()
    }

    /// Computes the slots row by row.
    fn rows(&self, source: &Residues, f: impl Fn(&[u64], &mut [u64])) -> Residues {
        let length = self.plan.params.row_length();
        self.each(|i, _, out| {
            let rows = source[i].chunks(length).zip(out.chunks_mut(length));
            rows.for_each(|(row, out)| f(row, out));
        })
    }

    fn constant(&self, constant: ConstantId) -> Arc<Residues> {
        let held = &self.constants[constant.index()];
        held.clone().unwrap_or_else(|| Arc::new(self.encode(constant)))
    }

    fn encode(&self, constant: ConstantId) -> Residues {
        match self.plan.constants[constant.index()].view {
            View::Splat(x) => self.each(|_, t, out| out.fill(t.from_integer(x))),
            View::Imaginary(_) | View::Table { .. } | View::Embedding(_) => {
                self.residues(&self.plan.slots_of(constant).re)
            }
        }
    }

    fn residues(&self, slots: &[f64]) -> Residues {
        self.each(|_, t, out| {
            out.iter_mut().zip(slots).for_each(|(out, &x)| *out = t.from_integer(x));
        })
    }

    /// The integers of least magnitude with these residues.
    pub(super) fn integers(&self, residues: &Residues) -> Vec<f64> {
        if let ([t], [slots]) = (&self.primes[..], &residues[..]) {
            return slots.iter().map(|&x| t.centered(x) as f64).collect();
        }
        let mut of_slot = vec![0; residues.len()];
        let integer = |slot: usize| {
            of_slot.iter_mut().zip(residues).for_each(|(x, slots)| *x = slots[slot]);
            self.radix.centered(&of_slot)
        };
        (0..self.plan.params.n_slots()).map(integer).collect()
    }
}
