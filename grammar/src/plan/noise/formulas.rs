//! The error that each primitive adds: one formula, cited by the compiler, the simulator, the tests and the docs.
//!
//! The functions of one primitive return the standard deviation of the error in one slot, in units of 2^−scale: divide by 2^scale
//! for the error of the message. Heuristic average case (independent coefficients; Costache, Curtis, Hales,
//! Murphy, Ogilvie, Player, eprint 2022/162): a polynomial whose N coefficients have variance V has, in the real part
//! of each slot, an error of variance N·V/2. The secret is uniform ternary: its coefficients have variance 2/3.

use crate::plan::LimbSet;
use crate::security::EPHEMERAL_WEIGHT;

use super::moduli::Moduli;

/// Standard deviation of a coefficient of the RLWE error: a centered binomial of 42 bits has variance 21/2, at least the
/// 3.19² that the security table assumes.
pub const SIGMA: f64 = 3.24037;

/// −ln of the probability with which an error passes its bound in a slot: 2^−55, below 2^−40 for 2^15 slots together.
const TAIL_EXPONENT: f64 = 55.0 * std::f64::consts::LN_2;

/// Of errors that end in a single rounding, see [`tail`].
pub(super) const LARGEST_TAIL: f64 = TAIL_EXPONENT / std::f64::consts::SQRT_2;

/// An error stays below this many standard deviations in all slots. Most errors end in a rounding, a product with the
/// secret: in a slot that is the product of two complex normal variables, whose real part follows the Laplace
/// distribution, so t deviations are passed with probability exp(−√2·t). A sum of k of them alike passes t with at most
/// exp(−λt)·(1 − λ²/2k)^−k for every λ below √2k (Chernoff); `concentration` is 1/k.
pub fn tail(concentration: f64) -> f64 {
    const STEPS: u32 = 64;
    let k = 1.0 / concentration;
    let bound = |step: u32| {
        let share = f64::from(step) / f64::from(STEPS);
        let lambda = share * (2.0 * k).sqrt().min(LARGEST_LAMBDA);
        (TAIL_EXPONENT - k * (-lambda * lambda / (2.0 * k)).ln_1p()) / lambda
    };
    (1..STEPS).map(bound).fold(LARGEST_TAIL, f64::min)
}

/// Where [`tail`] looks: normal variables, the limit of many alike, take √(2·TAIL_EXPONENT).
const LARGEST_LAMBDA: f64 = 10.0;

/// A fresh encryption: plans hold for either key.
pub fn fresh(moduli: &Moduli) -> f64 {
    fresh_secret(moduli).max(fresh_public(moduli))
}

/// A fresh encryption under the secret key: `e`.
pub fn fresh_secret(moduli: &Moduli) -> f64 {
    SIGMA * (moduli.n() / 2.0).sqrt()
}

/// A fresh encryption under the public key: `(v·e + e_0 + e_1·s)/p`, with v as small as a secret, and what dividing by the first
/// special prime p rounds off, which is most of it. Without special primes nothing is divided.
pub fn fresh_public(moduli: &Moduli) -> f64 {
    let n = moduli.n();
    let product = SIGMA * (n / 2.0 * (1.0 + n * 4.0 / 3.0)).sqrt();
    match moduli.log_p.first() {
        Some(log_p) => (product / log_p.exp2()).hypot(rounding(moduli, 1)),
        None => product,
    }
}

/// Rounding a plaintext to integer coefficients. Real slots give symmetric polynomials, whose rounding errors are as
/// symmetric: all of the error is in the real part.
pub fn encode(moduli: &Moduli) -> f64 {
    (moduli.n() / 12.0).sqrt()
}

/// Dividing and rounding a ciphertext (`rescale`, `mod_down`): `r_0 + r_1·s (+ r_2·s²)` with `r_i` uniform in
/// [−1/2, 1/2]. In a slot s is normal, so its power s^k has the mean square k!·(2N/3)^k.
pub fn rounding(moduli: &Moduli, degree: u8) -> f64 {
    let n = moduli.n();
    let power = |k: i32| f64::from((1..=k).product::<i32>()) * (n * 2.0 / 3.0).powi(k);
    (n / 24.0 * (0..=i32::from(degree)).map(power).sum::<f64>()).sqrt()
}

/// As [`rounding`] of a linear ciphertext under the sparse secret.
pub fn rounding_ephemeral(moduli: &Moduli) -> f64 {
    let n = moduli.n();
    (n / 24.0 * (1.0 + EPHEMERAL_WEIGHT as f64)).sqrt()
}

/// The inner product of the digits with a key, divided by P: `Σ_j d_j·e_j / P`, `d_j` uniform below the digit's
/// product D_j. The rounding of the division is counted by [`rounding`].
pub fn key_product(moduli: &Moduli, limbs: LimbSet) -> f64 {
    let n = moduli.n();
    let log_digits = moduli.log_digits(limbs);
    let log_p = moduli.log_special(&log_digits);
    let digits = log_digits.iter().map(|log_digit| (2.0 * (log_digit - log_p)).exp2() / 12.0);
    // A product of two polynomials sums N products of coefficients, seen in a slot through N coefficients.
    (n * n / 2.0 * SIGMA * SIGMA * digits.sum::<f64>()).sqrt()
}

/// Standard deviation of the multiples of q that `mod_raise` adds to coefficients: sums of residues, uniform in
/// [−q/2, q/2), one for each nonzero coefficient of the sparse secret, and one more.
pub fn overflow() -> f64 {
    ((EPHEMERAL_WEIGHT + 1) as f64 / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_between_those_of_laplace_and_normal_variables() {
        let laplace = TAIL_EXPONENT / std::f64::consts::SQRT_2;
        let normal = (2.0 * TAIL_EXPONENT).sqrt();
        assert_eq!(tail(1.0), laplace);
        assert!((tail(1e-9) - normal).abs() < 0.01 * normal);
        let tails: Vec<f64> = (0..12).map(|i| tail(0.5f64.powi(i))).collect();
        assert!(tails.is_sorted_by(|a, b| a >= b) && tails[11] > normal, "{tails:?}");
    }
}
