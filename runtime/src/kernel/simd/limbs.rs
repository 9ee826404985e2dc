//! One result per coefficient, of one or two limbs.

use super::lanes::{Constant, Factor, Numbers, Q};
use super::vector::Simd;
use crate::kernel::portable;
use crate::kernel::table::Two;
use crate::ring::Modulus;

// What the compiler vectorizes by itself, given the instructions.

#[inline(always)]
pub(super) fn add<S: Simd>(_: S, out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    portable::add(out, a, b, q);
}

#[inline(always)]
pub(super) fn sub<S: Simd>(_: S, out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    portable::sub(out, a, b, q);
}

#[inline(always)]
pub(super) fn neg<S: Simd>(_: S, out: &mut [u64], a: &[u64], q: &Modulus) {
    portable::neg(out, a, q);
}

#[inline(always)]
pub(super) fn lift<S: Simd>(_: S, out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus) {
    portable::lift(out, a, from, to);
}

/// The product has bound 3/4.
#[inline(always)]
pub(super) fn mul<S: Simd>(simd: S, out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(out.len() == a.len() && a.len() == b.len());
    let lanes = Q::new(simd, q);
    let (out, out_rest) = S::split_mut(out);
    let ((a, a_rest), (b, b_rest)) = (S::split(a), S::split(b));
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        lanes.store(out, Numbers(lanes.load(a)).times(lanes.load(b), lanes));
    }
    portable::mul(out_rest, a_rest, b_rest, q);
}

/// The sum has bound 7/4.
#[inline(always)]
pub(super) fn mul_add<S: Simd>(simd: S, acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
    assert!(acc.len() == a.len() && a.len() == b.len());
    let lanes = Q::new(simd, q);
    let (acc, acc_rest) = S::split_mut(acc);
    let ((a, a_rest), (b, b_rest)) = (S::split(a), S::split(b));
    for ((acc, a), b) in acc.iter_mut().zip(a).zip(b) {
        let r = Numbers(lanes.load(a)).times(lanes.load(b), lanes);
        lanes.store(acc, simd.add(lanes.load(acc), r));
    }
    portable::mul_add(acc_rest, a_rest, b_rest, q);
}

/// The product has bound 5/8.
#[inline(always)]
pub(super) fn scale<S: Simd>(simd: S, out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    let (lanes, w) = (Q::new(simd, q), Constant::from_residue(simd, factor, q));
    let ((out, out_rest), (a, a_rest)) = (S::split_mut(out), S::split(a));
    for (out, a) in out.iter_mut().zip(a) {
        lanes.store(out, w.times(lanes.load(a), lanes));
    }
    portable::scale(out_rest, a_rest, factor, q);
}

/// The sum has bound 13/8.
#[inline(always)]
pub(super) fn scale_add<S: Simd>(simd: S, acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(acc.len(), a.len());
    let (lanes, w) = (Q::new(simd, q), Constant::from_residue(simd, factor, q));
    let ((acc, acc_rest), (a, a_rest)) = (S::split_mut(acc), S::split(a));
    for (acc, a) in acc.iter_mut().zip(a) {
        let r = w.times(lanes.load(a), lanes);
        lanes.store(acc, simd.add(lanes.load(acc), r));
    }
    portable::scale_add(acc_rest, a_rest, factor, q);
}

/// The difference has bound 1, the product 5/8.
#[inline(always)]
pub(super) fn sub_scale<S: Simd>(simd: S, out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
    assert_eq!(out.len(), a.len());
    let (lanes, w) = (Q::new(simd, q), Constant::from_residue(simd, factor, q));
    let ((out, out_rest), (a, a_rest)) = (S::split_mut(out), S::split(a));
    for (out, a) in out.iter_mut().zip(a) {
        let difference = simd.sub(lanes.load(a), lanes.load(out));
        lanes.store(out, w.times(difference, lanes));
    }
    portable::sub_scale(out_rest, a_rest, factor, q);
}

/// Sum and difference have bounds 2 and 1, their products 3/4 and 5/8.
#[inline(always)]
pub(super) fn split_mirrored<S: Simd>(
    simd: S,
    [sums, differences]: Two<'_, u64>,
    x: &[u64],
    factors: [u64; 2],
    q: &Modulus,
) {
    let (low, high) = x.split_at(x.len() / 2);
    assert!(sums.len() == low.len() && differences.len() == low.len());
    let ((low, rest), (high, _)) = (S::split(low), S::split(high));
    if !rest.is_empty() {
        return portable::split_mirrored([sums, differences], x, factors, q);
    }
    let lanes = Q::new(simd, q);
    let w = factors.map(|factor| Constant::from_residue(simd, factor, q));
    let ((sums, _), (differences, _)) = (S::split_mut(sums), S::split_mut(differences));
    let pairs = low.iter().zip(high.iter().rev());
    for ((sum, difference), (a, b)) in sums.iter_mut().zip(differences).zip(pairs) {
        let (a, b) = (lanes.load(a), simd.reverse(lanes.load(b)));
        let (plus, minus) = lanes.add_sub(a, b);
        lanes.store(sum, w[0].times(plus, lanes));
        lanes.store(difference, w[1].times(minus, lanes));
    }
}
