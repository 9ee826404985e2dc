//! Sums of products with one reduction for several of them, whatever the sums are made of.

use super::vector::{Four, Simd, fours, fours_mut, width};
use crate::kernel::portable;
use crate::kernel::table::{Pair, Term, Two};
use crate::ring::Modulus;

/// Products of residues that are added between two reductions: more limbs compete for the same lines of the caches.
pub(super) const TERMS: usize = 8;

/// Coefficients taken at a time: what is kept of them stays in the first-level cache.
pub(super) const TILE: usize = 256;

/// Exact sums of products. A value proves that the processor has the instructions.
pub(super) trait Sums: Copy {
    type Simd: Simd;
    /// A modulus in every lane.
    type Q: Copy;
    /// Factors of products, and what is left of sums.
    type Vector: Copy;
    /// Holds [`TERMS`] products of residues.
    type Sum: Copy;

    fn modulus(self, q: &Modulus) -> Self::Q;
    /// Residues.
    fn load(self, x: &Lanes<Self>) -> Self::Vector;
    /// Residues of what is left of sums.
    fn store(self, out: &mut Lanes<Self>, left: Self::Vector, q: Self::Q);
    fn zero(self) -> Self::Sum;
    /// Adds a·b.
    fn add_product(self, sum: &mut Self::Sum, a: Self::Vector, b: Self::Vector);
    /// What is left of a sum, modulo q.
    fn reduce(self, sum: Self::Sum, q: Self::Q) -> Self::Vector;
    /// As `reduce`, with residues, or what is left of sums before, added.
    fn reduce_with(self, sum: Self::Sum, more: Self::Vector, q: Self::Q) -> Self::Vector;
}

/// As many residues as a vector of sums has.
pub(super) type Lanes<T> = <<T as Sums>::Simd as Simd>::Lanes;

/// Adds a few products at a time to a tile of results.
#[inline(always)]
pub(super) fn dot<T: Sums>(sums: T, out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus) {
    assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    let lanes = sums.modulus(q);
    let start = out.len() - out.len() % (4 * width::<T::Simd>());
    let (whole, rest) = out.split_at_mut(start);
    let rests: Vec<_> = pairs.iter().map(|(a, b)| (&a[start..], &b[start..])).collect();
    portable::dot(rest, &rests, q);
    let per_tile = TILE / (4 * width::<T::Simd>());
    for (i, out) in fours_mut::<T::Simd>(whole).chunks_mut(per_tile).enumerate() {
        let range = i * per_tile..i * per_tile + out.len();
        out.fill(Default::default());
        for pairs in pairs.chunks(TERMS) {
            let mut terms = [(&[][..], &[][..]); TERMS];
            for (term, (a, b)) in terms.iter_mut().zip(pairs) {
                *term = (&fours::<T::Simd>(a)[range.clone()], &fours::<T::Simd>(b)[range.clone()]);
            }
            add_products(sums, out, &terms[..pairs.len()], lanes);
        }
    }
}

/// Two limbs, whose products are taken.
type Factors<'a, S> = (&'a [Four<S>], &'a [Four<S>]);

/// Adds up to eight products to residues.
#[inline(always)]
fn add_products<T: Sums>(
    sums: T,
    acc: &mut [Four<T::Simd>],
    terms: &[Factors<'_, T::Simd>],
    q: T::Q,
) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut four = [sums.zero(); 4];
        for (a, b) in terms {
            for ((sum, a), b) in four.iter_mut().zip(&a[i]).zip(&b[i]) {
                sums.add_product(sum, sums.load(a), sums.load(b));
            }
        }
        for (acc, sum) in acc.iter_mut().zip(four) {
            let total = sums.reduce_with(sum, sums.load(acc), q);
            sums.store(acc, total, q);
        }
    }
}

/// As [`dot`], both results at once: of up to eight terms every limb is read once, in order.
#[inline(always)]
pub(super) fn dot_pair<T: Sums>(sums: T, out: Two<'_, u64>, terms: &[Term<'_>], q: &Modulus) {
    let n = out[0].len();
    let fits = |(shared, own): &Term<'_>| [shared, &own[0], &own[1]].iter().all(|x| x.len() == n);
    assert!(out[1].len() == n && terms.iter().all(fits));
    if terms.len() > TERMS {
        for (part, out) in out.into_iter().enumerate() {
            let pairs: Vec<Pair<'_>> = terms.iter().map(|(a, own)| (*a, own[part])).collect();
            dot(sums, out, &pairs, q);
        }
        return;
    }
    let lanes = sums.modulus(q);
    let start = n - n % (2 * width::<T::Simd>());
    let [(first, first_rest), (second, second_rest)] = out.map(|out| out.split_at_mut(start));
    let rests: Vec<Term<'_>> =
        terms.iter().map(|(a, [b, c])| (&a[start..], [&b[start..], &c[start..]])).collect();
    portable::dot_pair([first_rest, second_rest], &rests, q);
    let terms: Vec<[&[Both<T>]; 3]> =
        terms.iter().map(|(a, [b, c])| [both::<T>(a), both::<T>(b), both::<T>(c)]).collect();
    let (first, _) = T::Simd::split_mut(first).0.as_chunks_mut::<2>();
    let (second, _) = T::Simd::split_mut(second).0.as_chunks_mut::<2>();
    for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let mut pair = [[sums.zero(); 2]; 2];
        for [shared, a, b] in &terms {
            for k in 0..2 {
                let factor = sums.load(&shared[i][k]);
                sums.add_product(&mut pair[0][k], factor, sums.load(&a[i][k]));
                sums.add_product(&mut pair[1][k], factor, sums.load(&b[i][k]));
            }
        }
        for k in 0..2 {
            sums.store(&mut first[k], sums.reduce(pair[0][k], lanes), lanes);
            sums.store(&mut second[k], sums.reduce(pair[1][k], lanes), lanes);
        }
    }
}

/// Two vectors, whose sums are taken together.
type Both<T> = [Lanes<T>; 2];

#[inline(always)]
fn both<T: Sums>(x: &[u64]) -> &[Both<T>] {
    T::Simd::split(x).0.as_chunks().0
}
