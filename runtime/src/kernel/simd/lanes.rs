//! Residues in a vector, as integers in doubles.
//!
//! An integer of magnitude up to 2^53 is exact in a double, and so is every sum of such integers that stays below.
//! The product of two integers whose product is below 2^104 is `h + l`, `h` rounded and `l = a·b − h` exact by
//! fused multiplication. With `b` an integer near `a·b/q`, `h − b·q` is an integer: the fused operation rounds once,
//! and not at all when the result is below 2^53. So `(h − b·q) + l` is exact and congruent to `a·b`.
//!
//! Throughout `q < 2^50`, and a *bound* B of a value x means `|x| ≤ B·q`.

use super::vector::Simd;
use crate::ring::Modulus;

/// 1.5·2^52: a sum with a number below 2^51 has no bits for a fraction, so that rounding happens once.
const ROUNDER: f64 = 1.5 * (1u64 << 52) as f64;

/// A modulus in every lane.
#[derive(Clone, Copy)]
pub(super) struct Q<S: Simd> {
    pub(super) simd: S,
    q: S::Vector,
    inverse: S::Vector,
    /// (q − 1)/2.
    half: S::Vector,
}

/// What values are multiplied by: bounds of the product for values of bound B.
pub(super) trait Factor<S: Simd>: Copy {
    /// A value congruent to the product. From bound B to bound 1/2 + B/8, for B up to 4.
    fn times(self, y: S::Vector, q: Q<S>) -> S::Vector;
}

/// A constant in `(−q/2, q/2)` and its quotient by the modulus.
#[derive(Clone, Copy)]
pub(super) struct Constant<S: Simd> {
    w: S::Vector,
    quotient: S::Vector,
}

/// Numbers in `(−q/2, q/2)`, or residues.
#[derive(Clone, Copy)]
pub(super) struct Numbers<S: Simd>(pub(super) S::Vector);

impl<S: Simd> Q<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, q: &Modulus) -> Q<S> {
        let value = q.value() as f64;
        Q {
            simd,
            q: simd.splat(value),
            inverse: simd.splat(1.0 / value),
            half: simd.splat((q.value() / 2) as f64),
        }
    }

    /// Residues, as doubles.
    #[inline(always)]
    pub(super) fn load(self, x: &S::Lanes) -> S::Vector {
        self.simd.doubles_of(self.simd.load(x))
    }

    /// The representatives in `[0, q)`, as residues.
    #[inline(always)]
    pub(super) fn store(self, out: &mut S::Lanes, x: S::Vector) {
        self.simd.store(out, self.canonical(x));
    }

    /// The representatives in `[0, q)`, as integers. Bound 3.5, and two units more: `|x − c| < 2^52` is what counts.
    ///
    /// Let `x = k·q + s` with `0 ≤ s < q` and `c = (q − 1)/2`. Then `(x − c)/q` is within `1/2 − 1/(2q)` of k, and the
    /// product with the rounded inverse within `|x − c|/q·2^−53 < 1/(2q)` of that, so rounding it gives k.
    #[inline(always)]
    pub(super) fn canonical(self, x: S::Vector) -> S::Vector {
        let quotient = self.nearest_quotient(self.simd.sub(x, self.half));
        self.simd.integers_of(self.simd.sub_mul(quotient, self.q, x))
    }

    /// A representative of magnitude at most q/2, one unit more if `|x| ≤ 2^53`; exactly that for `|x| < 2^52` (as above).
    #[inline(always)]
    pub(super) fn reduce(self, x: S::Vector) -> S::Vector {
        self.simd.sub_mul(self.nearest_quotient(x), self.q, x)
    }

    /// x/q to the nearest integer, below 2^51.
    #[inline(always)]
    fn nearest_quotient(self, x: S::Vector) -> S::Vector {
        self.rounded_product(x, self.inverse)
    }

    /// a·b to the nearest integer, below 2^51.
    #[inline(always)]
    fn rounded_product(self, a: S::Vector, b: S::Vector) -> S::Vector {
        let rounder = self.simd.splat(ROUNDER);
        self.simd.sub(self.simd.mul_add(a, b, rounder), rounder)
    }

    /// `a·b − quotient·q`, of which `high` is the product rounded.
    #[inline(always)]
    fn without(
        self,
        a: S::Vector,
        b: S::Vector,
        high: S::Vector,
        quotient: S::Vector,
    ) -> S::Vector {
        let low = self.simd.mul_sub(a, b, high);
        self.simd.add(self.simd.sub_mul(quotient, self.q, high), low)
    }

    /// What is left of an integer of up to 106 bits and its quotient by q, at most 2^53. Bound 5/2.
    ///
    /// Two roundings of relative error 2^−53 move the quotient by at most 2. The remainder fits a double, so it is exact.
    #[inline(always)]
    pub(super) fn remainder(self, x: S::Vector) -> S::Vector {
        let quotient = self.simd.round(self.simd.mul(x, self.inverse));
        self.simd.sub_mul(quotient, self.q, x)
    }

    /// a + b and a − b.
    #[inline(always)]
    pub(super) fn add_sub(self, a: S::Vector, b: S::Vector) -> (S::Vector, S::Vector) {
        (self.simd.add(a, b), self.simd.sub(a, b))
    }
}

impl<S: Simd> Constant<S> {
    /// A centered constant and its quotient.
    #[inline(always)]
    pub(super) fn new(simd: S, (w, quotient): (f64, f64)) -> Constant<S> {
        Constant { w: simd.splat(w), quotient: simd.splat(quotient) }
    }

    /// A constant in `[0, q)`.
    #[inline(always)]
    pub(super) fn from_residue(simd: S, factor: u64, q: &Modulus) -> Constant<S> {
        let w = q.centered(factor) as f64;
        Constant::new(simd, (w, w / q.value() as f64))
    }
}

impl<S: Simd> Factor<S> for Constant<S> {
    /// The quotient is at most `B·2^49`, at most 2^51, so that the rounding of `quotient` moves it by at most B/16.
    #[inline(always)]
    fn times(self, y: S::Vector, q: Q<S>) -> S::Vector {
        q.without(self.w, y, q.simd.mul(self.w, y), q.rounded_product(y, self.quotient))
    }
}

impl<S: Simd> Factor<S> for Numbers<S> {
    /// The quotient is taken of the rounded product, which costs latency instead of memory: two roundings of relative error
    /// 2^−53, of the product and of 1/q, move it by at most B/8. Two residues are taken too: bound 3/4.
    #[inline(always)]
    fn times(self, y: S::Vector, q: Q<S>) -> S::Vector {
        let high = q.simd.mul(self.0, y);
        q.without(self.0, y, high, q.nearest_quotient(high))
    }
}
