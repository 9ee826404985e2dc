//! Sums of ciphertexts times numbers, many in one pass over their operands.

use std::sync::Arc;

use rayon::prelude::*;

use crate::kernel::{Multiple, active};
use crate::ring::Ring;
use crate::rlwe::{BLOCK, Ciphertext, Plaintext, Poly};

/// Blocks of results that are worth a task of their own.
const BLOCKS_A_TASK: usize = 32;

/// A ciphertext and the number it is multiplied by, as [`Plaintext::Scalar`].
pub(super) type Product<'a> = (&'a Ciphertext, Arc<Plaintext>);

/// The polynomials of each sum, `n_polys` of them, on the limbs with these ring indices.
pub(super) fn sums_of_multiples(
    ring: &Ring,
    limbs: &[usize],
    n_polys: usize,
    sums: &[Vec<Product<'_>>],
) -> Vec<Vec<Poly>> {
    let block = BLOCK.min(ring.n());
    let polys = || (0..n_polys).map(|_| Poly::uninitialized(ring.n(), limbs.len())).collect();
    let mut results: Vec<Vec<Poly>> = sums.iter().map(|_| polys()).collect();
    // For each block of coefficients, those of all polynomials of all sums.
    let mut blocks: Vec<Vec<&mut [u64]>> =
        (0..limbs.len() * ring.n() / block).map(|_| vec![]).collect();
    for poly in results.iter_mut().flatten() {
        blocks.iter_mut().zip(poly.blocks_mut(block)).for_each(|(all, own)| all.push(own));
    }
    let tasks = blocks.into_par_iter().enumerate();
    tasks.with_min_len(BLOCKS_A_TASK.div_ceil(sums.len())).for_each(|(i, mut blocks)| {
        let (k, start) = (i * block / ring.n(), i * block % ring.n());
        for part in 0..n_polys {
            let blocks = blocks.iter_mut().skip(part).step_by(n_polys);
            for (products, out) in sums.iter().zip(blocks) {
                let multiples: Vec<Multiple<'_>> = products
                    .iter()
                    .map(|(ciphertext, number)| {
                        let limb = &ciphertext.polys[part].limb(k)[start..start + block];
                        (limb, residue(number, k))
                    })
                    .collect();
                out.fill(0);
                (active().add_multiples)(out, &multiples, ring.modulus(limbs[k]));
            }
        }
    });
    results
}

fn residue(number: &Plaintext, k: usize) -> u64 {
    match number {
        Plaintext::Scalar(residues) => residues[k],
        Plaintext::Full(_) => unreachable!("numbers are encoded as numbers"),
    }
}
