//! The reference kernels: plain integer arithmetic, one residue at a time.

use super::Kernels;
use crate::ring::{Modulus, NttTable};

/// The reference table.
pub(super) static TABLE: Kernels = Kernels {
    name: "portable",
    ntt,
    intt,
    mul,
    mul_add,
    scale,
    scale_add,
    sub_scale,
    dot,
    combine,
};

/// Butterflies with Shoup's precomputed quotients (Harvey, J. Symb. Comp. 2014), values in `[0, 4q)`.
pub(super) fn ntt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    let q = table.modulus().value();
    let n = x.len();
    let mut m = 1;
    while m < n {
        for (i, group) in x.chunks_exact_mut(n / m).enumerate() {
            let (w, quotient) = table.forward_shoup(m + i);
            let (low, high) = group.split_at_mut(n / m / 2);
            for (a, b) in low.iter_mut().zip(high) {
                let u = if *a >= 2 * q { *a - 2 * q } else { *a };
                let v = shoup(*b, w, quotient, q);
                (*a, *b) = (u + v, u + 2 * q - v);
            }
        }
        m *= 2;
    }
    x.iter_mut().for_each(|a| *a = table.modulus().reduce(*a));
    swap_within_blocks(x);
}

pub(super) fn intt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    let q = table.modulus().value();
    let n = x.len();
    swap_within_blocks(x);
    let mut m = n / 2;
    while m >= 1 {
        for (i, group) in x.chunks_exact_mut(n / m).enumerate() {
            let (w, quotient) = table.inverse_shoup(m + i);
            let (low, high) = group.split_at_mut(n / m / 2);
            for (a, b) in low.iter_mut().zip(high) {
                let (u, v) = (*a, *b);
                let sum = u + v;
                *a = if sum >= 2 * q { sum - 2 * q } else { sum };
                *b = shoup(u + 2 * q - v, w, quotient, q);
            }
        }
        m /= 2;
    }
    let factor = table.n_inverse();
    x.iter_mut().for_each(|a| *a = table.modulus().mul(table.modulus().reduce(*a), factor));
}

/// `w·x mod q` in `[0, 2q)`, where `quotient = ⌊w·2^64/q⌋`.
fn shoup(x: u64, w: u64, quotient: u64, q: u64) -> u64 {
    let b = ((u128::from(x) * u128::from(quotient)) >> 64) as u64;
    w.wrapping_mul(x).wrapping_sub(b.wrapping_mul(q))
}

/// The order of [`NttTable::exponents`]: in blocks of 16 the two pairs of index bits change places. Its own inverse.
fn swap_within_blocks(x: &mut [u64]) {
    for block in x.chunks_exact_mut(16) {
        for i in 0..4 {
            for j in 0..i {
                block.swap(4 * i + j, 4 * j + i);
            }
        }
    }
}

fn mul(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = q.mul(a, b);
    }
}

fn mul_add(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(acc.len() == a.len() && a.len() == b.len());
    for ((acc, &a), &b) in acc.iter_mut().zip(a).zip(b) {
        *acc = q.add(*acc, q.mul(a, b));
    }
}

fn scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    for (out, &a) in out.iter_mut().zip(a) {
        *out = q.mul(a, factor);
    }
}

fn scale_add(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(acc.len(), a.len());
    for (acc, &a) in acc.iter_mut().zip(a) {
        *acc = q.add(*acc, q.mul(a, factor));
    }
}

fn sub_scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    for (out, &a) in out.iter_mut().zip(a) {
        *out = q.mul(q.sub(*out, a), factor);
    }
}

fn dot(out: &mut [u64], pairs: &[(&[u64], &[u64])], q: &Modulus) {
    assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    for (i, out) in out.iter_mut().enumerate() {
        *out = pairs.iter().fold(0, |sum, (a, b)| q.add(sum, q.mul(a[i], b[i])));
    }
}

fn combine(out: &mut [u64], a: &[&[u64]], factors: &[u64], q: &Modulus) {
    assert!(a.len() == factors.len() && a.iter().all(|limb| limb.len() == out.len()));
    for (i, out) in out.iter_mut().enumerate() {
        *out = a
            .iter()
            .zip(factors)
            .fold(0, |sum, (limb, &w)| q.add(sum, q.mul(q.reduce(limb[i]), w)));
    }
}
