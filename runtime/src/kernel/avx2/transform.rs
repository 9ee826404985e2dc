//! The negacyclic transform, two levels of butterflies a pass, in place.
//!
//! Merged twiddles (Longa, Naehrig, CANS 2016). Within a transform the array holds doubles; the first pass converts
//! from integers and the last one back. Four consecutive coefficients are a [`Quad`]; lengths count quads.
//!
//! The groups of coefficients that share twiddles form a binary tree, the root of index 1 and the children of group i
//! of indices 2i and 2i + 1: twiddle i belongs to group i, and a pass goes two generations down.

use std::arch::x86_64::*;

use super::lanes::{
    Q, Quad, W, load, load_doubles, load_residues, product, reduce, store, store_canonical, times,
};
use crate::kernel::{embedding, portable};
use crate::ring::{EmbeddingTable, LastTwiddles, NttTable};

/// Groups of this many quads finish all their passes before the next: they fit the first-level cache.
const BLOCK: usize = 1024;

/// Shorter transforms are left to `portable`: the first and the last pass below have no level in common.
const SHORTEST: usize = 32;

/// Coefficients to NTT domain.
///
/// A pass takes values of bound B to bound `1/2 + (1/2 + B/8) + (1/2 + (B + 1/2 + B/8)/8) < 1.57 + 0.27·B`. Residues
/// have bound 1, so bounds stay below 2.2, and below 3 within a butterfly.
#[target_feature(enable = "avx2,fma")]
pub(super) fn ntt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    if x.len() < SHORTEST {
        return portable::ntt(x, table);
    }
    let q = Q::new(table.modulus());
    let (x, _) = x.as_chunks_mut::<4>();
    let twiddles = table.forward();
    let mut n_blocks = first_generation(x.len());
    if n_blocks == 2 {
        forward_radix2(x, twiddles[1], q);
    } else {
        forward_pass::<true>(x, 1, 1, twiddles, q);
    }
    while x.len() / n_blocks > BLOCK {
        forward_pass::<false>(x, n_blocks, n_blocks, twiddles, q);
        n_blocks *= 4;
    }
    let len = x.len() / n_blocks;
    let last = table.forward_last().chunks_exact(len / 4);
    for (i, (block, last)) in x.chunks_exact_mut(len).zip(last).enumerate() {
        let mut n_groups = 1;
        while n_groups < len {
            let first = n_groups * (n_blocks + i);
            forward_pass::<false>(block, n_groups, first, twiddles, q);
            n_groups *= 4;
        }
        forward_last(block, last, q);
    }
}

/// What the compiler vectorizes by itself, given the instructions.
#[target_feature(enable = "avx2,fma")]
pub(super) fn embed(
    slots: [&mut [f64]; 2],
    out: [&mut [f64]; 2],
    factor: f64,
    table: &EmbeddingTable,
) {
    embedding::to_coefficients(slots, out, factor, table);
}

/// NTT domain to coefficients: the passes of `ntt` in reverse.
///
/// A pass reduces its two sums to bound 1/2 and multiplies two differences, of bound 4·B and 2·(1/2 + 2·B/8): from
/// bound 1 to bound 1, and never above 4 within a butterfly.
#[target_feature(enable = "avx2,fma")]
pub(super) fn intt(x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    if x.len() < SHORTEST {
        return portable::intt(x, table);
    }
    let q = Q::new(table.modulus());
    let (x, _) = x.as_chunks_mut::<4>();
    let twiddles = table.inverse();
    let head = first_generation(x.len());
    let mut n_blocks = head;
    while x.len() / n_blocks > BLOCK {
        n_blocks *= 4;
    }
    let len = x.len() / n_blocks;
    let last = table.inverse_last().chunks_exact(len / 4);
    for (i, (block, last)) in x.chunks_exact_mut(len).zip(last).enumerate() {
        inverse_last(block, last, q);
        let mut n_groups = len;
        while n_groups > 1 {
            n_groups /= 4;
            inverse_pass(block, n_groups, n_groups * (n_blocks + i), twiddles, q);
        }
    }
    while n_blocks > head {
        n_blocks /= 4;
        inverse_pass(x, n_blocks, n_blocks, twiddles, q);
    }
    if head == 2 {
        inverse_radix2(x, table, q);
    } else {
        inverse_radix4(x, table, q);
    }
}

