//! What the evaluation of one plan precomputes: tables of the ring, permutations, base conversions.

use std::collections::HashMap;

use hecc_grammar::plan::{Form, Key, LimbSet, Op, Params, Plan, Value};

use crate::ring::{BaseConverter, Modulus, Ring, galois_element, permutation};

use super::ciphertext::limb_indices;

/// Sets of limbs of the whole ring, message and special: source and target of a base conversion.
type Conversion = (Vec<usize>, Vec<usize>);

/// Tables for the instructions of one plan.
pub struct Context {
    /// The plan's parameters.
    pub params: Params,
    /// Transforms for every prime.
    pub ring: Ring,
    permutations: HashMap<Key, Vec<u32>>,
    converters: HashMap<Conversion, BaseConverter>,
    fused: Vec<bool>,
}

impl Context {
    /// Everything that the instructions of a plan need.
    pub fn new(plan: &Plan) -> Context {
        let params = plan.params.clone();
        let ring = Ring::new(&params);
        let mut context = Context {
            params,
            ring,
            permutations: HashMap::new(),
            converters: HashMap::new(),
            fused: fused(plan),
        };
        for key in plan.keys() {
            let n = context.ring.n();
            let g = galois_element(key.key, n);
            if g != 1 {
                context.permutations.insert(key.key, permutation(n, g));
            }
        }
        for (value, op) in plan.values() {
            let after = plan.ty(value).limbs;
            let before = op.operands().first().map_or(after, |&operand| plan.ty(operand).limbs);
            match op {
                Op::Rescale(a) | Op::ModSwitch(a, _) if context.is_fused(*a) => {
                    context.prepare_division(before, after, Form::QP);
                }
                Op::Rescale(_) | Op::ModSwitch(..) => {
                    context.prepare_division(before, after, Form::Q)
                }
                Op::ModDown(_) => context.prepare_division(before, after, Form::QP),
                Op::Decompose(_) => context.prepare_digits(before),
                Op::ModRaise(_, to) => {
                    context.prepare(before.iter().collect(), to.difference(before).iter().collect())
                }
                Op::Input(_)
                | Op::Add(..)
                | Op::Sub(..)
                | Op::Neg(_)
                | Op::AddPlain(..)
                | Op::MulPlain(..)
                | Op::DotPlain(_)
                | Op::Mul(..)
                | Op::MulBgv(..)
                | Op::Drop(..)
                | Op::ApplyKey(..)
                | Op::ModUp(_) => {}
            }
        }
        context
    }

    fn prepare_division(&mut self, before: LimbSet, after: LimbSet, form: Form) {
        let all = limb_indices(&self.ring, before, form);
        let dropped = all
            .into_iter()
            .filter(|&limb| !after.contains(limb) || limb >= self.ring.n_q)
            .collect();
        self.prepare(dropped, after.iter().collect());
    }

    fn prepare_digits(&mut self, limbs: LimbSet) {
        for digit in self.params.digits(limbs) {
            let (from, to) = self.digit_limbs(limbs, digit);
            self.prepare(from, to);
        }
    }

    fn prepare(&mut self, from: Vec<usize>, to: Vec<usize>) {
        let ring = &self.ring;
        self.converters.entry((from, to)).or_insert_with_key(|(from, to)| {
            let moduli = |limbs: &[usize]| {
                limbs.iter().map(|&limb| ring.modulus(limb).clone()).collect::<Vec<Modulus>>()
            };
            BaseConverter::new(&moduli(from), &moduli(to))
        });
    }

    /// Whether a value stays on QP until its only reader, a `Rescale` or `ModSwitch`, divides by P and by its primes at
    /// once: fewer transforms, and one rounding instead of two.
    pub fn is_fused(&self, value: Value) -> bool {
        self.fused[value.index()]
    }

    /// Ring indices of a digit's own limbs and of the limbs that it is extended to.
    pub fn digit_limbs(&self, limbs: LimbSet, digit: usize) -> (Vec<usize>, Vec<usize>) {
        let own = self.params.digit(limbs, digit);
        let others = limbs.difference(own).iter().chain(self.ring.special(limbs));
        (own.iter().collect(), others.collect())
    }

    /// The conversion between two sets of limbs, which the plan needs.
    pub fn converter(&self, from: &[usize], to: &[usize]) -> &BaseConverter {
        &self.converters[&(from.to_vec(), to.to_vec())]
    }

    /// The permutation of the NTT domain for a key that the plan needs; `None` if the key moves no slots.
    pub fn permutation(&self, key: Key) -> Option<&[u32]> {
        self.permutations.get(&key).map(Vec::as_slice)
    }
}

/// See [`Context::is_fused`].
fn fused(plan: &Plan) -> Vec<bool> {
    let mut n_readers = vec![0; plan.ops.len()];
    let mut is_rescaled = vec![false; plan.ops.len()];
    for (_, op) in plan.values() {
        op.operands().iter().for_each(|operand| n_readers[operand.index()] += 1);
        if let Op::Rescale(a) | Op::ModSwitch(a, _) = op {
            is_rescaled[a.index()] = true;
        }
    }
    plan.output_values().for_each(|value| n_readers[value.index()] += 1);
    let is_fused = |(value, op): (Value, &Op)| {
        let divides = matches!(op, Op::ModDown(_));
        divides && is_rescaled[value.index()] && n_readers[value.index()] == 1
    };
    plan.values().map(is_fused).collect()
}
