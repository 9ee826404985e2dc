//! The end of decryption: `⌊t/Q·x⌉ mod t`, exactly, and how near it was to failing.

use crate::ring::{Modulus, Ring, sign_mask};
use crate::rlwe::Poly;

/// A decrypted polynomial.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    /// Residues modulo t.
    pub coefficients: Vec<u64>,
    /// The largest coefficient of the noise, as a fraction of Q/t. From a quarter on the noise has passed its bound, and
    /// from a half on coefficients are wrong.
    pub noise: f64,
}

/// Divides `x` on some limbs of product Q by Q/t and rounds.
pub struct Rounding<'a> {
    ring: &'a Ring,
    limbs: &'a [usize],
    /// (Q/q_k)^−1 mod q_k.
    inverses: Vec<u64>,
}

impl<'a> Rounding<'a> {
    /// The tables for some limbs.
    pub fn new(ring: &'a Ring, limbs: &'a [usize]) -> Rounding<'a> {
        let inverse = |&limb: &usize| {
            let q = ring.modulus(limb);
            q.inverse(ring.product(limbs.iter().copied().filter(|&other| other != limb), q))
        };
        Rounding { ring, limbs, inverses: limbs.iter().map(inverse).collect() }
    }

    /// The message and its noise.
    ///
    /// With `a_k = x_k·(Q/q_k)^−1 mod q_k`, `t·x/Q = Σ t·a_k/q_k` modulo t: quotients are summed up modulo t, remainders as
    /// fractions in doubles, which are off by less than 2^−50.
    pub fn messages(&self, poly: &Poly, t: &Modulus) -> Messages {
        let n = self.ring.n();
        let places: Vec<usize> = (0..self.limbs.len()).collect();
        let mut coefficients = poly.coefficients(&places, |k| &self.ring.tables[self.limbs[k]]);
        let mut noise = 0.0f64;
        let moduli = self.limbs.iter().map(|&limb| self.ring.modulus(limb).value());
        let multiples: Vec<Multiple> = moduli.map(|q| Multiple::new(t.value(), q)).collect();
        let mut message = |i: usize| {
            let (mut whole, mut fraction) = (0, 0.0);
            for (k, (&limb, &inverse)) in self.limbs.iter().zip(&self.inverses).enumerate() {
                let q = self.ring.modulus(limb);
                let a = q.mul(coefficients.limb(k)[i], inverse);
                let (quotient, remainder) = multiples[k].divide(a);
                whole = t.add(whole, t.reduce(quotient));
                fraction += remainder as f64 / q.value() as f64;
            }
            let nearest = (fraction + 0.5) as u64;
            noise = noise.max((fraction - nearest as f64).abs());
            t.add(whole, t.reduce(nearest))
        };
        let messages = (0..n).map(&mut message).collect();
        coefficients.wipe();
        Messages { coefficients: messages, noise }
    }
}

/// Quotients and remainders of `t·a` by q, for `a` in `[0, q)`: division instructions take a time that depends on what they
/// divide.
struct Multiple {
    q: u64,
    /// ⌊t/q⌋ and t mod q.
    whole: u64,
    rest: u64,
    /// ⌊(t mod q)·2^64/q⌋.
    ratio: u64,
}

impl Multiple {
    fn new(t: u64, q: u64) -> Multiple {
        let rest = t % q;
        let ratio = ((u128::from(rest) << 64) / u128::from(q)) as u64;
        Multiple { q, whole: t / q, rest, ratio }
    }

    fn divide(&self, a: u64) -> (u64, u64) {
        // At most one too small.
        let quotient = ((u128::from(a) * u128::from(self.ratio)) >> 64) as u64;
        let remainder = a
            .wrapping_mul(self.rest)
            .wrapping_sub(quotient.wrapping_mul(self.q))
            .wrapping_sub(self.q);
        let is_less = sign_mask(remainder);
        let quotient = quotient + 1 - (is_less & 1);
        (a * self.whole + quotient, remainder.wrapping_add(self.q & is_less))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_those_of_division() {
        for (t, q) in [(2, 257), (65537, (1 << 50) - 27), ((1 << 49) - 1, 65537), (257, 257)] {
            let multiple = Multiple::new(t, q);
            let spread = (0..1000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % q);
            for a in [0, 1, q / 2, q - 2, q - 1].into_iter().chain(spread) {
                let product = u128::from(a) * u128::from(t);
                let expected = product / u128::from(q);
                let rest = (product - expected * u128::from(q)) as u64;
                assert_eq!(multiple.divide(a), (expected as u64, rest), "{a}·{t} by {q}");
            }
        }
    }
}
