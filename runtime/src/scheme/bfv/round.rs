//! The end of decryption: `⌊t/Q·x⌉ mod t`, exactly, and how near it was to failing.

use crate::kernel::active;
use crate::ring::{Modulus, Ring};
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
        let coefficients = Poly::build(n, self.limbs.len(), |k, out| {
            out.copy_from_slice(poly.limb(k));
            (active().intt)(out, &self.ring.tables[self.limbs[k]]);
        });
        let mut noise = 0.0f64;
        let mut message = |i: usize| {
            let (mut whole, mut fraction) = (0, 0.0);
            for (k, (&limb, &inverse)) in self.limbs.iter().zip(&self.inverses).enumerate() {
                let q = self.ring.modulus(limb);
                let a = q.mul(coefficients.limb(k)[i], inverse);
                let product = u128::from(a) * u128::from(t.value());
                let quotient = (product / u128::from(q.value())) as u64;
                let remainder = (product % u128::from(q.value())) as u64;
                whole = t.add(whole, t.reduce(quotient));
                fraction += remainder as f64 / q.value() as f64;
            }
            let nearest = fraction.round();
            noise = noise.max((fraction - nearest).abs());
            t.add(whole, t.reduce(nearest as u64))
        };
        Messages { coefficients: (0..n).map(&mut message).collect(), noise }
    }
}
