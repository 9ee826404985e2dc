//! The reference kernels: plain integer arithmetic, one residue at a time.

use super::embedding;
use super::table::{Kernels, Limbs, Multiple, Pair, Term};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable, reduce_once, sign_mask};

/// Products of two residues whose sum `Modulus::reduce_wide` takes.
const MAX_TERMS: usize = 1 << 14;

/// The reference table.
pub(super) static TABLE: Kernels = Kernels {
    name: "portable",
    ntt,
    intt,
    add,
    sub,
    neg,
    lift,
    mul,
    mul_add,
    scale,
    scale_add,
    add_multiples,
    sub_scale,
    dot,
    dot_pair,
    base_convert,
    embed,
    split_mirrored,
    permute,
};

/// Butterflies with Shoup's precomputed quotients (Harvey, J. Symb. Comp. 2014), values in `[0, 4q)`.
pub(super) fn ntt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    let q = table.modulus().value();
    let n = x.len();
    let mut m = 1;
    while m < n {
        for (group, &(w, quotient)) in x.chunks_exact_mut(n / m).zip(&table.forward_shoup()[m..]) {
            let (low, high) = group.split_at_mut(n / m / 2);
            for (a, b) in low.iter_mut().zip(high) {
                let u = reduce_once(*a, 2 * q);
                let v = shoup(*b, w, quotient, q);
                (*a, *b) = (u + v, u + 2 * q - v);
            }
        }
        m *= 2;
    }
    x.iter_mut().for_each(|a| *a = table.modulus().reduce(*a));
    swap_within_blocks(x);
}

fn embed(slots: [&mut [f64]; 2], out: [&mut [f64]; 2], factor: f64, table: &EmbeddingTable) {
    embedding::to_coefficients(slots, out, factor, table);
}

pub(super) fn split_mirrored(
    [sums, differences]: [&mut [u64]; 2],
    x: &[u64],
    factors: [u64; 2],
    q: &Modulus,
) {
    let (low, high) = x.split_at(x.len() / 2);
    assert!(sums.len() == low.len() && differences.len() == low.len());
    let pairs = low.iter().zip(high.iter().rev());
    for ((sum, difference), (&a, &b)) in sums.iter_mut().zip(differences).zip(pairs) {
        *sum = q.mul(q.add(a, b), factors[0]);
        *difference = q.mul(q.sub(a, b), factors[1]);
    }
}

pub(super) fn intt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    let q = table.modulus().value();
    let n = x.len();
    swap_within_blocks(x);
    let mut m = n / 2;
    while m >= 1 {
        for (group, &(w, quotient)) in x.chunks_exact_mut(n / m).zip(&table.inverse_shoup()[m..]) {
            let (low, high) = group.split_at_mut(n / m / 2);
            for (a, b) in low.iter_mut().zip(high) {
                let (u, v) = (*a, *b);
                *a = reduce_once(u + v, 2 * q);
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

#[inline(always)]
pub(super) fn add(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = q.add(a, b);
    }
}

#[inline(always)]
pub(super) fn sub(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = q.sub(a, b);
    }
}

/// From `t` to `q`: residues beyond t/2 stand for negative integers, which are `q − t` more modulo q.
#[inline(always)]
pub(super) fn lift(out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus) {
    assert_eq!(out.len(), a.len());
    let (t, q) = (from.value(), to.value());
    if t / 2 >= q {
        out.iter_mut().zip(a).for_each(|(out, &a)| *out = to.from_signed(from.centered(a)));
        return;
    }
    let (half, up) = (t / 2, q.wrapping_sub(t));
    for (out, &a) in out.iter_mut().zip(a) {
        *out = a.wrapping_add(up & sign_mask(half.wrapping_sub(a)));
    }
}

#[inline(always)]
pub(super) fn neg(out: &mut [u64], a: &[u64], q: &Modulus) {
    assert_eq!(out.len(), a.len());
    for (out, &a) in out.iter_mut().zip(a) {
        *out = q.neg(a);
    }
}

pub(super) fn mul(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = q.mul(a, b);
    }
}

pub(super) fn mul_add(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(acc.len() == a.len() && a.len() == b.len());
    for ((acc, &a), &b) in acc.iter_mut().zip(a).zip(b) {
        *acc = q.add(*acc, q.mul(a, b));
    }
}

pub(super) fn scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    for (out, &a) in out.iter_mut().zip(a) {
        *out = q.mul(a, factor);
    }
}

pub(super) fn scale_add(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(acc.len(), a.len());
    for (acc, &a) in acc.iter_mut().zip(a) {
        *acc = q.add(*acc, q.mul(a, factor));
    }
}

pub(super) fn sub_scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    for (out, &a) in out.iter_mut().zip(a) {
        *out = q.mul(q.sub(a, *out), factor);
    }
}

/// Sums below 2^114, reduced once.
pub(super) fn add_multiples(acc: &mut [u64], multiples: &[Multiple<'_>], q: &Modulus) {
    assert!(multiples.iter().all(|(a, _)| a.len() == acc.len()));
    for (i, acc) in acc.iter_mut().enumerate() {
        let product = |(a, factor): &Multiple<'_>| u128::from(a[i]) * u128::from(*factor);
        let reduced =
            multiples.chunks(MAX_TERMS).map(|some| q.reduce_wide(some.iter().map(product).sum()));
        *acc = reduced.fold(*acc, |sum, r| q.add(sum, r));
    }
}

pub(super) fn dot(out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus) {
    assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    for (i, out) in out.iter_mut().enumerate() {
        let product = |(a, b): &Pair<'_>| u128::from(a[i]) * u128::from(b[i]);
        let reduced =
            pairs.chunks(MAX_TERMS).map(|terms| q.reduce_wide(terms.iter().map(product).sum()));
        *out = reduced.fold(0, |sum, r| q.add(sum, r));
    }
}

pub(super) fn dot_pair(out: [&mut [u64]; 2], terms: &[Term<'_>], q: &Modulus) {
    for (part, out) in out.into_iter().enumerate() {
        let pairs: Vec<Pair<'_>> = terms.iter().map(|(shared, own)| (*shared, own[part])).collect();
        dot(out, &pairs, q);
    }
}

pub(super) fn base_convert(to: Limbs<'_, '_>, from: &[&[u64]], converter: &BaseConverter) {
    let n = converter.check(to, from);
    let mut operands = vec![0; from.len() + 1];
    for i in 0..n {
        let (count, digits) = operands.split_last_mut().expect("the count is there");
        let mut quotient = 0.0;
        let sources = converter.from.iter().zip(&converter.inverses);
        for ((digit, limb), (d, &inverse)) in digits.iter_mut().zip(from).zip(sources) {
            *digit = d.centered(d.mul(limb[i], inverse));
            quotient += *digit as f64 * (1.0 / d.value() as f64);
        }
        *count = (quotient + 0.5f64).floor() as i64;
        for ((limb, t), row) in to.iter_mut().zip(&converter.to).zip(&converter.matrix) {
            let products = operands.iter().zip(row).map(|(&x, &w)| i128::from(x) * i128::from(w));
            let sum: i128 = products.sum();
            let r = t.reduce_wide(sum.unsigned_abs());
            limb[i] = if sum < 0 { t.neg(r) } else { r };
        }
    }
}

pub(super) fn permute(out: &mut [u64], a: &[u64], index: &[u32]) {
    assert!(out.len() == a.len() && a.len() == index.len());
    for (out, &i) in out.iter_mut().zip(index) {
        *out = a[i as usize];
    }
}
