//! The error that each primitive adds: one formula, cited by the compiler, the simulator, the tests and the docs.
//!
//! All functions return the standard deviation of the error in one slot, in units of 2^−scale: divide by 2^scale
//! for the error of the message. Heuristic average case (independent coefficients; Costache, Curtis, Hales,
//! Murphy, Ogilvie, Player, eprint 2022/162): a polynomial whose N coefficients have variance V has, in the real part
//! of each slot, an error of variance N·V/2. The secret is uniform ternary: its coefficients have variance 2/3.

use crate::plan::{ConstantId, LimbSet, Op, Params, Plan, Value, View};

/// Standard deviation of a coefficient of the RLWE error: a centred binomial of 42 bits has variance 21/2, at least the
/// 3.19² that the security table assumes.
pub const SIGMA: f64 = 3.24037;

/// An error stays below this many standard deviations in all slots. Most errors end in a rounding, a product with the
/// secret: in a slot that is the product of two complex normal variables, whose real part follows the Laplace
/// distribution, so t deviations are passed with probability exp(−√2·t): 2^−55 here, below 2^−40 for 2^15 slots together.
pub const TAIL: f64 = 27.0;

/// A fresh encryption under the secret key: `e`.
pub fn fresh(params: &Params) -> f64 {
    SIGMA * (params.n_slots() as f64).sqrt()
}

/// Rounding a plaintext to integer coefficients. Real slots give symmetric polynomials, whose rounding errors are as
/// symmetric: all of the error is in the real part.
pub fn encode(params: &Params) -> f64 {
    (params.ring_degree() as f64 / 12.0).sqrt()
}

/// Dividing and rounding a ciphertext (`rescale`, `mod_down`): `r_0 + r_1·s (+ r_2·s²)` with `r_i` uniform in
/// [−1/2, 1/2]. In a slot s is normal, so its power s^k has the mean square k!·(2N/3)^k.
pub fn rounding(params: &Params, degree: u8) -> f64 {
    let n = params.ring_degree() as f64;
    let power = |k: i32| f64::from((1..=k).product::<i32>()) * (n * 2.0 / 3.0).powi(k);
    (n / 24.0 * (0..=i32::from(degree)).map(power).sum::<f64>()).sqrt()
}

/// The inner product of the digits with a key, divided by P: `Σ_j d_j·e_j / P`, `d_j` uniform below the digit's
/// product D_j. The rounding of the division is counted by [`rounding`].
pub fn key_product(params: &Params, limbs: LimbSet) -> f64 {
    let n = params.ring_degree() as f64;
    let log_p: f64 = params.p.iter().map(|&prime| (prime as f64).log2()).sum();
    let digits = params.digits(limbs).into_iter().map(|digit| {
        let log_digit: f64 = params.digit(limbs, digit).iter().map(|limb| params.log_q(limb)).sum();
        (2.0 * (log_digit - log_p)).exp2() / 12.0
    });
    // A product of two polynomials sums N products of coefficients, seen in a slot through N coefficients.
    (n * n / 2.0 * SIGMA * SIGMA * digits.sum::<f64>()).sqrt()
}

/// The standard deviation of the error of every value's slots, in message units, as far as it is known without
/// running the plan. Values that are multiplied are taken to be within [−1, 1], which is how the compiler
/// normalizes them; errors of different values are taken to be independent.
pub fn analyse(plan: &Plan) -> Vec<f64> {
    let params = &plan.params;
    let mut variance: Vec<f64> = Vec::with_capacity(plan.ops.len());
    for (value, op) in plan.values() {
        let ty = plan.ty(value);
        let unit = (-ty.scale).exp2();
        let added = |deviation: f64| (deviation * unit).powi(2);
        let of = |v: &Value| variance[v.index()];
        let result = match op {
            Op::Input(_) => added(fresh(params)),
            Op::Add(a, b) if a == b => 4.0 * of(a),
            Op::Add(a, b) | Op::Sub(a, b) => of(a) + of(b),
            Op::Neg(a) | Op::Drop(a, _) | Op::Decompose(a) | Op::ModUp(a) | Op::ModRaise(a, _) => {
                of(a)
            }
            Op::AddPlain(a, _) => of(a) + added(encode(params)),
            Op::MulPlain(a, c) => dot_variance(plan, &[(*a, *c)], &variance),
            Op::DotPlain(terms) => dot_variance(plan, terms, &variance),
            Op::Mul(a, b) if a == b => 4.0 * of(a),
            Op::Mul(a, b) => of(a) + of(b),
            Op::Relinearize(a) | Op::Rotate(a, _) | Op::Conjugate(a) => {
                of(a) + added(key_product(params, ty.limbs)) + added(rounding(params, 1))
            }
            Op::ApplyKey(a, _) => of(a) + added(key_product(params, ty.limbs)),
            Op::ModDown(a) => of(a) + added(rounding(params, ty.degree)),
            Op::Rescale(a) => of(a) + added(rounding(params, ty.degree)),
        };
        variance.push(result);
    }
    variance.into_iter().map(f64::sqrt).collect()
}

/// The variance of `Σ ciphertext · plaintext` in the slot where it is largest: the ciphertexts' errors times the
/// plaintexts, and the ciphertexts (within [−1, 1]) times the plaintexts' rounding errors.
fn dot_variance(plan: &Plan, terms: &[(Value, ConstantId)], variance: &[f64]) -> f64 {
    let mut carried = vec![0.0; plan.params.n_slots()];
    let (mut everywhere, mut rounding) = (0.0, 0.0);
    for (value, constant) in terms {
        let error = variance[value.index()];
        let unit = (-plan.constants[constant.index()].scale).exp2();
        match &plan.constants[constant.index()].view {
            View::Splat(x) => {
                everywhere += x * x * error;
                rounding += unit * unit / 12.0;
            }
            View::Table { table, factor, runs } => {
                let table = &plan.tables[*table as usize];
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let weight = f64::from(table[element as usize]) * factor;
                        carried[slot as usize] += weight * weight * error;
                    });
                }
                rounding += (encode(&plan.params) * unit).powi(2);
            }
        }
    }
    carried.into_iter().fold(0.0, f64::max) + everywhere + rounding
}
