//! Base conversion: for every target prime, a sum of products of digits.

use super::sums::{Lanes, Sums, TILE};
use super::vector::{Simd, width};
use crate::kernel::portable;
use crate::kernel::table::Limbs;
use crate::ring::{BaseConverter, Modulus};

/// Sums of digits times factors.
pub(super) trait Convert: Sums {
    /// A source prime, and what makes digits of its limb.
    type Source;
    /// What operands are multiplied by.
    type Factor: Copy;
    /// What sums for a target prime begin with: it takes back what operands have besides digits.
    type Start: Copy;
    /// Products of operands that one sum holds.
    const TERMS: usize;

    fn simd(self) -> Self::Simd;
    /// Digits are residues times `factor`.
    fn source(self, q: &Modulus, factor: u64) -> Self::Source;
    /// Digits, as operands; and centered, by the prime.
    fn digits(self, residues: &Lanes<Self>, source: &Self::Source)
    -> (Self::Vector, Doubles<Self>);
    /// Integers, as operands.
    fn count(self, count: Doubles<Self>) -> Self::Vector;
    /// Keeps operands, or what is left of sums.
    fn keep(self, out: &mut Lanes<Self>, x: Self::Vector);
    /// The reverse of `keep`.
    fn kept(self, x: &Lanes<Self>) -> Self::Vector;

    fn factor(residue: u64, q: &Modulus) -> Self::Factor;
    fn start(converter: &BaseConverter, target: usize) -> Self::Start;
    fn begin(self, start: Self::Start) -> Self::Sum;
    fn splat(self, factor: Self::Factor) -> Self::Vector;
}

type Doubles<T> = <<T as Sums>::Simd as Simd>::Vector;

/// Tile by tile: first the operands that all targets share, then the targets, four at a time.
#[inline(always)]
pub(super) fn base_convert<T: Convert>(
    sums: T,
    to: Limbs<'_, '_>,
    from: &[&[u64]],
    converter: &BaseConverter,
) {
    let n = converter.check(to, from);
    let n_vectors = n / width::<T::Simd>();
    let whole = n_vectors * width::<T::Simd>();
    let from_rest: Vec<&[u64]> = from.iter().map(|limb| &limb[whole..]).collect();
    let mut to_rest: Vec<&mut [u64]> = to.iter_mut().map(|limb| &mut limb[whole..]).collect();
    portable::base_convert(&mut to_rest, &from_rest, converter);

    let from: Vec<&[Lanes<T>]> = from.iter().map(|limb| T::Simd::split(limb).0).collect();
    let mut to: Vec<&mut [Lanes<T>]> =
        to.iter_mut().map(|limb| T::Simd::split_mut(limb).0).collect();
    let (fours, ones) = to.as_chunks_mut::<4>();
    let mut sources = Vec::with_capacity(from.len());
    for (q, &factor) in converter.from.iter().zip(&converter.inverses) {
        sources.push(sums.source(q, factor));
    }
    let (mut group_targets, mut single_targets) = (vec![], vec![]);
    for i in 0..fours.len() {
        group_targets.push(Targets::<T, 4>::new(sums, converter, 4 * i));
    }
    for i in 0..ones.len() {
        single_targets.push(Targets::<T, 1>::new(sums, converter, 4 * fours.len() + i));
    }

    let n_terms = from.len() + 1;
    let per_tile = TILE / width::<T::Simd>();
    let mut operands = vec![Lanes::<T>::default(); per_tile.min(n_vectors) * n_terms];
    for start in (0..n_vectors).step_by(per_tile) {
        let tile = start..(start + per_tile).min(n_vectors);
        let operands = &mut operands[..tile.len() * n_terms];
        for (i, operands) in tile.clone().zip(operands.chunks_exact_mut(n_terms)) {
            fill_operands(sums, operands, i, &from, &sources);
        }
        for (to, targets) in fours.iter_mut().zip(&group_targets) {
            combine(sums, to.each_mut().map(|to| &mut to[tile.clone()]), operands, targets);
        }
        for (to, targets) in ones.iter_mut().zip(&single_targets) {
            combine(sums, [&mut to[tile.clone()]], operands, targets);
        }
    }
}

