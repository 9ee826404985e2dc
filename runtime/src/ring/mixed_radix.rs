//! Integers from their residues.

use super::{Modulus, sign_mask};

/// Integers from residues: `x = d_0 + q_0·(d_1 + q_1·(..))`.
pub struct MixedRadix {
    moduli: Vec<Modulus>,
    /// 1/q_j mod q_k, for j < k.
    inverses: Vec<Vec<u64>>,
    half: Vec<u64>,
}

impl MixedRadix {
    /// The tables for some odd moduli.
    pub fn new(moduli: &[Modulus]) -> MixedRadix {
        let moduli = moduli.to_vec();
        let inverse = |k: usize, j: usize| moduli[k].inverse(moduli[k].reduce(moduli[j].value()));
        let inverses = (0..moduli.len()).map(|k| (0..k).map(|j| inverse(k, j)).collect()).collect();
        // (Q − 1)/2 has the digits (q_k − 1)/2 since every q_k is odd.
        let half = moduli.iter().map(|q| q.value() / 2).collect();
        MixedRadix { moduli, inverses, half }
    }

    /// The integer congruent to the residues of smallest magnitude, as a double. Its sign, which may be secret, decides no
    /// branch: both signs are computed, and one is taken.
    pub fn centered(&self, residues: &[u64]) -> f64 {
        let digits = self.digits(residues);
        let negated: Vec<u64> = residues.iter().zip(&self.moduli).map(|(&r, q)| q.neg(r)).collect();
        let (positive, negative) = (self.value(&digits), -self.value(&self.digits(&negated)));
        let mask = self.exceeds_half(&digits);
        f64::from_bits((positive.to_bits() & !mask) | (negative.to_bits() & mask))
    }

    /// All ones if the digits are more than (Q − 1)/2, else zero: the borrow of subtracting them from it.
    fn exceeds_half(&self, digits: &[u64]) -> u64 {
        let subtract = |borrow: u64, (&digit, &half): (&u64, &u64)| {
            sign_mask(half.wrapping_sub(digit).wrapping_sub(borrow & 1))
        };
        digits.iter().zip(&self.half).fold(0, subtract)
    }

    fn digits(&self, residues: &[u64]) -> Vec<u64> {
        let mut digits: Vec<u64> = vec![];
        for (k, q) in self.moduli.iter().enumerate() {
            let mut d = residues[k];
            for (j, &earlier) in digits.iter().enumerate() {
                d = q.mul(q.sub(d, q.reduce(earlier)), self.inverses[k][j]);
            }
            digits.push(d);
        }
        digits
    }

    fn value(&self, digits: &[u64]) -> f64 {
        digits
            .iter()
            .zip(&self.moduli)
            .rev()
            .fold(0.0, |x, (&d, q)| x * q.value() as f64 + d as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_integers_come_back() {
        let moduli = [17u64, 97, 113].map(Modulus::new);
        let radix = MixedRadix::new(&moduli);
        let q = 17 * 97 * 113i64;
        for x in -q / 2..=q / 2 {
            let residues = moduli.each_ref().map(|m| m.from_signed(x));
            assert_eq!(radix.centered(&residues), x as f64);
        }
    }
}