/// Number of groups after the pass over the whole array: 4, or 2 where the number of levels is odd.
fn first_generation(len: usize) -> usize {
    if len.ilog2().is_multiple_of(2) { 4 } else { 2 }
}

/// Two levels of `n_groups` groups of one generation, the first of which has index `first`.
#[target_feature(enable = "avx2,fma")]
fn forward_pass<const FROM_RESIDUES: bool>(
    x: &mut [Quad],
    n_groups: usize,
    first: usize,
    twiddles: &[(f64, f64)],
    q: Q,
) {
    let outer = &twiddles[first..first + n_groups];
    let (inner, _) = twiddles[2 * first..2 * (first + n_groups)].as_chunks::<2>();
    let groups = x.chunks_exact_mut(x.len() / n_groups);
    for ((group, &outer), &[even, odd]) in groups.zip(outer).zip(inner) {
        let w = [W::new(outer), W::new(even), W::new(odd)];
        for [x0, x1, x2, x3] in quarters(group) {
            let input = match FROM_RESIDUES {
                true => {
                    [load_residues(x0), load_residues(x1), load_residues(x2), load_residues(x3)]
                }
                false => [load(x0), load(x1), load(x2), load(x3)],
            };
            let outer = [times(input[2], w[0], q), times(input[3], w[0], q)];
            let (u0, u2) = add_sub(reduce(input[0], q), outer[0]);
            let (u1, u3) = add_sub(input[1], outer[1]);
            let (y0, y1) = add_sub(u0, times(u1, w[1], q));
            let (y2, y3) = add_sub(u2, times(u3, w[2], q));
            store(x0, y0);
            store(x1, y1);
            store(x2, y2);
            store(x3, y3);
        }
    }
}

/// The last two levels: in a square of four groups of a quad each, transposed on the way in and not back.
#[target_feature(enable = "avx2,fma")]
fn forward_last(x: &mut [Quad], twiddles: &[LastTwiddles], q: Q) {
    let (squares, _) = x.as_chunks_mut::<4>();
    for (square, w) in squares.iter_mut().zip(twiddles) {
        let x = transpose(square.each_ref().map(|x| load(x)));
        let w = w.each_ref().map(|w| load_doubles(w));
        let outer = [product(x[2], w[0], q), product(x[3], w[0], q)];
        let (u0, u2) = add_sub(reduce(x[0], q), outer[0]);
        let (u1, u3) = add_sub(x[1], outer[1]);
        let (y0, y1) = add_sub(u0, product(u1, w[1], q));
        let (y2, y3) = add_sub(u2, product(u3, w[2], q));
        for (out, y) in square.iter_mut().zip([y0, y1, y2, y3]) {
            store_canonical(out, y, q);
        }
    }
}

/// The level of the root, on residues.
#[target_feature(enable = "avx2,fma")]
fn forward_radix2(x: &mut [Quad], w: (f64, f64), q: Q) {
    let w = W::new(w);
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (x0, x1) in low.iter_mut().zip(high) {
        let (y0, y1) = add_sub(load_residues(x0), times(load_residues(x1), w, q));
        store(x0, y0);
        store(x1, y1);
    }
}

#[target_feature(enable = "avx2,fma")]
fn inverse_last(x: &mut [Quad], twiddles: &[LastTwiddles], q: Q) {
    let (squares, _) = x.as_chunks_mut::<4>();
    for (square, w) in squares.iter_mut().zip(twiddles) {
        let x = square.each_ref().map(|x| load_residues(x));
        let w = w.each_ref().map(|w| load_doubles(w));
        let (a0, d01) = add_sub(x[0], x[1]);
        let (a2, d23) = add_sub(x[2], x[3]);
        let (y0, d02) = add_sub(a0, a2);
        let (y1, d13) = add_sub(product(d01, w[1], q), product(d23, w[2], q));
        let y = [reduce(y0, q), reduce(y1, q), product(d02, w[0], q), product(d13, w[0], q)];
        for (out, y) in square.iter_mut().zip(transpose(y)) {
            store(out, y);
        }
    }
}

