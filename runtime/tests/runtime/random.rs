//! Random plans of both schemes, for one input and for batches: the evaluators agree on them. What instructions occur is
//! counted.

use std::collections::BTreeMap;

use hecc_grammar::noise::{analyze_exact, budget};
use hecc_grammar::plan::{
    ConstantId, Key, LimbSet, Op, Opcode, Params, Ranges, Scheme, Type, Value, VerifiedPlan,
};

use crate::bfv::{self, RANGE, T, weights};
use crate::common::{Build, next, uniform, usual};
use crate::evaluators::agree;

/// A plan that grows by random steps.
struct Walk {
    build: Build,
    /// Linear ciphertexts of form Q; in CKKS their slots are kept within [−1, 1].
    values: Vec<Value>,
    state: u64,
}

impl Walk {
    fn new(params: Params, is_batch: bool, seed: u64) -> Walk {
        let batch = if is_batch { params.n_slots() } else { 1 };
        let build = Build::with_batch(params, 2, batch);
        Walk { build, values: vec![Value(0), Value(1)], state: seed }
    }

    fn below(&mut self, end: usize) -> usize {
        next(&mut self.state) as usize % end
    }

    /// Two values of one type, and the type.
    fn pair(&mut self) -> (Value, Value, Type) {
        let [i, j] = [0; 2].map(|_| self.below(self.values.len()));
        let (a, b) = (self.values[i], self.values[j]);
        let ty = self.build.plan.ty(a);
        if self.build.plan.ty(b) == ty { (a, b, ty) } else { (a, a, ty) }
    }

    /// A key that moves slots, unless that would mix the inputs of a batch.
    fn moving_key(&mut self) -> Option<Key> {
        let steps = 1 + self.below(4) as u32;
        let key = if self.below(3) == 0 { Key::Conjugate } else { Key::Rotate(steps) };
        (self.build.plan.batch == 1).then_some(key)
    }

    /// Sums of products with a table, not yet divided, as layers are computed.
    fn hoisted(&mut self, a: Value, b: Value, table: ConstantId) -> Value {
        let mut terms = vec![(self.build.op(Op::ModUp(b)), table)];
        if let Some(keys) = self.moving_key().zip(self.moving_key()) {
            let digits = self.build.op(Op::Decompose(a));
            for key in [keys.0, keys.1] {
                terms.push((self.build.op(Op::ApplyKey(digits, key)), table));
            }
        }
        self.build.op(Op::DotPlain(terms))
    }

    /// CKKS: one of the steps that take no prime, or else one of those that rescale.
    fn approximate_step(&mut self) -> Option<Value> {
        let (a, _, ty) = self.pair();
        match self.below(8) {
            0 => Some(self.build.op(Op::Neg(a))),
            1 => self.moving_key().map(|key| self.build.switch(a, key)),
            2 => {
                let sparse = self.build.switch(a, Key::Encapsulate);
                Some(self.build.switch(sparse, Key::Decapsulate))
            }
            3 if ty.limbs.len() > 1 => Some(self.build.op(Op::Drop(a, ty.limbs.without_last()))),
            _ => self.rescaled_step(),
        }
    }

    fn rescaled_step(&mut self) -> Option<Value> {
        let (a, b, ty) = self.pair();
        if ty.limbs.len() < 3 {
            return None;
        }
        let scale = self.build.plan.params.log_q(ty.limbs.last()?);
        let half = self.build.splat(0.5, scale);
        let product = match self.below(5) {
            0 => {
                let product = self.build.op(Op::Mul(a, b));
                self.build.switch(product, Key::Relinearize)
            }
            1 => {
                let n_slots = self.build.plan.params.n_slots();
                let weights = (0..n_slots).map(|_| uniform(&mut self.state) / 3.0);
                let weights: Vec<f64> = weights.collect();
                let table = self.build.table(&weights, scale);
                let sum = self.hoisted(a, b, table);
                // Rescaling divides by P as well.
                if self.below(2) == 0 { self.build.op(Op::ModDown(sum)) } else { sum }
            }
            2 => {
                let sum = if self.below(2) == 0 { Op::Add(a, b) } else { Op::Sub(a, b) };
                let sum = self.build.op(sum);
                self.build.op(Op::MulPlain(sum, half))
            }
            3 => self.build.op(Op::DotPlain(vec![(a, half), (b, half)])),
            _ => {
                let product = self.build.op(Op::MulPlain(a, half));
                let rescaled = self.build.op(Op::Rescale(product));
                let quarter = self.build.splat(0.25, self.build.plan.ty(rescaled).scale);
                return Some(self.build.op(Op::AddPlain(rescaled, quarter)));
            }
        };
        Some(self.build.op(Op::Rescale(product)))
    }

