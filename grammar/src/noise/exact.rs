//! The noise of BFV: how much each value carries, and how much its modulus holds.
//!
//! A ciphertext on primes of product Q decrypts to `Q/t·m + e` (Fan, Vercauteren, eprint 2012/144): the message is
//! exact while every coefficient of e stays below Q/2t. Deviations are heuristic average case, as in the rest of this
//! module, but of coefficients instead of slots.

use std::collections::BTreeMap;

use crate::plan::{Constant, ConstantId, Op, Params, Plan, Slots, Value, View};

use super::{SIGMA, key_product, rounding};

/// A coefficient stays below this many standard deviations: it is a sum of N independent products, nearly normal, so
/// that one passes the bound with probability 2^−100.
pub const EXACT_TAIL: f64 = 12.0;

/// The noise must stay below a quarter of Q/t, not half of it: what is above tells the client that the plan failed.
pub const HEADROOM_BITS: f64 = 2.0;

/// How much a product's variance exceeds that of independent factors: overflow and noise both depend on the secret.
const DEPENDENCE: f64 = 2.0;

/// For every value, log2 of the standard deviation of a coefficient of its noise, for the largest plaintext prime. In
/// the form QP it is that of the value divided by P.
pub fn analyse_exact(plan: &Plan) -> Vec<f64> {
    ConstantSizes::new(plan).analyse(plan)
}

/// How large the constants of a plan are as polynomials, which takes longer to find out than all the rest, and does not
/// depend on the plaintext primes.
pub struct ConstantSizes(Vec<Size>);

enum Size {
    /// One coefficient.
    Number(f64),
    /// So many coefficients, which are as good as uniform modulo t.
    Uniform(usize),
}

impl ConstantSizes {
    /// The sizes of all constants.
    pub fn new(plan: &Plan) -> ConstantSizes {
        ConstantSizes((0..plan.constants.len()).map(|c| size(plan, ConstantId(c as u32))).collect())
    }

    /// As [`analyse_exact`], of a plan with the same constants.
    pub fn analyse(&self, plan: &Plan) -> Vec<f64> {
        let mut analysis = Analysis { plan, sizes: self, variances: vec![] };
        for (value, op) in plan.values() {
            let variance = analysis.step(value, op);
            analysis.variances.push(variance);
        }
        analysis.variances.into_iter().map(|variance| variance.log2() / 2.0).collect()
    }

    /// The squared norm of the polynomial that a constant is encoded as, modulo t.
    fn squared_norm(&self, constant: ConstantId, t: f64) -> f64 {
        match self.0[constant.index()] {
            Size::Number(0.0) => 0.0,
            Size::Number(x) => (x * x).min(t * t / 4.0),
            Size::Uniform(coefficients) => coefficients as f64 * t * t / 12.0,
        }
    }
}

/// Slots that repeat with period w are a polynomial of 2w coefficients, of one if w is 1.
fn size(plan: &Plan, constant: ConstantId) -> Size {
    let Constant { view, .. } = &plan.constants[constant.index()];
    match view {
        View::Splat(x) | View::Imaginary(x) => Size::Number(*x),
        View::Table { .. } | View::Embedding(_) => {
            let Slots { re: slots, .. } = plan.slots_of(constant);
            match period(&slots) {
                1 => Size::Number(slots[0]),
                period => Size::Uniform((2 * period).min(slots.len())),
            }
        }
    }
}

/// The smallest power of two that slots repeat with.
fn period(slots: &[f64]) -> usize {
    let mut period = slots.len();
    while period > 1 && slots[..period / 2] == slots[period / 2..period] {
        period /= 2;
    }
    period
}

/// Bits that are left of the modulus of a value whose noise has the deviation 2^`log_noise`: below 0, the result may
/// be wrong.
pub fn budget(plan: &Plan, value: Value, log_noise: f64) -> f64 {
    let params = &plan.params;
    let log_q: f64 = plan.ty(value).limbs.iter().map(|limb| params.log_q(limb)).sum();
    log_q - params.largest_t().log2() - HEADROOM_BITS - EXACT_TAIL.log2() - log_noise
}

