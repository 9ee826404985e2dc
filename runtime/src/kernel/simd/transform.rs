//! The negacyclic transform, two levels of butterflies a pass, in place.
//!
//! Merged twiddles (Longa, Naehrig, CANS 2016). Within a transform the array holds doubles; the first pass converts
//! from integers and the last one back.
//!
//! The groups of coefficients that share twiddles form a binary tree, the root of index 1 and the children of group i
//! of indices 2i and 2i + 1: twiddle i belongs to group i, and a pass goes two generations down. Groups of 16, squares, are
//! brought to the end, or begun with, in registers.

use super::lanes::{Constant, Factor, Numbers, Q};
use super::vector::{Simd, Square};
use crate::kernel::table::Two;
use crate::kernel::{embedding, portable};
use crate::ring::{EmbeddingTable, LastTwiddles, NttTable};

/// Groups of this many coefficients finish all their passes before the next: they fit the first-level cache.
const BLOCK: usize = 4096;

/// Coefficients of a square.
const SQUARE: usize = 16;

/// Shorter transforms are left to `portable`: the first pass and the squares below have no level in common.
const SHORTEST: usize = 32;

/// Coefficients to NTT domain.
///
/// A pass takes values of bound B to bound `1/2 + (1/2 + B/8) + (1/2 + (B + 1/2 + B/8)/8) < 1.57 + 0.27·B`. Residues
/// have bound 1, so bounds stay below 2.2, and below 3 within a butterfly.
#[inline(always)]
pub(super) fn ntt<S: Simd>(simd: S, x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    if x.len() < SHORTEST {
        return portable::ntt(x, table);
    }
    let q = Q::new(simd, table.modulus());
    let mut n_groups = first_generation(x.len());
    if n_groups == 2 {
        forward_radix2(x, table.forward()[1], q);
    } else {
        forward_pass::<S, true>(x, 1, 1, table, q);
    }
    while x.len() / n_groups > BLOCK {
        forward_pass::<S, false>(x, n_groups, n_groups, table, q);
        n_groups *= 4;
    }
    let n_blocks = if x.len() > BLOCK { n_groups } else { 1 };
    let len = x.len() / n_blocks;
    for (i, block) in x.chunks_exact_mut(len).enumerate() {
        let mut n_groups = n_groups / n_blocks;
        while len / n_groups > SQUARE {
            forward_pass::<S, false>(block, n_groups, n_groups * (n_blocks + i), table, q);
            n_groups *= 4;
        }
        forward_squares(block, n_groups * (n_blocks + i), table, q);
    }
}

/// NTT domain to coefficients: the passes of `ntt` in reverse.
///
/// A pass reduces its two sums to bound 1/2 and multiplies two differences, of bound 4·B and 2·(1/2 + 2·B/8): from
/// bound 1 to bound 1, and never above 4 within a butterfly.
#[inline(always)]
pub(super) fn intt<S: Simd>(simd: S, x: &mut [u64], table: &NttTable) {
    assert_eq!(x.len(), table.n());
    if x.len() < SHORTEST {
        return portable::intt(x, table);
    }
    let q = Q::new(simd, table.modulus());
    let root = first_generation(x.len());
    let mut n_groups = root;
    while x.len() / n_groups > BLOCK {
        n_groups *= 4;
    }
    let n_blocks = if x.len() > BLOCK { n_groups } else { 1 };
    let len = x.len() / n_blocks;
    for (i, block) in x.chunks_exact_mut(len).enumerate() {
        let mut groups = len / SQUARE;
        inverse_squares(block, groups * (n_blocks + i), table, q);
        while groups * n_blocks > n_groups {
            groups /= 4;
            inverse_pass(block, groups, groups * (n_blocks + i), table, q);
        }
    }
    while n_groups > root {
        n_groups /= 4;
        inverse_pass(x, n_groups, n_groups, table, q);
    }
    if root == 2 {
        inverse_radix2(x, table, q);
    } else {
        inverse_radix4(x, table, q);
    }
}

/// What the compiler vectorizes by itself, given the instructions.
#[inline(always)]
pub(super) fn embed<S: Simd>(
    _: S,
    slots: Two<'_, f64>,
    out: Two<'_, f64>,
    factor: f64,
    table: &EmbeddingTable,
) {
    embedding::to_coefficients(slots, out, factor, table);
}

/// Number of groups after the pass over the whole array: 4, or 2 where the number of levels is odd.
fn first_generation(n: usize) -> usize {
    if n.ilog2().is_multiple_of(2) { 4 } else { 2 }
}