    /// BFV: a step, unless it adds messages with different factors.
    fn exact_step(&mut self) -> Option<Value> {
        let (a, b, ty) = self.pair();
        let n_slots = self.build.plan.params.n_slots();
        let few = [-3.0, -1.0, 2.0, 3.0][self.below(4)];
        let few = self.build.splat(few, 0.0);
        let table = weights(n_slots, &mut self.state);
        let table = self.build.table(&table, 0.0);
        let before = self.build.plan.clone();
        let value = match self.below(11) {
            0 => self.build.op(Op::Add(a, b)),
            1 => self.build.op(Op::Sub(a, b)),
            2 => self.build.op(Op::Neg(a)),
            3 => self.build.op(Op::AddPlain(a, table)),
            4 => self.build.op(Op::MulPlain(a, few)),
            5 => self.build.op(Op::DotPlain(vec![(a, few), (b, few)])),
            6 | 7 => {
                let product = if self.below(2) == 0 { Op::Mul(a, b) } else { Op::MulBgv(a, b) };
                let product = self.build.op(product);
                self.build.switch(product, Key::Relinearize)
            }
            8 if ty.limbs.len() > 1 => {
                let fewer = LimbSet::first(ty.limbs.len() - 1);
                self.build.op(Op::ModSwitch(a, fewer))
            }
            9 => {
                let key = self.moving_key()?;
                self.build.switch(a, key)
            }
            _ => {
                let sum = self.hoisted(a, b, table);
                let limbs = LimbSet::first(ty.limbs.len().max(2) - 1);
                let whole = self.below(2) == 0;
                self.build.op(if whole { Op::ModDown(sum) } else { Op::ModSwitch(sum, limbs) })
            }
        };
        let is_sound = self.build.plan.correction_factors(self.build.plan.params.t()[0]).is_ok();
        if !is_sound {
            self.build.plan = before;
        }
        is_sound.then_some(value)
    }

    /// The plan after some steps; its outputs are all values whose noise fits.
    fn finish(mut self, n_steps: usize) -> VerifiedPlan {
        for _ in 0..n_steps {
            let value = match self.build.plan.params.scheme() {
                Scheme::Ckks => self.approximate_step(),
                Scheme::Bfv => self.exact_step(),
            };
            self.values.extend(value);
        }
        if self.build.plan.params.scheme() == Scheme::Bfv {
            let noise = analyze_exact(&self.build.plan);
            let left = |v: Value| budget(&self.build.plan, v, noise[v.index()]);
            self.values.retain(|&v| left(v) >= 0.0);
        }
        self.build.finish(&self.values)
    }
}

/// Checks that every instruction of a scheme is in some of the plans, but for those that need a test of their own.
fn check_coverage(plans: &[VerifiedPlan], scheme: Scheme, apart: &[Opcode]) {
    let mut counts = BTreeMap::<Opcode, usize>::new();
    for op in plans.iter().flat_map(|plan| &plan.ops) {
        *counts.entry(op.opcode()).or_default() += 1;
    }
    let of_scheme = |opcode: &&Opcode| opcode.scheme().is_none_or(|of| of == scheme);
    for opcode in Opcode::ALL.iter().filter(of_scheme).filter(|opcode| !apart.contains(opcode)) {
        let count = counts.get(opcode).copied().unwrap_or(0);
        assert!(count >= 4, "{} occurs {count} times: {counts:?}", opcode.mnemonic());
    }
}

/// A random plan of CKKS.
pub(crate) fn approximate(seed: u64) -> VerifiedPlan {
    let params = usual(10, 5, 1 + seed as usize % 3);
    Walk::new(params, seed % 4 == 3, 42 + seed).finish(24)
}

/// A random plan of BFV with some plaintext primes.
pub(crate) fn exact(seed: u64, n_primes: usize) -> VerifiedPlan {
    let params = bfv::bfv(10, 6, 1 + seed as usize % 3, &T[..n_primes]);
    let mut walk = Walk::new(params, seed % 4 == 3, 7 + seed);
    for input in &mut walk.build.plan.inputs {
        input.ranges = Ranges::all(-RANGE, RANGE);
    }
    walk.finish(24)
}

#[test]
fn approximate_plans() {
    let plans: Vec<VerifiedPlan> = (0..14).map(approximate).collect();
    check_coverage(&plans, Scheme::Ckks, &[Opcode::ModRaise]);
    assert!(plans.iter().any(|plan| plan.batch > 1));
    plans.iter().zip(0..).for_each(|(plan, seed)| agree(plan, &[seed]));
}

#[test]
fn exact_plans() {
    let plans: Vec<VerifiedPlan> = (0..12).map(|seed| exact(seed, 1)).collect();
    check_coverage(&plans, Scheme::Bfv, &[]);
    assert!(plans.iter().any(|plan| plan.batch > 1));
    for (plan, seed) in plans.iter().zip(0..) {
        bfv::check(plan, seed..seed + 1, f64::INFINITY);
    }
}
