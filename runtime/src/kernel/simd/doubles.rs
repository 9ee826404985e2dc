//! Exact sums of products in two doubles.

use super::convert::Convert;
use super::lanes::{Constant, Factor, Q};
use super::sums::{self, Sums};
use super::vector::Simd;
use crate::ring::{BaseConverter, Modulus};

/// Products of two residues that one [`Sum`] holds.
pub(super) const TERMS: usize = 8;

const _: () = assert!(sums::TERMS <= TERMS, "sums are reduced before they are full");

/// 1.5·2^102. Doubles from 2^102 to 2^103 are the multiples of 2^50, from there to 2^104 those of 2^51.
const ANCHOR: f64 = 1.5 * (1u128 << 102) as f64;

/// An exact sum of products, `high − ANCHOR + low`.
///
/// `high` takes each product rounded to its own last place. The difference of its two values is exact, and so is what
/// the product exceeds that by: `low` gathers these parts, integers of total magnitude at most 2^53, because
/// - eight products in `[0, 2^100)` leave `high` below 2^104, where a part is at most 2^50;
/// - twelve products of magnitude below 2^98 leave it there too, and the first eight below 2^103: the parts are at most
///   8·2^49 + 4·2^50. Below 2^102 they are only smaller.
#[derive(Clone, Copy)]
pub(super) struct Sum<S: Simd> {
    high: S::Vector,
    low: S::Vector,
}

impl<S: Simd> Sum<S> {
    #[inline(always)]
    pub(super) fn zero(simd: S) -> Sum<S> {
        Sum { high: simd.splat(ANCHOR), low: simd.splat(0.0) }
    }

    #[inline(always)]
    pub(super) fn add_product(&mut self, simd: S, a: S::Vector, b: S::Vector) {
        let high = simd.mul_add(a, b, self.high);
        let taken = simd.sub(high, self.high);
        self.low = simd.add(self.low, simd.mul_sub(a, b, taken));
        self.high = high;
    }

    /// A value congruent to the sum, if one factor of each product is a residue of q, centered or not: then the quotient
    /// of the sum by q is at most 8·2^50 or 12·2^48. Bound 3, and one unit more.
    #[inline(always)]
    fn reduce(self, q: Q<S>) -> S::Vector {
        let high = q.simd.sub(self.high, q.simd.splat(ANCHOR));
        q.simd.add(q.remainder(high), q.reduce(self.low))
    }

    /// The same of the sum and a value of bound 3 + 1/2, and one unit more. Bound 3 + 1/2, and one unit more.
    #[inline(always)]
    pub(super) fn reduce_with(self, value: S::Vector, q: Q<S>) -> S::Vector {
        q.simd.add(self.reduce(q), q.reduce(value))
    }
}

/// Sums in doubles.
#[derive(Clone, Copy)]
pub(super) struct Doubles<S: Simd>(pub(super) S);

impl<S: Simd> Sums for Doubles<S> {
    type Simd = S;
    type Q = Q<S>;
    type Vector = S::Vector;
    type Sum = Sum<S>;

    #[inline(always)]
    fn modulus(self, q: &Modulus) -> Q<S> {
        Q::new(self.0, q)
    }

    #[inline(always)]
    fn load(self, x: &S::Lanes) -> S::Vector {
        self.0.doubles_of(self.0.load(x))
    }

    #[inline(always)]
    fn store(self, out: &mut S::Lanes, left: S::Vector, q: Q<S>) {
        q.store(out, left);
    }

    #[inline(always)]
    fn zero(self) -> Sum<S> {
        Sum::zero(self.0)
    }

    #[inline(always)]
    fn add_product(self, sum: &mut Sum<S>, a: S::Vector, b: S::Vector) {
        sum.add_product(self.0, a, b);
    }

    #[inline(always)]
    fn reduce(self, sum: Sum<S>, q: Q<S>) -> S::Vector {
        sum.reduce(q)
    }

    #[inline(always)]
    fn reduce_with(self, sum: Sum<S>, more: S::Vector, q: Q<S>) -> S::Vector {
        sum.reduce_with(more, q)
    }
}

/// A source prime and the factor of its limb.
pub(super) struct Source<S: Simd> {
    q: Q<S>,
    factor: Constant<S>,
    reciprocal: S::Vector,
}

/// Operands and factors are centered integers.
impl<S: Simd> Convert for Doubles<S> {
    type Source = Source<S>;
    type Factor = f64;
    type Start = ();
    const TERMS: usize = 12;

    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }

    #[inline(always)]
    fn source(self, q: &Modulus, factor: u64) -> Source<S> {
        Source {
            q: Q::new(self.0, q),
            factor: Constant::from_residue(self.0, factor, q),
            reciprocal: self.0.splat(1.0 / q.value() as f64),
        }
    }

    #[inline(always)]
    fn digits(self, residues: &S::Lanes, source: &Source<S>) -> (S::Vector, S::Vector) {
        let q = source.q;
        let digits = q.reduce(source.factor.times(q.load(residues), q));
        (digits, self.0.mul(digits, source.reciprocal))
    }

    #[inline(always)]
    fn count(self, count: S::Vector) -> S::Vector {
        count
    }

    #[inline(always)]
    fn keep(self, out: &mut S::Lanes, x: S::Vector) {
        self.0.store(out, x);
    }

    #[inline(always)]
    fn kept(self, x: &S::Lanes) -> S::Vector {
        self.0.load(x)
    }

    fn factor(residue: u64, q: &Modulus) -> f64 {
        q.centered(residue) as f64
    }

    fn start(_: &BaseConverter, _: usize) {}

    #[inline(always)]
    fn begin(self, (): ()) -> Sum<S> {
        Sum::zero(self.0)
    }

    #[inline(always)]
    fn splat(self, factor: f64) -> S::Vector {
        self.0.splat(factor)
    }
}
