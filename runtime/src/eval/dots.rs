//! Sums of ciphertexts times plaintexts, several in one pass over operands that they share.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::kernel::{Multiple, Term, active};
use crate::ring::Ring;
use crate::rlwe::{BLOCK, Blocks, Ciphertext, Plaintext, Poly};

/// Words of a limb that one thread takes at a time.
const SEGMENT: usize = 8 * BLOCK;

/// A sum, sorted by how plaintexts are held.
pub(super) struct Dot<'a> {
    full: Vec<(&'a [Poly], &'a Blocks)>,
    scalar: Vec<(&'a [Poly], &'a [u64])>,
    /// What the sum is added to.
    base: Option<&'a [Poly]>,
}

impl<'a> Dot<'a> {
    /// A sum of products, and of what they are added to.
    pub(super) fn new(
        ciphertexts: impl IntoIterator<Item = &'a Arc<Ciphertext>>,
        plaintexts: &'a [Arc<Plaintext>],
        base: Option<&'a [Poly]>,
    ) -> Dot<'a> {
        let mut dot = Dot { full: vec![], scalar: vec![], base };
        for (ciphertext, plaintext) in ciphertexts.into_iter().zip(plaintexts) {
            match &**plaintext {
                Plaintext::Full(blocks) => dot.full.push((&ciphertext.polys, blocks)),
                Plaintext::Scalar(residues) => dot.scalar.push((&ciphertext.polys, residues)),
            }
        }
        dot
    }

    /// The `k`-th limb of its polynomials, words `range`.
    fn compute(&self, ring: &Ring, at: Place, out: &mut [&mut [u64]]) {
        let Place { limb, k, range } = at;
        let modulus = ring.modulus(limb);
        let (pair, third) = out.split_at_mut(2);
        let [a, b] = pair else { unreachable!("ciphertexts have two polynomials at least") };
        let mut scratch = vec![0; self.full.len() * range.len()];
        let spread: Vec<&[u64]> = self
            .full
            .iter()
            .zip(scratch.chunks_exact_mut(range.len()))
            .map(|((_, blocks), scratch)| blocks.part(k, range.clone(), scratch))
            .collect();
        let word = |polys: &'a [Poly], part: usize| &polys[part].limb(k)[range.clone()];
        let terms: Vec<Term<'_>> = self
            .full
            .iter()
            .zip(&spread)
            .map(|(&(polys, _), &plain)| (plain, [0, 1].map(|part: usize| word(polys, part))))
            .collect();
        (active().dot_pair)([a, b], &terms, modulus);
        // Sums of products that are not relinearized yet: numbers times ciphertexts, seldom anything else.
        for out in third.iter_mut() {
            out.fill(0);
            for (&(polys, _), plain) in self.full.iter().zip(&spread) {
                (active().mul_add)(out, word(polys, 2), plain, modulus);
            }
        }
        for (part, out) in [a, b].into_iter().chain(third).enumerate() {
            let multiples: Vec<Multiple<'_>> =
                self.scalar.iter().map(|&(polys, c)| (word(polys, part), c[k])).collect();
            (active().add_multiples)(out, &multiples, modulus);
            if let Some(base) = self.base {
                (active().scale_add)(out, word(base, part), 1, modulus);
            }
        }
    }
}

/// Words of a polynomial.
struct Place {
    /// The limb of the ring.
    limb: usize,
    /// Which of the polynomial's limbs that is.
    k: usize,
    range: Range<usize>,
}

/// The polynomials of each sum, `n_polys` of them, on the limbs with these ring indices.
pub(super) fn dots(
    ring: &Ring,
    limbs: &[usize],
    n_polys: usize,
    dots: &[Dot<'_>],
) -> Vec<Vec<Poly>> {
    let (n, segment) = (ring.n(), SEGMENT.min(ring.n()));
    let polys = || (0..n_polys).map(|_| Poly::uninitialized(n, limbs.len())).collect();
    let mut results: Vec<Vec<Poly>> = dots.iter().map(|_| polys()).collect();
    // For each segment, those of all polynomials of all sums.
    let mut segments: Vec<Vec<Vec<&mut [u64]>>> =
        (0..limbs.len() * n / segment).map(|_| dots.iter().map(|_| vec![]).collect()).collect();
    for (i, polys) in results.iter_mut().enumerate() {
        for poly in polys {
            let parts = poly.blocks_mut(segment);
            segments.iter_mut().zip(parts).for_each(|(all, own)| all[i].push(own));
        }
    }
    segments.into_par_iter().enumerate().for_each(|(i, mut outs)| {
        let (k, first) = (i * segment / n, i * segment % n);
        for start in (0..segment).step_by(BLOCK) {
            let length = BLOCK.min(segment);
            for (dot, out) in dots.iter().zip(&mut outs) {
                let mut out: Vec<&mut [u64]> =
                    out.iter_mut().map(|part| &mut part[start..start + length]).collect();
                let range = first + start..first + start + length;
                dot.compute(ring, Place { limb: limbs[k], k, range }, &mut out);
            }
        }
    });
    results
}