/// Two levels of `n_groups` groups of one generation, the first of which has index `first`.
#[inline(always)]
fn forward_pass<S: Simd, const FROM_RESIDUES: bool>(
    x: &mut [u64],
    n_groups: usize,
    first: usize,
    table: &NttTable,
    q: Q<S>,
) {
    let (len, twiddles) = (x.len() / n_groups, table.forward());
    for (i, group) in x.chunks_exact_mut(len).enumerate() {
        let w = of_group(twiddles, first + i, q);
        for [x0, x1, x2, x3] in quarters::<S>(group) {
            let mut x = [q.simd.load(x0), q.simd.load(x1), q.simd.load(x2), q.simd.load(x3)];
            if FROM_RESIDUES {
                for x in &mut x {
                    *x = q.simd.doubles_of(*x);
                }
            }
            let [y0, y1, y2, y3] = forward_butterflies(x, w, q);
            q.simd.store(x0, y0);
            q.simd.store(x1, y1);
            q.simd.store(x2, y2);
            q.simd.store(x3, y3);
        }
    }
}

/// As `forward_pass`, two generations up.
#[inline(always)]
fn inverse_pass<S: Simd>(x: &mut [u64], n_groups: usize, first: usize, table: &NttTable, q: Q<S>) {
    let (len, twiddles) = (x.len() / n_groups, table.inverse());
    for (i, group) in x.chunks_exact_mut(len).enumerate() {
        let w = of_group(twiddles, first + i, q);
        for [x0, x1, x2, x3] in quarters::<S>(group) {
            let x = [q.simd.load(x0), q.simd.load(x1), q.simd.load(x2), q.simd.load(x3)];
            let [y0, y1, y2, y3] = inverse_butterflies(x, w, q);
            q.simd.store(x0, y0);
            q.simd.store(x1, y1);
            q.simd.store(x2, y2);
            q.simd.store(x3, y3);
        }
    }
}

/// The last four levels of groups of 16, the first of which has index `first`: the inner two of the transposed square, which
/// is not transposed back.
#[inline(always)]
fn forward_squares<S: Simd>(x: &mut [u64], first: usize, table: &NttTable, q: Q<S>) {
    let (twiddles, inner) = (table.forward(), &table.forward_last()[first - table.n() / SQUARE..]);
    let squares = x.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.chunks_exact_mut(S::FOURS);
    for ((i, squares), inner) in squares.enumerate().zip(inner.chunks_exact(S::FOURS)) {
        let outer = outer_of_squares(twiddles, first + i * S::FOURS, q);
        let rows = forward_butterflies(load_rows(squares, q.simd), outer, q);
        let columns = q.simd.transpose(rows);
        let columns = forward_butterflies(columns, inner_of_squares(inner, q), q);
        for (row, y) in columns.into_iter().enumerate() {
            q.simd.store_row(squares, row, q.canonical(y));
        }
    }
}

/// The first four levels of the inverse.
#[inline(always)]
fn inverse_squares<S: Simd>(x: &mut [u64], first: usize, table: &NttTable, q: Q<S>) {
    let (twiddles, inner) = (table.inverse(), &table.inverse_last()[first - table.n() / SQUARE..]);
    let squares = x.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.chunks_exact_mut(S::FOURS);
    for ((i, squares), inner) in squares.enumerate().zip(inner.chunks_exact(S::FOURS)) {
        let outer = outer_of_squares(twiddles, first + i * S::FOURS, q);
        let mut columns = load_rows(squares, q.simd);
        for column in &mut columns {
            *column = q.simd.doubles_of(*column);
        }
        let columns = inverse_butterflies(columns, inner_of_squares(inner, q), q);
        let rows = q.simd.transpose(columns);
        for (row, y) in inverse_butterflies(rows, outer, q).into_iter().enumerate() {
            q.simd.store_row(squares, row, y);
        }
    }
}

/// The level of the root, on residues.
#[inline(always)]
fn forward_radix2<S: Simd>(x: &mut [u64], w: (f64, f64), q: Q<S>) {
    let w = Constant::new(q.simd, w);
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (x0, x1) in S::split_mut(low).0.iter_mut().zip(S::split_mut(high).0) {
        let (y0, y1) = q.add_sub(q.load(x0), w.times(q.load(x1), q));
        q.simd.store(x0, y0);
        q.simd.store(x1, y1);
    }
}

/// The last pass of the inverse over the whole array, with the factor 1/N.
#[inline(always)]
fn inverse_radix4<S: Simd>(x: &mut [u64], table: &NttTable, q: Q<S>) {
    let [scale, outer] = scaled_root(table, q);
    let even = Constant::new(q.simd, table.inverse()[2]);
    let odd = Constant::new(q.simd, table.inverse()[3]);
    for [x0, x1, x2, x3] in quarters::<S>(x) {
        let x = [q.simd.load(x0), q.simd.load(x1), q.simd.load(x2), q.simd.load(x3)];
        let [sum0, sum1, d02, d13] = inverse_inner(x, even, odd, q);
        q.store(x0, scale.times(sum0, q));
        q.store(x1, scale.times(sum1, q));
        q.store(x2, outer.times(d02, q));
        q.store(x3, outer.times(d13, q));
    }
}

