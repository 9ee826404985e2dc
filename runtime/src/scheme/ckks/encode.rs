//! Encoding: real slots to integer polynomials at a scale, and back.

use std::ops::Range;

use hecc_grammar::plan::Slots;

use crate::kernel::active;
use crate::ring::{Modulus, Ring};
use crate::rlwe::Poly;

use super::Embedding;

/// Doubles of this size and a half have the last bit 1: adding and subtracting them rounds to integers.
const TWO_51: f64 = (1u64 << 51) as f64;

/// An encoded plaintext.
#[derive(Clone, Debug, PartialEq)]
pub enum Plaintext {
    /// The same number in every slot: one residue for each limb.
    Scalar(Vec<u64>),
    /// Any slots.
    Full(Blocks),
}

/// A polynomial in the NTT domain whose limbs are constant on blocks of equal length, a power of two: one word for each.
///
/// Slots that repeat with period p hold a polynomial in X^(N/2p), which takes equal values on N/2p neighbours of the bit-
/// reversed order. From 16 on these are neighbours in [`NttTable::exponents`](crate::ring::NttTable::exponents) too.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    values: Poly,
    block: usize,
}

/// Blocks shorter than this are not neighbours in the order that transforms leave.
const SHORTEST_BLOCK: usize = 16;

impl Blocks {
    /// A polynomial of ring degree `n`, in the longest blocks that it has.
    pub fn new(n: usize, poly: Poly) -> Blocks {
        let constant = |block: usize| {
            let limb = |k: usize| poly.limb(k).chunks_exact(block).all(is_constant);
            (0..poly.n_limbs()).all(limb)
        };
        let longer = std::iter::successors(Some(SHORTEST_BLOCK), |block| Some(2 * block));
        let fitting = longer.take_while(|&block| 2 * block <= n && constant(block));
        match fitting.last() {
            None => Blocks { values: poly, block: 1 },
            Some(block) => {
                let pick = |k: usize, out: &mut [u64]| {
                    let firsts = poly.limb(k).iter().step_by(block);
                    out.iter_mut().zip(firsts).for_each(|(out, &first)| *out = first);
                };
                Blocks { values: Poly::build(n / block, poly.n_limbs(), pick), block }
            }
        }
    }

    /// Words `range` of a limb: as they are held, or spread out in `scratch`, which is as long.
    pub fn part<'a>(&'a self, k: usize, range: Range<usize>, scratch: &'a mut [u64]) -> &'a [u64] {
        let limb = self.values.limb(k);
        if self.block == 1 {
            return &limb[range];
        }
        let step = self.block.min(range.len());
        for (i, out) in scratch.chunks_mut(step).enumerate() {
            out.fill(limb[(range.start + i * step) / self.block]);
        }
        scratch
    }
}

fn is_constant(words: &[u64]) -> bool {
    words.iter().all(|word| *word == words[0])
}

impl Plaintext {
    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Plaintext::Scalar(residues) => 8 * residues.len(),
            Plaintext::Full(blocks) => 8 * blocks.values.data().len(),
        }
    }
}

/// Encodes slots at scale 2^scale on some limbs, rounding coefficients to integers.
///
/// Cost: one transform of N/2 complex doubles, then one of each limb.
pub fn encode_slots(
    ring: &Ring,
    embedding: &Embedding,
    slots: &Slots,
    scale: f64,
    limbs: &[usize],
) -> Poly {
    let factor = scale.exp2();
    let mut coefficients = embedding.to_coefficients(slots);
    coefficients.iter_mut().for_each(|c| *c *= factor);
    let largest = coefficients.iter().fold(0.0f64, |largest, c| largest.max(c.abs()));
    if largest < TWO_51 {
        coefficients.iter_mut().for_each(|c| *c = (*c + 3.0 * TWO_51) - 3.0 * TWO_51);
    } else {
        coefficients.iter_mut().for_each(|c| *c = c.round_ties_even());
    }
    Poly::build(ring.n(), limbs.len(), |k, out| {
        let table = &ring.tables[limbs[k]];
        let modulus = table.modulus();
        let pairs = out.iter_mut().zip(&coefficients);
        if largest < modulus.value() as f64 - 1.0 {
            let q = modulus.value() as f64;
            let mask = (1u64 << 52) - 1;
            // Below 2^52, an integer is the significand of itself plus 2^52.
            let bits = |c: f64| (c + if c < 0.0 { q } else { 0.0 } + 2.0 * TWO_51).to_bits();
            pairs.for_each(|(out, &c)| *out = bits(c) & mask);
        } else {
            pairs.for_each(|(out, &c)| *out = residue(modulus, c));
        }
        (active().ntt)(out, table);
    })
}

/// Encodes one number for all slots: the constant polynomial, a residue for each limb.
pub fn encode_splat(ring: &Ring, x: f64, scale: f64, limbs: &[usize]) -> Vec<u64> {
    let c = (x * scale.exp2()).round();
    limbs.iter().map(|&limb| residue(ring.modulus(limb), c)).collect()
}