/// As `forward_pass`, two generations up.
#[target_feature(enable = "avx2,fma")]
fn inverse_pass(x: &mut [Quad], n_groups: usize, first: usize, twiddles: &[(f64, f64)], q: Q) {
    let outer = &twiddles[first..first + n_groups];
    let (inner, _) = twiddles[2 * first..2 * (first + n_groups)].as_chunks::<2>();
    let groups = x.chunks_exact_mut(x.len() / n_groups);
    for ((group, &outer), &[even, odd]) in groups.zip(outer).zip(inner) {
        let w = [W::new(outer), W::new(even), W::new(odd)];
        for [x0, x1, x2, x3] in quarters(group) {
            let [sum0, sum1, d02, d13] = inverse_inner([x0, x1, x2, x3], w[1], w[2], q);
            store(x0, reduce(sum0, q));
            store(x1, reduce(sum1, q));
            store(x2, times(d02, w[0], q));
            store(x3, times(d13, w[0], q));
        }
    }
}

/// The last pass of the inverse over the whole array, with the factor 1/N.
#[target_feature(enable = "avx2,fma")]
fn inverse_radix4(x: &mut [Quad], table: &NttTable, q: Q) {
    let twiddles = table.inverse();
    let [scale, outer] = scaled_root(table);
    let (even, odd) = (W::new(twiddles[2]), W::new(twiddles[3]));
    for [x0, x1, x2, x3] in quarters(x) {
        let [sum0, sum1, d02, d13] = inverse_inner([x0, x1, x2, x3], even, odd, q);
        store_canonical(x0, times(sum0, scale, q), q);
        store_canonical(x1, times(sum1, scale, q), q);
        store_canonical(x2, times(d02, outer, q), q);
        store_canonical(x3, times(d13, outer, q), q);
    }
}

/// The last level of the inverse, with the factor 1/N.
#[target_feature(enable = "avx2,fma")]
fn inverse_radix2(x: &mut [Quad], table: &NttTable, q: Q) {
    let [scale, outer] = scaled_root(table);
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (x0, x1) in low.iter_mut().zip(high) {
        let (sum, difference) = add_sub(load(x0), load(x1));
        store_canonical(x0, times(sum, scale, q), q);
        store_canonical(x1, times(difference, outer, q), q);
    }
}

/// 1/N, and 1/N times the twiddle of the root.
#[target_feature(enable = "avx2,fma")]
fn scaled_root(table: &NttTable) -> [W; 2] {
    let (q, scale) = (table.modulus(), table.n_inverse());
    let root = table.inverse_shoup()[1].0;
    [W::from_residue(scale, q), W::from_residue(q.mul(scale, root), q)]
}

/// The inner level and the sums of the outer one: what is left is to reduce two values and to multiply two.
#[target_feature(enable = "avx2,fma")]
fn inverse_inner(x: [&Quad; 4], even: W, odd: W, q: Q) -> [__m256d; 4] {
    let (a0, d01) = add_sub(load(x[0]), load(x[1]));
    let (a2, d23) = add_sub(load(x[2]), load(x[3]));
    let (sum0, d02) = add_sub(a0, a2);
    let (sum1, d13) = add_sub(times(d01, even, q), times(d23, odd, q));
    [sum0, sum1, d02, d13]
}

#[target_feature(enable = "avx2,fma")]
fn add_sub(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
    (_mm256_add_pd(a, b), _mm256_sub_pd(a, b))
}

/// The four quarters of a group, side by side.
fn quarters(group: &mut [Quad]) -> impl Iterator<Item = [&mut Quad; 4]> {
    let (low, high) = group.split_at_mut(group.len() / 2);
    let (x0, x1) = low.split_at_mut(low.len() / 2);
    let (x2, x3) = high.split_at_mut(high.len() / 2);
    x0.iter_mut().zip(x1).zip(x2).zip(x3).map(|(((x0, x1), x2), x3)| [x0, x1, x2, x3])
}

#[target_feature(enable = "avx2,fma")]
fn transpose(x: [__m256d; 4]) -> [__m256d; 4] {
    let (a, b) = (_mm256_unpacklo_pd(x[0], x[1]), _mm256_unpackhi_pd(x[0], x[1]));
    let (c, d) = (_mm256_unpacklo_pd(x[2], x[3]), _mm256_unpackhi_pd(x[2], x[3]));
    [
        _mm256_permute2f128_pd::<0x20>(a, c),
        _mm256_permute2f128_pd::<0x20>(b, d),
        _mm256_permute2f128_pd::<0x31>(a, c),
        _mm256_permute2f128_pd::<0x31>(b, d),
    ]
}
