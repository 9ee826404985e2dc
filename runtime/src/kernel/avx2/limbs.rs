//! One result per coefficient, of one or two limbs.

use std::arch::x86_64::*;

use super::lanes::{Q, W, load_residues, product, store_canonical, times};
use crate::kernel::portable;
use crate::ring::Modulus;

// What the compiler vectorizes by itself, given the instructions.

#[target_feature(enable = "avx2,fma")]
pub(super) fn add(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    portable::add(out, a, b, q);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn sub(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    portable::sub(out, a, b, q);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn neg(out: &mut [u64], a: &[u64], q: &Modulus) {
    portable::neg(out, a, q);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn lift(out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus) {
    portable::lift(out, a, from, to);
}

/// The product has bound 3/4.
#[target_feature(enable = "avx2,fma")]
pub(super) fn mul(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    let lanes = Q::new(q);
    let (out, out_rest) = out.as_chunks_mut::<4>();
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        store_canonical(out, product(load_residues(a), load_residues(b), lanes), lanes);
    }
    portable::mul(out_rest, a_rest, b_rest, q);
}

/// The sum has bound 7/4.
#[target_feature(enable = "avx2,fma")]
pub(super) fn mul_add(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(acc.len() == a.len() && a.len() == b.len());
    let lanes = Q::new(q);
    let (acc, acc_rest) = acc.as_chunks_mut::<4>();
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for ((acc, a), b) in acc.iter_mut().zip(a).zip(b) {
        let r = product(load_residues(a), load_residues(b), lanes);
        store_canonical(acc, _mm256_add_pd(load_residues(acc), r), lanes);
    }
    portable::mul_add(acc_rest, a_rest, b_rest, q);
}

/// The product has bound 5/8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    let (lanes, w) = (Q::new(q), W::from_residue(factor, q));
    let ((out, out_rest), (a, a_rest)) = (out.as_chunks_mut::<4>(), a.as_chunks::<4>());
    for (out, a) in out.iter_mut().zip(a) {
        store_canonical(out, times(load_residues(a), w, lanes), lanes);
    }
    portable::scale(out_rest, a_rest, factor, q);
}

/// The sum has bound 13/8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn scale_add(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(acc.len(), a.len());
    let (lanes, w) = (Q::new(q), W::from_residue(factor, q));
    let ((acc, acc_rest), (a, a_rest)) = (acc.as_chunks_mut::<4>(), a.as_chunks::<4>());
    for (acc, a) in acc.iter_mut().zip(a) {
        let r = times(load_residues(a), w, lanes);
        store_canonical(acc, _mm256_add_pd(load_residues(acc), r), lanes);
    }
    portable::scale_add(acc_rest, a_rest, factor, q);
}

/// The difference has bound 1, the product 5/8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn sub_scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    let (lanes, w) = (Q::new(q), W::from_residue(factor, q));
    let ((out, out_rest), (a, a_rest)) = (out.as_chunks_mut::<4>(), a.as_chunks::<4>());
    for (out, a) in out.iter_mut().zip(a) {
        let difference = _mm256_sub_pd(load_residues(a), load_residues(out));
        store_canonical(out, times(difference, w, lanes), lanes);
    }
    portable::sub_scale(out_rest, a_rest, factor, q);
}

/// Sum and difference have bounds 2 and 1, their products 3/4 and 5/8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn split_mirrored(
    [sums, differences]: [&mut [u64]; 2],
    x: &[u64],
    factors: [u64; 2],
    q: &Modulus,
) {
    let (low, high) = x.split_at(x.len() / 2);
    assert!(sums.len() == low.len() && differences.len() == low.len());
    if !low.len().is_multiple_of(4) {
        return portable::split_mirrored([sums, differences], x, factors, q);
    }
    let (lanes, w) = (Q::new(q), factors.map(|factor| W::from_residue(factor, q)));
    let ((low, _), (high, _)) = (low.as_chunks::<4>(), high.as_chunks::<4>());
    let ((sums, _), (differences, _)) =
        (sums.as_chunks_mut::<4>(), differences.as_chunks_mut::<4>());
    let pairs = low.iter().zip(high.iter().rev());
    for ((sum, difference), (a, b)) in sums.iter_mut().zip(differences).zip(pairs) {
        let (a, b) = (load_residues(a), _mm256_permute4x64_pd::<0b00_01_10_11>(load_residues(b)));
        store_canonical(sum, times(_mm256_add_pd(a, b), w[0], lanes), lanes);
        store_canonical(difference, times(_mm256_sub_pd(a, b), w[1], lanes), lanes);
    }
}