/// Some target primes and, operand by operand, the factors for them.
struct Targets<T: Convert, const G: usize> {
    q: [T::Q; G],
    factors: Vec<[T::Factor; G]>,
    start: [T::Start; G],
}

impl<T: Convert, const G: usize> Targets<T, G> {
    #[inline(always)]
    fn new(sums: T, converter: &BaseConverter, first: usize) -> Targets<T, G> {
        let to: &[Modulus; G] = converter.to[first..].first_chunk().expect("there are as many");
        let mut q = [sums.modulus(&to[0]); G];
        for (q, modulus) in q.iter_mut().zip(to) {
            *q = sums.modulus(modulus);
        }
        let factor = |k: usize, j: usize| T::factor(converter.matrix[first + j][k], &to[j]);
        let factors =
            (0..=converter.from.len()).map(|k| std::array::from_fn(|j| factor(k, j))).collect();
        Targets { q, factors, start: std::array::from_fn(|j| T::start(converter, first + j)) }
    }
}

/// The digits of one vector and, last, their count.
#[inline(always)]
fn fill_operands<T: Convert>(
    sums: T,
    operands: &mut [Lanes<T>],
    i: usize,
    from: &[&[Lanes<T>]],
    sources: &[T::Source],
) {
    let simd = sums.simd();
    let mut quotient = simd.splat(0.0);
    for ((operand, limb), source) in operands.iter_mut().zip(from).zip(sources) {
        let (digits, quotients) = sums.digits(&limb[i], source);
        sums.keep(operand, digits);
        quotient = simd.add(quotient, quotients);
    }
    if let Some(count) = operands.last_mut() {
        sums.keep(count, sums.count(simd.floor(simd.add(quotient, simd.splat(0.5)))));
    }
}

/// Sums of operands times factors, for each target.
///
/// Rounds go over the tile one after the other: a loop over rounds within would cost registers where there is one, as in most
/// conversions.
#[inline(always)]
fn combine<T: Convert, const G: usize>(
    sums: T,
    to: [&mut [Lanes<T>]; G],
    operands: &[Lanes<T>],
    targets: &Targets<T, G>,
) {
    let (q, n_terms) = (targets.q, targets.factors.len());
    for (round, factors) in targets.factors.chunks(T::TERMS).enumerate() {
        let first = round * T::TERMS;
        let is_last = first + factors.len() == n_terms;
        for (i, operands) in operands.chunks_exact(n_terms).enumerate() {
            let mut parts = [sums.zero(); G];
            if round == 0 {
                for (part, &start) in parts.iter_mut().zip(&targets.start) {
                    *part = sums.begin(start);
                }
            }
            add_up(sums, &mut parts, &operands[first..], factors);
            for j in 0..G {
                let out = &mut to[j][i];
                let total = match round {
                    0 => sums.reduce(parts[j], q[j]),
                    _ => sums.reduce_with(parts[j], sums.kept(out), q[j]),
                };
                match is_last {
                    true => sums.store(out, total, q[j]),
                    false => sums.keep(out, total),
                }
            }
        }
    }
}

/// Adds operands times their factors.
#[inline(always)]
fn add_up<T: Convert, const G: usize>(
    sums: T,
    parts: &mut [T::Sum; G],
    operands: &[Lanes<T>],
    factors: &[[T::Factor; G]],
) {
    for (operand, factors) in operands.iter().zip(factors) {
        let operand = sums.kept(operand);
        for (part, &factor) in parts.iter_mut().zip(factors) {
            sums.add_product(part, operand, sums.splat(factor));
        }
    }
}
