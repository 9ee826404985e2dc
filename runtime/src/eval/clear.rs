//! Runs a plan on cleartext slots: exactly, or with an error of the predicted size added at every step.

use std::sync::Arc;

use hecc_grammar::noise;
use hecc_grammar::plan::{Constant, ConstantId, Key, Op, Plan, Value, VerifiedPlan, View};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What is added to the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Nothing: what the plan computes in exact arithmetic.
    None,
    /// Normal errors with the deviations of `hecc_grammar::noise`, drawn from this seed.
    Predicted(u64),
}

/// A plan ready to run on cleartext slots; may be shared by threads that run it on different inputs.
pub struct ClearEvaluator<'a> {
    plan: &'a VerifiedPlan,
    /// The slots of the constants that fit the budget.
    constants: Vec<Option<Vec<f64>>>,
    last_uses: Vec<Option<usize>>,
    /// The deviation of the error that each instruction adds.
    added: Vec<f64>,
}

/// The slots of a constant.
enum Slots<'a> {
    Same(f64),
    Held(&'a [f64]),
    Made(Vec<f64>),
}

/// Runs a plan once on the slots of its input ciphertexts, see [`ClearEvaluator::run`].
///
/// # Panics
/// If the number of inputs or their slots differ from the plan's.
pub fn run_clear(
    plan: &VerifiedPlan,
    inputs: &[Vec<f64>],
    noise: Noise,
    observe: impl FnMut(Value, &[f64]),
) -> Vec<Vec<f64>> {
    ClearEvaluator::new(plan, 0).run(inputs, noise, observe)
}

impl<'a> ClearEvaluator<'a> {
    /// Prepares a plan; slots of constants are kept from run to run while they take no more than `cache_bytes`.
    pub fn new(plan: &'a VerifiedPlan, cache_bytes: usize) -> ClearEvaluator<'a> {
        let n_held = cache_bytes / (size_of::<f64>() * plan.params.n_slots());
        let mut left = n_held;
        let mut hold = |(i, constant): (usize, &Constant)| match constant.view {
            View::Table { .. } if left > 0 => {
                left -= 1;
                Some(plan.slots_of(ConstantId(i as u32)))
            }
            View::Table { .. } | View::Splat(_) => None,
        };
        ClearEvaluator {
            plan,
            constants: plan.constants.iter().enumerate().map(&mut hold).collect(),
            last_uses: plan.last_uses(),
            added: plan.values().map(|(value, op)| added_error(plan, value, op)).collect(),
        }
    }

    /// Runs the plan on the slots of its input ciphertexts. `observe` sees every value as soon as it is computed.
    ///
    /// # Panics
    /// If the number of inputs or their slots differ from the plan's.
    pub fn run(
        &self,
        inputs: &[Vec<f64>],
        noise: Noise,
        mut observe: impl FnMut(Value, &[f64]),
    ) -> Vec<Vec<f64>> {
        let (n_inputs, n_slots) = (self.plan.n_input_ciphertexts(), self.plan.params.n_slots());
        assert_eq!(inputs.len(), n_inputs, "one slot vector for each input ciphertext");
        assert!(inputs.iter().all(|x| x.len() == n_slots), "every slot has a number");
        let mut values: Vec<Option<Arc<Vec<f64>>>> = vec![None; self.plan.ops.len()];
        for (value, op) in self.plan.values() {
            let mut slots = self.step(op, inputs, &values);
            let deviation = self.added[value.index()];
            if let Noise::Predicted(seed) = noise
                && deviation > 0.0
            {
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(value.0) << 32));
                let slots = Arc::make_mut(&mut slots);
                slots.iter_mut().for_each(|x| *x += deviation * normal(&mut rng));
            }
            observe(value, &slots);
            if self.last_uses[value.index()].is_some() {
                values[value.index()] = Some(slots);
            }
            for operand in op.operands() {
                if self.last_uses[operand.index()] == Some(value.index()) {
                    values[operand.index()] = None;
                }
            }
        }
        let output = |v: Value| values[v.index()].as_ref().expect("outputs are kept").to_vec();
        self.plan.output_values().map(output).collect()
    }

    fn step(
        &self,
        op: &Op,
        inputs: &[Vec<f64>],
        values: &[Option<Arc<Vec<f64>>>],
    ) -> Arc<Vec<f64>> {
        let operand = |v: &Value| values[v.index()].as_ref().expect("operands precede users");
        let zip = |a: &Value, b: &[f64], f: fn(f64, f64) -> f64| {
            operand(a).iter().zip(b).map(|(&a, &b)| f(a, b)).collect::<Vec<f64>>()
        };
        let plain = |a: &Value, c: &ConstantId, f: fn(f64, f64) -> f64| match self.slots(*c) {
            Slots::Same(c) => operand(a).iter().map(|&a| f(a, c)).collect(),
            Slots::Held(c) => zip(a, c, f),
            Slots::Made(c) => zip(a, &c, f),
        };
        Arc::new(match op {
            Op::Input(index) => inputs[*index as usize].clone(),
            Op::Add(a, b) => zip(a, operand(b), |a, b| a + b),
            Op::Sub(a, b) => zip(a, operand(b), |a, b| a - b),
            Op::Mul(a, b) => zip(a, operand(b), |a, b| a * b),
            Op::Neg(a) => operand(a).iter().map(|x| -x).collect(),
            Op::AddPlain(a, c) => plain(a, c, |a, c| a + c),
            Op::MulPlain(a, c) => plain(a, c, |a, c| a * c),
            Op::DotPlain(terms) => {
                let mut sum = vec![0.0; self.plan.params.n_slots()];
                for (a, c) in terms {
                    let products = sum.iter_mut().zip(operand(a).iter());
                    match self.slots(*c) {
                        Slots::Same(c) => products.for_each(|(sum, a)| *sum += a * c),
                        Slots::Held(c) => products.zip(c).for_each(|((sum, a), c)| *sum += a * c),
                        Slots::Made(c) => products.zip(c).for_each(|((sum, a), c)| *sum += a * c),
                    }
                }
                sum
            }
            Op::Rotate(a, steps) | Op::ApplyKey(a, Key::Rotate(steps)) => {
                let (first, rest) = operand(a).split_at(*steps as usize);
                [rest, first].concat()
            }
            Op::ApplyKey(a, Key::Relinearize | Key::Conjugate)
            | Op::Relinearize(a)
            | Op::Conjugate(a)
            | Op::Rescale(a)
            | Op::Drop(a, _)
            | Op::Decompose(a)
            | Op::ModUp(a)
            | Op::ModDown(a)
            | Op::ModRaise(a, _) => return operand(a).clone(),
        })
    }

    fn slots(&self, constant: ConstantId) -> Slots<'_> {
        match (&self.plan.constants[constant.index()].view, &self.constants[constant.index()]) {
            (View::Splat(x), _) => Slots::Same(*x),
            (View::Table { .. }, Some(slots)) => Slots::Held(slots),
            (View::Table { .. }, None) => Slots::Made(self.plan.slots_of(constant)),
        }
    }
}

