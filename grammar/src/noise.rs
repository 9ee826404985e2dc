//! The error that each primitive adds: one formula, cited by the compiler, the simulator, the tests and the docs.
//!
//! The functions of one primitive return the standard deviation of the error in one slot, in units of 2^−scale: divide by 2^scale
//! for the error of the message. Heuristic average case (independent coefficients; Costache, Curtis, Hales,
//! Murphy, Ogilvie, Player, eprint 2022/162): a polynomial whose N coefficients have variance V has, in the real part
//! of each slot, an error of variance N·V/2. The secret is uniform ternary: its coefficients have variance 2/3.

use crate::plan::{Constant, ConstantId, Key, LimbSet, Op, Params, Plan, Value, View};
use crate::security::EPHEMERAL_WEIGHT;

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

/// As [`rounding`] of a linear ciphertext under the sparse secret.
pub fn rounding_ephemeral(params: &Params) -> f64 {
    let n = params.ring_degree() as f64;
    (n / 24.0 * (1.0 + EPHEMERAL_WEIGHT as f64)).sqrt()
}

/// The inner product of the digits with a key, divided by P: `Σ_j d_j·e_j / P`, `d_j` uniform below the digit's
/// product D_j. The rounding of the division is counted by [`rounding`].
pub fn key_product(params: &Params, limbs: LimbSet) -> f64 {
    let n = params.ring_degree() as f64;
    let special = &params.p[..params.n_special(limbs)];
    let log_p: f64 = special.iter().map(|&prime| (prime as f64).log2()).sum();
    let digits = params.digits(limbs).into_iter().map(|digit| {
        let log_digit: f64 = params.digit(limbs, digit).iter().map(|limb| params.log_q(limb)).sum();
        (2.0 * (log_digit - log_p)).exp2() / 12.0
    });
    // A product of two polynomials sums N products of coefficients, seen in a slot through N coefficients.
    (n * n / 2.0 * SIGMA * SIGMA * digits.sum::<f64>()).sqrt()
}

/// Standard deviation of the multiples of q that `mod_raise` adds to coefficients: sums of so many residues, uniform in
/// [−q/2, q/2), as the sparse secret has nonzero coefficients, and one more.
pub fn overflow() -> f64 {
    ((EPHEMERAL_WEIGHT + 1) as f64 / 12.0).sqrt()
}

/// Standard deviations of the error of a value's slots, in message units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// Of the whole error.
    pub total: f64,
    /// Of what the value's instruction adds.
    pub added: f64,
}

/// What is known of a value without running the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    /// Variance of the error of a slot, in message units.
    variance: f64,
    /// What its instruction adds to the variance that its operands bring.
    added: f64,
    /// Bound of the slots: 1, which is how the compiler normalizes them; in the linear maps of bootstrapping their root
    /// mean square.
    size: f64,
    /// The value that it is the complex conjugate of.
    conjugate: Option<Value>,
}

/// The error of every value's slots, as far as it is known without running the plan. Values that are multiplied are taken to be within [−1, 1], which is how the compiler
/// normalizes them; errors of different values are taken to be independent, but for a value and its own conjugate.
pub fn analyse(plan: &Plan) -> Vec<Deviation> {
    let mut known: Vec<Known> = Vec::with_capacity(plan.ops.len());
    for (value, op) in plan.values() {
        let next = step(plan, value, op, &known);
        known.push(next);
    }
    let deviation = |known: Known| Deviation { total: known.variance.sqrt(), added: known.added.sqrt() };
    known.into_iter().map(deviation).collect()
}

