//! What the evaluation of one plan precomputes: tables of the ring, permutations, base conversions.

use std::collections::HashMap;

use hecc_grammar::plan::{Form, Key, LimbSet, Op, Params, Plan};

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
}

impl Context {
    /// Everything that the instructions of a plan need.
    pub fn new(plan: &Plan) -> Context {
        let params = plan.params.clone();
        let ring = Ring::new(&params);
        let (permutations, converters) = (HashMap::new(), HashMap::new());
        let mut context = Context { params, ring, permutations, converters };
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
                Op::Rescale(a) | Op::ModSwitch(a, _) | Op::ModDown(a) => {
                    context.prepare_division(before, after, plan.ty(*a).form);
                }
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
