//! Encoding: real slots to integer polynomials at a scale, and back.

use hecc_grammar::plan::Slots;

use zeroize::{Zeroize, Zeroizing};

use crate::kernel::active;
use crate::ring::{MixedRadix, Modulus, Ring, sign_mask};
use crate::rlwe::Poly;

use super::Embedding;

/// Doubles of this size and a half have the last bit 1: adding and subtracting them rounds to integers.
const TWO_51: f64 = (1u64 << 51) as f64;

/// Encodes slots at scale 2^scale on some limbs, rounding coefficients to integers.
///
/// Cost: one transform of N/2 complex doubles, then one of each limb.
pub fn encode_slots(
    ring: &Ring,
    embedding: &Embedding,
    slots: Slots,
    scale: f64,
    limbs: &[usize],
) -> Poly {
    let mut coefficients = embedding.to_coefficients(slots, scale.exp2());
    round(&mut coefficients);
    transformed(ring, &coefficients, limbs)
}

/// Encodes two vectors of real slots at scale 2^scale on some limbs, in one transform: the lower halves of two polynomials in
/// the NTT domain, whose upper halves are their mirror images.
///
/// Real slots a have a polynomial that X → X^−1 leaves as it is, A, and i·b has X^(N/2)·B, which it negates. Both are found in
/// their sum by these symmetries, before rounding among coefficients, after the transforms among values at ψ^e and ψ^−e,
/// where X^(N/2) is a square root of −1.
pub fn encode_real_pair(
    ring: &Ring,
    embedding: &Embedding,
    [re, im]: [Vec<f64>; 2],
    scale: f64,
    limbs: &[usize],
) -> [Poly; 2] {
    let n = ring.n();
    let slots = Slots { re, im: Some(im) };
    let mut coefficients = embedding.to_coefficients(slots, scale.exp2());
    // Of X^k and X^(N−k): that of A changes its sign from one to the other, that of X^(N/2)·B does not.
    let (low, high) = coefficients.split_at_mut(n / 2);
    round(&mut low[..1]);
    round(&mut high[..1]);
    for (x, mirrored) in low[1..].iter_mut().zip(high[1..].iter_mut().rev()) {
        let mut parts = [0.5 * (*x - *mirrored), 0.5 * (*x + *mirrored)];
        round(&mut parts);
        (*x, *mirrored) = (parts[1] + parts[0], parts[1] - parts[0]);
    }
    let sum = transformed(ring, &coefficients, limbs);
    Poly::build_pair(n / 2, limbs.len(), |k, out| {
        let table = &ring.tables[limbs[k]];
        let q = table.modulus();
        let half = q.inverse(2);
        (active().split_mirrored)(out, sum.limb(k), [half, q.mul(half, table.inverse_of_i())], q);
    })
}

/// Rounds to integers.
fn round(numbers: &mut [f64]) {
    let largest = numbers.iter().fold(0.0f64, |largest, c| largest.max(c.abs()));
    if largest < TWO_51 {
        numbers.iter_mut().for_each(|c| *c = (*c + 3.0 * TWO_51) - 3.0 * TWO_51);
    } else {
        numbers.iter_mut().for_each(|c| *c = c.round_ties_even());
    }
}

/// The polynomial with these integer coefficients.
fn transformed(ring: &Ring, coefficients: &[f64], limbs: &[usize]) -> Poly {
    let largest = coefficients.iter().fold(0.0f64, |largest, c| largest.max(c.abs()));
    Poly::build(ring.n(), limbs.len(), |k, out| {
        let table = &ring.tables[limbs[k]];
        let modulus = table.modulus();
        let pairs = out.iter_mut().zip(coefficients);
        if largest < modulus.value() as f64 - 1.0 {
            let q = modulus.value() as f64;
            let mask = (1u64 << 52) - 1;
            // Below 2^52, an integer is the significand of itself plus 2^52.
            // Adding zero takes its sign from it.
            let lift = |c: f64| f64::from_bits(q.to_bits() & sign_mask((c + 0.0).to_bits()));
            let bits = |c: f64| (c + lift(c) + 2.0 * TWO_51).to_bits();
            pairs.for_each(|(out, &c)| *out = bits(c) & mask);
        } else {
            pairs.for_each(|(out, &c)| *out = modulus.from_integer(c));
        }
        (active().ntt)(out, table);
    })
}

