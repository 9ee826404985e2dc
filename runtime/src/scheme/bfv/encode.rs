//! Encoding: integers modulo t in slots to polynomials modulo t, and from there to those of ciphertexts.

use crate::kernel::active;
use crate::ring::{Modulus, NttTable, Ring};
use crate::rlwe::Poly;

/// The slots of one plaintext prime: two rows of N/2, slot j of the first is m(ψ^(5^j)), of the second m(ψ^(−5^j)), so
/// that X → X^(5^k) moves both rows left by k, and X → X^−1 lets them change places (Smart, Vercauteren, eprint 2011/133).
pub struct Batch {
    table: NttTable,
    /// For each slot, its place in the NTT domain.
    places: Vec<u32>,
}

impl Batch {
    /// Tables for a ring of degree `n` and a prime t ≡ 1 mod 2n.
    pub fn new(n: usize, t: u64) -> Batch {
        let mut place = vec![0u32; 2 * n];
        for (i, &exponent) in NttTable::exponents(n).iter().enumerate() {
            place[exponent as usize] = i as u32;
        }
        let powers = std::iter::successors(Some(1usize), |g| Some(g * 5 % (2 * n)));
        let row: Vec<usize> = powers.take(n / 2).collect();
        let exponents = row.iter().copied().chain(row.iter().map(|g| 2 * n - g));
        let places = exponents.map(|exponent| place[exponent]).collect();
        Batch { table: NttTable::new(Modulus::new(t), n), places }
    }

    /// t.
    pub fn modulus(&self) -> &Modulus {
        self.table.modulus()
    }

    /// The polynomial with these slots, residues modulo t; coefficients too are residues modulo t.
    pub fn to_coefficients(&self, slots: &[u64]) -> Vec<u64> {
        let mut values = vec![0; slots.len()];
        for (&place, &slot) in self.places.iter().zip(slots) {
            values[place as usize] = slot;
        }
        (active().intt)(&mut values, &self.table);
        values
    }

    /// The slots of a polynomial.
    pub fn to_slots(&self, mut coefficients: Vec<u64>) -> Vec<u64> {
        (active().ntt)(&mut coefficients, &self.table);
        self.places.iter().map(|&place| coefficients[place as usize]).collect()
    }

    /// A polynomial modulo t as a factor of ciphertexts: its coefficients of least magnitude, on some limbs.
    pub fn as_factor(&self, ring: &Ring, coefficients: &[u64], limbs: &[usize]) -> Poly {
        Poly::build(ring.n(), limbs.len(), |k, out| {
            let table = &ring.tables[limbs[k]];
            (active().lift)(out, coefficients, self.modulus(), table.modulus());
            (active().ntt)(out, table);
        })
    }

    /// A polynomial modulo t, times a correction factor, as a summand of ciphertexts on the limbs, of product Q: `⌊Q/t·m⌉`.
    pub fn as_summand(
        &self,
        ring: &Ring,
        coefficients: &[u64],
        correction_factor: u64,
        limbs: &[usize],
    ) -> Poly {
        let remainders = self.remainders(ring, coefficients, correction_factor, limbs);
        Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]);
            let factor = q.neg(q.inverse(q.reduce(self.modulus().value())));
            for (out, &remainder) in out.iter_mut().zip(&remainders) {
                *out = q.from_signed(remainder);
            }
            let whole = out.to_vec();
            (active().scale)(out, &whole, factor, q);
            (active().ntt)(out, &ring.tables[limbs[k]]);
        })
    }

    /// As [`Self::as_summand`] of one number in every slot, which is a constant polynomial: a residue for each limb.
    pub fn scalar_summand(&self, ring: &Ring, x: u64, limbs: &[usize]) -> Vec<u64> {
        let remainder = self.remainders(ring, &[x], 1, limbs)[0];
        let residue = |&limb: &usize| {
            let q = ring.modulus(limb);
            let t = q.inverse(q.reduce(self.modulus().value()));
            q.mul(q.from_signed(-remainder), t)
        };
        limbs.iter().map(residue).collect()
    }

    /// `Q·m mod t`, centered: `⌊Q/t·m⌉ = (Q·m − remainder)/t`, which modulo every prime of Q is `−remainder/t`.
    fn remainders(
        &self,
        ring: &Ring,
        coefficients: &[u64],
        correction_factor: u64,
        limbs: &[usize],
    ) -> Vec<i64> {
        let t = self.modulus();
        let factor = t.mul(correction_factor, ring.product(limbs.iter().copied(), t));
        coefficients.iter().map(|&c| t.centered(t.mul(c, factor))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::permutation;

    #[test]
    fn automorphisms_move_rows_as_they_say() {
        let (n, t) = (32, 257);
        let batch = Batch::new(n, t);
        let slots: Vec<u64> = (0..n as u64).map(|i| i * i % t).collect();
        let coefficients = batch.to_coefficients(&slots);
        assert_eq!(batch.to_slots(coefficients.clone()), slots);
        let table = NttTable::new(Modulus::new(t), n);
        let moved = |g: usize| {
            let mut values = coefficients.clone();
            (active().ntt)(&mut values, &table);
            let mut values: Vec<u64> =
                permutation(n, g).iter().map(|&i| values[i as usize]).collect();
            (active().intt)(&mut values, &table);
            batch.to_slots(values)
        };
        let (first, second) = slots.split_at(n / 2);
        let left = |row: &[u64], k: usize| [&row[k..], &row[..k]].concat();
        assert_eq!(moved(5), [left(first, 1), left(second, 1)].concat());
        assert_eq!(moved(625 % 64), [left(first, 4), left(second, 4)].concat());
        assert_eq!(moved(2 * n - 1), [second, first].concat());
    }
}