/// The deviation of the error that an instruction adds to its result's slots, in message units.
fn added_error(plan: &Plan, value: Value, op: &Op) -> f64 {
    let (params, ty) = (&plan.params, plan.ty(value));
    let deviation = match op {
        Op::Input(_) => noise::fresh(params),
        Op::AddPlain(..) => noise::encode(params),
        Op::Rescale(_) | Op::ModDown(_) => noise::rounding(params, ty.degree),
        Op::ApplyKey(..) => noise::key_product(params, ty.limbs),
        Op::Relinearize(_) | Op::Rotate(..) | Op::Conjugate(_) => {
            noise::key_product(params, ty.limbs).hypot(noise::rounding(params, 1))
        }
        Op::MulPlain(_, c) => return plaintext_error(plan, &[*c]),
        Op::DotPlain(terms) => {
            return plaintext_error(plan, &terms.iter().map(|(_, c)| *c).collect::<Vec<_>>());
        }
        Op::Add(..)
        | Op::Sub(..)
        | Op::Neg(_)
        | Op::Mul(..)
        | Op::Drop(..)
        | Op::Decompose(_)
        | Op::ModUp(_)
        | Op::ModRaise(..) => 0.0,
    };
    deviation * (-ty.scale).exp2()
}

/// Rounding errors of plaintexts, times operands within [−1, 1].
fn plaintext_error(plan: &Plan, constants: &[ConstantId]) -> f64 {
    let variance = |c: &ConstantId| {
        let Constant { view, scale } = &plan.constants[c.index()];
        let coefficients = match view {
            // One coefficient is rounded, and seen alike in all slots.
            View::Splat(_) => 1.0 / 12.0,
            View::Table { .. } => noise::encode(&plan.params).powi(2),
        };
        coefficients * (-2.0 * scale).exp2()
    };
    constants.iter().map(variance).sum::<f64>().sqrt()
}

/// A nearly normal number of mean 0 and deviation 1, at most 7: a binomial of 48 bits, smoothed by a uniform number.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let word = rng.next_u64();
    let binomial = f64::from((word >> 16).count_ones()) - 24.0;
    let uniform = ((word & 0xffff) as f64 + 0.5) / 65536.0 - 0.5;
    (binomial + uniform) / (12.0f64 + 1.0 / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_moments_of_the_normal_distribution() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> = (0..200_000).map(|_| normal(&mut rng)).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / draws.len() as f64;
        assert!(moment(1).abs() < 0.01);
        assert!((moment(2) - 1.0).abs() < 0.02);
        assert!((moment(4) - 3.0).abs() < 0.1);
    }
}
