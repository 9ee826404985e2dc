//! The error that each primitive adds: one formula, cited by the compiler, the simulator, the tests and the docs.
//!
//! All functions return the standard deviation of the error in one slot, in units of 2^−scale: divide by 2^scale
//! for the error of the message. Heuristic average case (independent coefficients; Costache, Curtis, Hales,
//! Murphy, Ogilvie, Player, eprint 2022/162): a polynomial whose N coefficients have variance V has, in each slot,
//! an error of variance N·V. The secret is uniform ternary: its coefficients have variance 2/3.

use crate::plan::{LimbSet, Params};

/// Standard deviation of a coefficient of the RLWE error (eprint 2024/463, section 3).
pub const SIGMA: f64 = 3.19;

/// An error stays below this many standard deviations in all slots: for 2^16 slots the probability of a larger one
/// is below 2^−60.
pub const TAIL: f64 = 10.0;

/// A fresh encryption under the secret key: `e`.
pub fn fresh(params: &Params) -> f64 {
    SIGMA * (params.ring_degree() as f64).sqrt()
}

/// Rounding a plaintext to integer coefficients.
pub fn encode(params: &Params) -> f64 {
    (params.ring_degree() as f64 / 12.0).sqrt()
}

/// Dividing and rounding a ciphertext (`rescale`, `mod_down`): `r_0 + r_1·s (+ r_2·s²)` with `r_i` uniform in
/// [−1/2, 1/2]. The coefficients of s² have variance N·(2/3)².
pub fn rounding(params: &Params, degree: u8) -> f64 {
    let n = params.ring_degree() as f64;
    let powers = (0..=i32::from(degree)).map(|k| (n * 2.0 / 3.0).powi(k));
    (n / 12.0 * powers.sum::<f64>()).sqrt()
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
    (n * n * SIGMA * SIGMA * digits.sum::<f64>()).sqrt()
}
