//! Runs a plan on cleartext slots: exactly, or with an error of the predicted size added at every step.

use std::sync::Arc;

use hecc_grammar::noise;
use hecc_grammar::plan::{Constant, ConstantId, Key, Op, Plan, Value, VerifiedPlan, View};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What is added to the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Nothing: what the plan computes in exact arithmetic.
    None,
    /// Normal errors with the deviations of `hecc_grammar::noise`, drawn from this seed.
    Predicted(u64),
}

/// Runs a plan on the slots of its input ciphertexts. `observe` sees every value as soon as it is computed.
///
/// # Panics
/// If the number of inputs or their slots differ from the plan's.
pub fn run_clear(
    plan: &VerifiedPlan,
    inputs: &[Vec<f64>],
    noise: Noise,
    mut observe: impl FnMut(Value, &[f64]),
) -> Vec<Vec<f64>> {
    assert_eq!(
        inputs.len(),
        plan.n_input_ciphertexts(),
        "one slot vector for each input ciphertext"
    );
    assert!(
        inputs.iter().all(|slots| slots.len() == plan.params.n_slots()),
        "every slot has a number"
    );
    let last_uses = plan.last_uses();
    let mut values: Vec<Option<Arc<Vec<f64>>>> = vec![None; plan.ops.len()];
    for (value, op) in plan.values() {
        let operand = |v: &Value| values[v.index()].clone().expect("operands precede users");
        let mut slots = apply(plan, op, inputs, operand);
        if let Noise::Predicted(seed) = noise {
            let deviation = added_error(plan, value, op);
            if deviation > 0.0 {
                let mut rng = ChaCha20Rng::seed_from_u64(seed ^ (u64::from(value.0) << 32));
                slots.iter_mut().for_each(|x| *x += deviation * normal(&mut rng));
            }
        }
        observe(value, &slots);
        values[value.index()] = Some(Arc::new(slots));
        for operand in op.operands() {
            if last_uses[operand.index()] == Some(value.index()) {
                values[operand.index()] = None;
            }
        }
    }
    let output = |v: Value| values[v.index()].as_ref().expect("outputs are kept").to_vec();
    plan.output_values().map(output).collect()
}

fn apply(
    plan: &Plan,
    op: &Op,
    inputs: &[Vec<f64>],
    operand: impl Fn(&Value) -> Arc<Vec<f64>>,
) -> Vec<f64> {
    let zip = |a: &Value, b: &Value, f: fn(f64, f64) -> f64| {
        let (a, b) = (operand(a), operand(b));
        a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect()
    };
    let rotate = |a: &Value, steps: u32| {
        let mut slots = operand(a).to_vec();
        slots.rotate_left(steps as usize);
        slots
    };
    match op {
        Op::Input(index) => inputs[*index as usize].clone(),
        Op::Add(a, b) => zip(a, b, |a, b| a + b),
        Op::Sub(a, b) => zip(a, b, |a, b| a - b),
        Op::Mul(a, b) => zip(a, b, |a, b| a * b),
        Op::Neg(a) => operand(a).iter().map(|x| -x).collect(),
        Op::AddPlain(a, c) => {
            operand(a).iter().zip(plan.slots_of(*c)).map(|(x, c)| x + c).collect()
        }
        Op::MulPlain(a, c) => {
            operand(a).iter().zip(plan.slots_of(*c)).map(|(x, c)| x * c).collect()
        }
        Op::DotPlain(terms) => {
            let mut sum = vec![0.0; plan.params.n_slots()];
            for (a, c) in terms {
                for ((sum, x), c) in sum.iter_mut().zip(operand(a).iter()).zip(plan.slots_of(*c)) {
                    *sum += x * c;
                }
            }
            sum
        }
        Op::Rotate(a, steps) | Op::ApplyKey(a, Key::Rotate(steps)) => rotate(a, *steps),
        Op::ApplyKey(a, Key::Relinearize | Key::Conjugate)
        | Op::Relinearize(a)
        | Op::Conjugate(a)
        | Op::Rescale(a)
        | Op::Drop(a, _)
        | Op::Decompose(a)
        | Op::ModUp(a)
        | Op::ModDown(a)
        | Op::ModRaise(a, _) => operand(a).to_vec(),
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

/// A standard normal number (Box, Muller, 1958).
fn normal(rng: &mut ChaCha20Rng) -> f64 {
    let mut unit = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let radius = (-2.0 * (1.0 - unit()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * unit()).cos()
}