/// Decodes a polynomial on one or more limbs at scale 2^scale. Its integer coefficients are the centred ones modulo
/// the product of the limbs, taken from a mixed-radix expansion.
pub fn decode(
    ring: &Ring,
    embedding: &Embedding,
    poly: &Poly,
    limbs: &[usize],
    scale: f64,
) -> Vec<f64> {
    let n = ring.n();
    let coefficients = Poly::build(n, limbs.len(), |k, out| {
        out.copy_from_slice(poly.limb(k));
        (active().intt)(out, &ring.tables[limbs[k]]);
    });
    let radix = MixedRadix::new(ring, limbs);
    let factor = (-scale).exp2();
    let mut residues = vec![0; limbs.len()];
    let real: Vec<f64> = (0..n)
        .map(|i| {
            residues.iter_mut().enumerate().for_each(|(k, r)| *r = coefficients.limb(k)[i]);
            radix.centred(&residues) * factor
        })
        .collect();
    embedding.to_slots(&real).re
}

/// An integer-valued double modulo q, whatever its size.
fn residue(q: &Modulus, c: f64) -> u64 {
    debug_assert!(c.is_finite() && c.fract() == 0.0, "coefficients are integers");
    let magnitude = c.abs();
    let r = if magnitude < (1u64 << 53) as f64 {
        q.reduce(magnitude as u64)
    } else {
        // A double this large is its 53-bit significand times a power of two.
        let exponent = (magnitude.to_bits() >> 52) - 1075;
        let significand = magnitude.to_bits() & ((1 << 52) - 1) | 1 << 52;
        q.mul(q.reduce(significand), q.pow(2, exponent))
    };
    if c < 0.0 { q.neg(r) } else { r }
}

/// Integers from residues: `x = d_0 + q_0·(d_1 + q_1·(..))`.
struct MixedRadix {
    moduli: Vec<Modulus>,
    /// 1/q_j mod q_k, for j < k.
    inverses: Vec<Vec<u64>>,
    half: Vec<u64>,
}

impl MixedRadix {
    fn new(ring: &Ring, limbs: &[usize]) -> MixedRadix {
        let moduli: Vec<Modulus> = limbs.iter().map(|&limb| ring.modulus(limb).clone()).collect();
        let inverse = |k: usize, j: usize| moduli[k].inverse(moduli[k].reduce(moduli[j].value()));
        let inverses = (0..moduli.len()).map(|k| (0..k).map(|j| inverse(k, j)).collect()).collect();
        // (Q − 1)/2 has the digits (q_k − 1)/2 since every q_k is odd.
        let half = moduli.iter().map(|q| q.value() / 2).collect();
        MixedRadix { moduli, inverses, half }
    }

    /// The integer congruent to the residues of smallest magnitude, as a double.
    fn centred(&self, residues: &[u64]) -> f64 {
        let digits = self.digits(residues);
        let above = digits.iter().rev().cmp(self.half.iter().rev()) == std::cmp::Ordering::Greater;
        if !above {
            return self.value(&digits);
        }
        let negated: Vec<u64> = residues.iter().zip(&self.moduli).map(|(&r, q)| q.neg(r)).collect();
        -self.value(&self.digits(&negated))
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
    use hecc_grammar::plan::{Params, Scheme};
    use hecc_grammar::security::Security;

    use super::*;

    #[test]
    fn round_trips_at_every_scale_and_limb_count() {
        let params = Params {
            scheme: Scheme::Ckks,
            log_n: 6,
            q: vec![1125899904679937, 1125899903827969, 1125899903500289],
            p: vec![],
            input_level: 2,
            top_scale: 40.0,
            security: Security::Insecure,
        };
        let ring = Ring::new(&params);
        let embedding = Embedding::new(32);
        let slots: Vec<f64> = (0..32).map(|i| (i as f64 - 15.5) / 8.0).collect();
        for (limbs, scale) in [(vec![0], 40.0), (vec![0, 2], 80.5), (vec![0, 1, 2], 120.25)] {
            let real = Slots::real(slots.clone());
            let poly = encode_slots(&ring, &embedding, &real, scale, &limbs);
            let back = decode(&ring, &embedding, &poly, &limbs, scale);
            let error = slots.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-10, "{scale}: {error}");
            let blocks = Blocks::new(64, poly.clone());
            let repeated = Slots::real(slots[..1].repeat(32));
            let periodic = encode_slots(&ring, &embedding, &repeated, scale, &limbs);
            let periodic_blocks = Blocks::new(64, periodic.clone());
            assert_eq!((blocks.block, periodic_blocks.block), (1, 32));
            for (blocks, poly) in [(blocks, poly), (periodic_blocks, periodic)] {
                for range in [0..64, 16..48, 32..64] {
                    let mut scratch = vec![0; range.len()];
                    let part = blocks.part(0, range.clone(), &mut scratch);
                    assert_eq!(part, &poly.limb(0)[range]);
                }
            }
            let splat = encode_splat(&ring, -1.75, scale, &limbs);
            let constant = Poly::build(64, limbs.len(), |k, out| out.fill(splat[k]));
            let back = decode(&ring, &embedding, &constant, &limbs, scale);
            assert!(back.iter().all(|x| (x + 1.75).abs() < 1e-10));
        }
    }
}