fn step(plan: &Plan, value: Value, op: &Op, known: &[Known]) -> Known {
    let (params, ty) = (&plan.params, plan.ty(value));
    let of = |v: &Value| Known { added: 0.0, ..known[v.index()] };
    let plus = |known: Known, deviation: f64| {
        let added = (deviation * (-ty.scale).exp2()).powi(2);
        Known { variance: known.variance + added, added, ..known }
    };
    let bounded = |variance: f64| Known { variance, added: 0.0, size: 1.0, conjugate: None };
    match op {
        Op::Input(_) => plus(bounded(0.0), fresh(params)),
        Op::Add(a, b) | Op::Sub(a, b) => sum(*a, of(a), *b, of(b)),
        Op::Neg(a) | Op::Drop(a, _) | Op::Decompose(a) | Op::ModUp(a) => of(a),
        Op::AddPlain(a, _) => plus(of(a), encode(params)),
        Op::MulPlain(a, c) => dot(plan, &[(*a, *c)], known),
        Op::DotPlain(terms) => dot(plan, terms, known),
        Op::Mul(a, b) if a == b => bounded(4.0 * of(a).variance),
        Op::Mul(a, b) => bounded(of(a).variance + of(b).variance),
        Op::Relinearize(a) | Op::Rotate(a, _) => {
            plus(of(a), key_product(params, ty.limbs).hypot(rounding(params, 1)))
        }
        Op::Conjugate(a) => Known {
            conjugate: Some(*a),
            ..plus(of(a), key_product(params, ty.limbs).hypot(rounding(params, 1)))
        },
        Op::ApplyKey(a, key) => {
            let conjugate = match (key, &plan.ops[a.index()]) {
                (Key::Conjugate, Op::Decompose(source)) => Some(*source),
                _ => None,
            };
            Known { conjugate, ..plus(of(a), key_product(params, ty.limbs)) }
        }
        Op::ModDown(a) | Op::Rescale(a) => {
            let deviation =
                if ty.ephemeral { rounding_ephemeral(params) } else { rounding(params, ty.degree) };
            plus(of(a), deviation)
        }
        Op::ModRaise(a, _) => {
            let limb = plan.ty(*a).limbs.last().expect("values have limbs");
            let multiple = (params.log_q(limb) - ty.scale).exp2() * overflow();
            Known { size: multiple * (params.n_slots() as f64).sqrt(), ..of(a) }
        }
    }
}

/// The sum of a and b.
fn sum(a: Value, x: Known, b: Value, y: Known) -> Known {
    let (least, most) = (x.variance.min(y.variance), x.variance.max(y.variance));
    // Twice the real or the imaginary part; what the second has more is its own.
    let dependent = a == b || x.conjugate == Some(b) || y.conjugate == Some(a);
    let variance = if dependent { 4.0 * least + (most - least) } else { least + most };
    let size = if x.size <= 1.0 && y.size <= 1.0 { 1.0 } else { x.size.hypot(y.size) };
    Known { variance, added: 0.0, size, conjugate: None }
}

/// `Σ ciphertext · plaintext` in the slot where its error is largest: the ciphertexts' errors times the plaintexts, and
/// the ciphertexts times the plaintexts' rounding errors.
fn dot(plan: &Plan, terms: &[(Value, ConstantId)], known: &[Known]) -> Known {
    let mut carried = vec![0.0; plan.params.n_slots()];
    let (mut everywhere, mut rounding, mut size) = (0.0, 0.0, 0.0);
    for (value, constant) in terms {
        let operand = known[value.index()];
        let Constant { view, scale } = &plan.constants[constant.index()];
        let unit = (-scale).exp2();
        match view {
            View::Splat(x) | View::Imaginary(x) => {
                everywhere += x * x * operand.variance;
                // One coefficient is rounded, and seen alike in all slots.
                let integer = (x / unit).round();
                rounding += ((integer * unit - x) * operand.size).powi(2);
                size = 1.0;
            }
            View::Table { table, factor, runs } => {
                let table = &plan.tables[*table as usize];
                for run in &runs.0 {
                    run.for_each(|slot, element| {
                        let weight = f64::from(table[element as usize]) * factor;
                        carried[slot as usize] += weight * weight * operand.variance;
                    });
                }
                rounding += (encode(&plan.params) * unit * operand.size).powi(2);
                size = 1.0;
            }
            View::Embedding(diagonal) => {
                let power = diagonal.density() * diagonal.factor.powi(2);
                everywhere += power * operand.variance;
                // Complex slots: half of the rounding is in the real part, but so is half of what it is multiplied by
                // each time, twice.
                rounding += (encode(&plan.params) * unit * operand.size).powi(2);
                size = f64::hypot(size, power.sqrt() * operand.size);
            }
        }
    }
    let variance = carried.into_iter().fold(0.0, f64::max) + everywhere + rounding;
    Known { variance, added: rounding, size, conjugate: None }
}