/// Encodes one number for all slots: the constant polynomial, a residue for each limb.
pub fn encode_splat(ring: &Ring, x: f64, scale: f64, limbs: &[usize]) -> Vec<u64> {
    let c = (x * scale.exp2()).round();
    limbs.iter().map(|&limb| ring.modulus(limb).from_integer(c)).collect()
}

/// Decodes a polynomial on one or more limbs at scale 2^scale. Its integer coefficients are the centered ones modulo
/// the product of the limbs, taken from a mixed-radix expansion. They tell the noise, and with it the key: all but the real
/// parts of the slots is wiped.
pub fn decode(
    ring: &Ring,
    embedding: &Embedding,
    poly: &Poly,
    limbs: &[usize],
    scale: f64,
) -> Vec<f64> {
    let n = ring.n();
    let places: Vec<usize> = (0..limbs.len()).collect();
    let mut coefficients = poly.coefficients(&places, |k| &ring.tables[limbs[k]]);
    let moduli: Vec<Modulus> = limbs.iter().map(|&limb| ring.modulus(limb).clone()).collect();
    let radix = MixedRadix::new(&moduli);
    let factor = (-scale).exp2();
    let mut residues = Zeroizing::new(vec![0; limbs.len()]);
    let real: Vec<f64> = (0..n)
        .map(|i| {
            residues.iter_mut().enumerate().for_each(|(k, r)| *r = coefficients.limb(k)[i]);
            radix.centered(&residues) * factor
        })
        .collect();
    let real = Zeroizing::new(real);
    coefficients.wipe();
    let mut slots = embedding.to_slots(&real);
    slots.im.zeroize();
    slots.re
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{Params, Plaintexts};
    use hecc_grammar::security::Security;

    use super::*;

    #[test]
    fn round_trips_at_every_scale_and_limb_count() {
        let params = Params {
            plaintexts: Plaintexts::Ckks { top_scale: 40.0 },
            log_n: 6,
            q: vec![1125899904679937, 1125899903827969, 1125899903500289],
            p: vec![],
            input_level: 2,
            security: Security::insecure_for_tests(),
        };
        let ring = Ring::new(&params);
        let embedding = Embedding::new(32);
        let slots: Vec<f64> = (0..32).map(|i| (i as f64 - 15.5) / 8.0).collect();
        for (limbs, scale) in [(vec![0], 40.0), (vec![0, 2], 80.5), (vec![0, 1, 2], 120.25)] {
            let real = Slots::real(slots.clone());
            let poly = encode_slots(&ring, &embedding, real, scale, &limbs);
            let back = decode(&ring, &embedding, &poly, &limbs, scale);
            let error =
                slots.iter().zip(&back).map(|(a, b)| (a - b).abs()).max_by(f64::total_cmp).unwrap();
            assert!(error < 1e-10, "{scale}: {error}");
            let squares: Vec<f64> = slots.iter().map(|x| x * x).collect();
            let pair = [slots.clone(), squares.clone()];
            let halves = encode_real_pair(&ring, &embedding, pair, scale, &limbs);
            for (half, expected) in halves.iter().zip([&slots, &squares]) {
                let mirrored = |k: usize, out: &mut [u64]| {
                    let words = half.limb(k).iter();
                    out.iter_mut().zip(words.clone().chain(words.rev())).for_each(|(o, &w)| *o = w);
                };
                let whole = Poly::build(64, limbs.len(), mirrored);
                let back = decode(&ring, &embedding, &whole, &limbs, scale);
                let error = back.iter().zip(expected).map(|(a, b)| (a - b).abs());
                assert!(error.max_by(f64::total_cmp).unwrap() < 1e-10, "{scale}");
            }
            let splat = encode_splat(&ring, -1.75, scale, &limbs);
            let constant = Poly::build(64, limbs.len(), |k, out| out.fill(splat[k]));
            let back = decode(&ring, &embedding, &constant, &limbs, scale);
            assert!(back.iter().all(|x| (x + 1.75).abs() < 1e-10));
        }
    }
}