/// Variance of a coefficient of what dividing and rounding a ciphertext leaves.
pub fn rounding_variance(params: &Params, degree: u8) -> f64 {
    to_coefficients(params, rounding(params, degree))
}

/// Variance of a coefficient of what a key switch on the primes of a value adds, its division by P not counted.
fn key_variance(plan: &Plan, value: Value) -> f64 {
    to_coefficients(&plan.params, key_product(&plan.params, plan.ty(value).limbs))
}

/// A slot sees N coefficients, half of them in its real part.
fn to_coefficients(params: &Params, deviation: f64) -> f64 {
    deviation * deviation * 2.0 / params.ring_degree() as f64
}

struct Analysis<'a> {
    plan: &'a Plan,
    sizes: &'a ConstantSizes,
    variances: Vec<f64>,
}

impl Analysis<'_> {
    fn step(&self, value: Value, op: &Op) -> f64 {
        let plan = self.plan;
        let params = &plan.params;
        let of = |v: &Value| self.variances[v.index()];
        let linear = rounding_variance(params, 1);
        match op {
            Op::Input(_) => SIGMA * SIGMA,
            Op::Add(a, b) if a == b => 4.0 * of(a),
            Op::Add(a, b) | Op::Sub(a, b) => of(a) + of(b),
            Op::Neg(a) | Op::Decompose(a) | Op::ModUp(a) => of(a),
            Op::AddPlain(a, _) => of(a) + 1.0 / 12.0,
            Op::MulPlain(a, c) => of(a) * self.norm(*c),
            Op::DotPlain(terms) => {
                // A value that is read several times brings the same noise each time.
                let mut norms: BTreeMap<&Value, f64> = BTreeMap::new();
                for (v, c) in terms {
                    *norms.entry(v).or_default() += self.norm(*c).sqrt();
                }
                norms.into_iter().map(|(v, norm)| of(v) * norm * norm).sum()
            }
            Op::Mul(a, b) => {
                let n = params.ring_degree() as f64;
                // What the operands are multiplied by: t times their overflow beyond Q, which is a rounding's size.
                let factor = params.largest_t().powi(2) * n * linear * DEPENDENCE;
                let sum = if a == b { 4.0 * of(a) } else { of(a) + of(b) };
                factor * sum + rounding_variance(params, 2)
            }
            Op::MulBgv(a, b) => {
                let n = params.ring_degree() as f64;
                // The phase times t is t·e − [Q·m]_t, and products of messages are as good as uniform modulo t.
                let phase = |v: &Value| of(v) + 1.0 / 12.0;
                // A square's products of coefficients come in pairs.
                let pairs = if a == b { 2.0 } else { 1.0 };
                params.largest_t().powi(2) * n * phase(a) * phase(b) * DEPENDENCE * pairs
            }
            Op::Relinearize(a) | Op::Rotate(a, _) | Op::Conjugate(a) => {
                of(a) + key_variance(plan, value) + linear
            }
            Op::ApplyKey(a, _) => of(a) + key_variance(plan, value),
            Op::ModDown(a) => of(a) + linear,
            Op::ModSwitch(a, limbs) => {
                let dropped = plan.ty(*a).limbs.difference(*limbs);
                let log: f64 = dropped.iter().map(|limb| params.log_q(limb)).sum();
                of(a) * (-2.0 * log).exp2() + rounding_variance(params, plan.ty(value).degree)
            }
            Op::Rescale(a) | Op::Drop(a, _) | Op::ModRaise(a, _) => of(a),
        }
    }

    fn norm(&self, constant: ConstantId) -> f64 {
        self.sizes.squared_norm(constant, self.plan.params.largest_t())
    }
}