/// The last level of the inverse, with the factor 1/N.
#[inline(always)]
fn inverse_radix2<S: Simd>(x: &mut [u64], table: &NttTable, q: Q<S>) {
    let [scale, outer] = scaled_root(table, q);
    let (low, high) = x.split_at_mut(x.len() / 2);
    for (x0, x1) in S::split_mut(low).0.iter_mut().zip(S::split_mut(high).0) {
        let (sum, difference) = q.add_sub(q.simd.load(x0), q.simd.load(x1));
        q.store(x0, scale.times(sum, q));
        q.store(x1, outer.times(difference, q));
    }
}

/// 1/N, and 1/N times the twiddle of the root.
#[inline(always)]
fn scaled_root<S: Simd>(table: &NttTable, q: Q<S>) -> [Constant<S>; 2] {
    let (modulus, scale) = (table.modulus(), table.n_inverse());
    let root = modulus.mul(scale, table.inverse_of_i());
    [Constant::from_residue(q.simd, scale, modulus), Constant::from_residue(q.simd, root, modulus)]
}

/// Two levels: w of the outer one, and of the two halves of the inner one.
#[inline(always)]
fn forward_butterflies<S: Simd, F: Factor<S>>(
    x: [S::Vector; 4],
    [outer, even, odd]: [F; 3],
    q: Q<S>,
) -> [S::Vector; 4] {
    let (u0, u2) = q.add_sub(q.reduce(x[0]), outer.times(x[2], q));
    let (u1, u3) = q.add_sub(x[1], outer.times(x[3], q));
    let (y0, y1) = q.add_sub(u0, even.times(u1, q));
    let (y2, y3) = q.add_sub(u2, odd.times(u3, q));
    [y0, y1, y2, y3]
}

/// The reverse of `forward_butterflies`, but for a factor of 4.
#[inline(always)]
fn inverse_butterflies<S: Simd, F: Factor<S>>(
    x: [S::Vector; 4],
    [outer, even, odd]: [F; 3],
    q: Q<S>,
) -> [S::Vector; 4] {
    let [sum0, sum1, d02, d13] = inverse_inner(x, even, odd, q);
    [q.reduce(sum0), q.reduce(sum1), outer.times(d02, q), outer.times(d13, q)]
}

/// The inner level and the sums of the outer one: what is left is to reduce two values and to multiply two.
#[inline(always)]
fn inverse_inner<S: Simd, F: Factor<S>>(
    x: [S::Vector; 4],
    even: F,
    odd: F,
    q: Q<S>,
) -> [S::Vector; 4] {
    let (a0, d01) = q.add_sub(x[0], x[1]);
    let (a2, d23) = q.add_sub(x[2], x[3]);
    let (sum0, d02) = q.add_sub(a0, a2);
    let (sum1, d13) = q.add_sub(even.times(d01, q), odd.times(d23, q));
    [sum0, sum1, d02, d13]
}

/// Twiddles of a pass for group `i` of all.
#[inline(always)]
fn of_group<S: Simd>(twiddles: &[(f64, f64)], i: usize, q: Q<S>) -> [Constant<S>; 3] {
    [
        Constant::new(q.simd, twiddles[i]),
        Constant::new(q.simd, twiddles[2 * i]),
        Constant::new(q.simd, twiddles[2 * i + 1]),
    ]
}

/// As `of_group`, for [`Simd::FOURS`] groups beginning with `i`.
#[inline(always)]
fn outer_of_squares<S: Simd>(twiddles: &[(f64, f64)], i: usize, q: Q<S>) -> [Numbers<S>; 3] {
    let outer = &twiddles[i..i + S::FOURS];
    let inner = &twiddles[2 * i..2 * (i + S::FOURS)];
    [
        Numbers(q.simd.spread(|k| outer[k].0)),
        Numbers(q.simd.spread(|k| inner[2 * k].0)),
        Numbers(q.simd.spread(|k| inner[2 * k + 1].0)),
    ]
}

#[inline(always)]
fn inner_of_squares<S: Simd>(twiddles: &[LastTwiddles], q: Q<S>) -> [Numbers<S>; 3] {
    [
        Numbers(q.simd.row(twiddles, 0)),
        Numbers(q.simd.row(twiddles, 1)),
        Numbers(q.simd.row(twiddles, 2)),
    ]
}

#[inline(always)]
fn load_rows<S: Simd>(squares: &[Square], simd: S) -> [S::Vector; 4] {
    [
        simd.load_row(squares, 0),
        simd.load_row(squares, 1),
        simd.load_row(squares, 2),
        simd.load_row(squares, 3),
    ]
}

/// The four quarters of a group, side by side.
#[inline(always)]
fn quarters<S: Simd>(group: &mut [u64]) -> impl Iterator<Item = [&mut S::Lanes; 4]> {
    let (lanes, _) = S::split_mut(group);
    let (low, high) = lanes.split_at_mut(lanes.len() / 2);
    let (x0, x1) = low.split_at_mut(low.len() / 2);
    let (x2, x3) = high.split_at_mut(high.len() / 2);
    x0.iter_mut().zip(x1).zip(x2).zip(x3).map(|(((x0, x1), x2), x3)| [x0, x1, x2, x3])
}
