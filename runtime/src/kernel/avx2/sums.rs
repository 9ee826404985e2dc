//! Sums of products with one reduction for several of them.

use std::arch::x86_64::*;

use super::lanes::{
    Q, Quad, W, load, load_residues, reduce, remainder, store, store_canonical, times,
};
use crate::kernel::portable;
use crate::kernel::table::{Limbs, Multiple, Pair, Term};
use crate::ring::{BaseConverter, Modulus};

/// Products of two residues that one [`Sum`] holds.
const RESIDUE_TERMS: usize = 8;

/// Products of two centered integers that one [`Sum`] holds.
const CENTERD_TERMS: usize = 12;

/// Quads taken at a time: what is kept of them stays in the first-level cache.
const TILE: usize = 64;

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
struct Sum {
    high: __m256d,
    low: __m256d,
}

impl Sum {
    #[target_feature(enable = "avx2,fma")]
    fn zero() -> Sum {
        Sum { high: _mm256_set1_pd(ANCHOR), low: _mm256_setzero_pd() }
    }

    #[target_feature(enable = "avx2,fma")]
    fn add_product(&mut self, a: __m256d, b: __m256d) {
        let high = _mm256_fmadd_pd(a, b, self.high);
        let taken = _mm256_sub_pd(high, self.high);
        self.low = _mm256_add_pd(self.low, _mm256_fmsub_pd(a, b, taken));
        self.high = high;
    }

    /// A value congruent to the sum, if one factor of each product is a residue of q, centered or not: then the quotient
    /// of the sum by q is at most 8·2^50 or 12·2^48. Bound 3, and one unit more.
    #[target_feature(enable = "avx2,fma")]
    fn reduce(self, q: Q) -> __m256d {
        let high = _mm256_sub_pd(self.high, _mm256_set1_pd(ANCHOR));
        _mm256_add_pd(remainder(high, q), reduce(self.low, q))
    }
}

/// Sixteen coefficients, summed up together.
type Square = [Quad; 4];

/// Adds eight products at a time to a tile of results.
#[target_feature(enable = "avx2,fma")]
pub(super) fn dot(out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus) {
    assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    let lanes = Q::new(q);
    let (whole, rest) = out.split_at_mut(out.len() / 16 * 16);
    let start = whole.len();
    let rests: Vec<_> = pairs.iter().map(|(a, b)| (&a[start..], &b[start..])).collect();
    portable::dot(rest, &rests, q);
    let (whole, _) = whole.as_chunks_mut::<4>().0.as_chunks_mut::<4>();
    for (i, out) in whole.chunks_mut(TILE / 4).enumerate() {
        let range = i * (TILE / 4)..i * (TILE / 4) + out.len();
        out.fill([[0; 4]; 4]);
        for pairs in pairs.chunks(RESIDUE_TERMS) {
            let mut terms = [(&[][..], &[][..]); RESIDUE_TERMS];
            for (term, (a, b)) in terms.iter_mut().zip(pairs) {
                *term = (&squares(a)[range.clone()], &squares(b)[range.clone()]);
            }
            add_products(out, &terms[..pairs.len()], lanes);
        }
    }
}

fn squares(x: &[u64]) -> &[Square] {
    x.as_chunks::<4>().0.as_chunks::<4>().0
}

/// Adds up to eight products to residues. Bound of the sum: 3 + 1/2.
#[target_feature(enable = "avx2,fma")]
fn add_products(acc: &mut [Square], terms: &[(&[Square], &[Square])], q: Q) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut sums = [Sum::zero(); 4];
        for (a, b) in terms {
            for ((sum, a), b) in sums.iter_mut().zip(&a[i]).zip(&b[i]) {
                sum.add_product(load_residues(a), load_residues(b));
            }
        }
        for (acc, sum) in acc.iter_mut().zip(sums) {
            let total = _mm256_add_pd(sum.reduce(q), reduce(load_residues(acc), q));
            store_canonical(acc, total, q);
        }
    }
}

/// Adds multiples: by factors of any size eight at a time, by small ones as many as doubles hold the sum of.
#[target_feature(enable = "avx2,fma")]
pub(super) fn add_multiples(acc: &mut [u64], multiples: &[Multiple<'_>], q: &Modulus) {
    assert!(multiples.iter().all(|(a, _)| a.len() == acc.len()));
    let lanes = Q::new(q);
    let (whole, rest) = acc.split_at_mut(acc.len() / 16 * 16);
    let start = whole.len();
    let rests: Vec<_> = multiples.iter().map(|(a, factor)| (&a[start..], *factor)).collect();
    portable::add_multiples(rest, &rests, q);
    let (whole, _) = whole.as_chunks_mut::<4>().0.as_chunks_mut::<4>();
    let mut left = multiples;
    while !left.is_empty() {
        let small = count_small(left, q);
        // Where doubles hold no more terms than exact sums do, these take fewer reductions.
        let is_small = small >= left.len().min(RESIDUE_TERMS);
        let count = if is_small { small } else { left.len().min(RESIDUE_TERMS) };
        let (now, later) = left.split_at(count);
        let factor = |factor| if is_small { q.centered(factor) as f64 } else { factor as f64 };
        let terms: Vec<(&[Square], __m256d)> =
            now.iter().map(|&(a, x)| (squares(a), _mm256_set1_pd(factor(x)))).collect();
        match is_small {
            true => add_small(whole, &terms, lanes),
            false => add_large(whole, &terms, lanes),
        }
        left = later;
    }
}

/// How many multiples doubles hold the sum of, with one residue more: magnitudes add up to at most 2^53.
fn count_small(multiples: &[Multiple<'_>], q: &Modulus) -> usize {
    let mut most = (1u64 << 53) / q.value() - 1;
    let fits = |(_, factor): &&Multiple<'_>| {
        let left = most.checked_sub(q.centered(*factor).unsigned_abs());
        most = left.unwrap_or(most);
        left.is_some()
    };
    multiples.iter().take_while(fits).count()
}

/// Adds multiples by small factors (see [`count_small`]) to residues, a few operands at a time from one end to the other:
/// more than that are not fetched ahead. In between, results are doubles.
#[target_feature(enable = "avx2,fma")]
fn add_small(acc: &mut [Square], terms: &[(&[Square], __m256d)], q: Q) {
    let last = terms.len().div_ceil(RESIDUE_TERMS) - 1;
    for (round, terms) in terms.chunks(RESIDUE_TERMS).enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            let mut sums = [_mm256_setzero_pd(); 4];
            for (sum, acc) in sums.iter_mut().zip(&*acc) {
                *sum = if round == 0 { load_residues(acc) } else { load(acc) };
            }
            for (a, factor) in terms {
                for (sum, a) in sums.iter_mut().zip(&a[i]) {
                    *sum = _mm256_fmadd_pd(load_residues(a), *factor, *sum);
                }
            }
            for (acc, sum) in acc.iter_mut().zip(sums) {
                if round == last {
                    store_canonical(acc, reduce(sum, q), q);
                } else {
                    store(acc, sum);
                }
            }
        }
    }
}

/// Adds up to eight multiples to residues. Bound of the sum: 3 + 1/2.
#[target_feature(enable = "avx2,fma")]
fn add_large(acc: &mut [Square], terms: &[(&[Square], __m256d)], q: Q) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut sums = [Sum::zero(); 4];
        for (a, factor) in terms {
            for (sum, a) in sums.iter_mut().zip(&a[i]) {
                sum.add_product(load_residues(a), *factor);
            }
        }
        for (acc, sum) in acc.iter_mut().zip(sums) {
            let total = _mm256_add_pd(sum.reduce(q), reduce(load_residues(acc), q));
            store_canonical(acc, total, q);
        }
    }
}

/// As [`dot`], eight coefficients of both results at a time: of up to eight terms every limb is read once, in order.
#[target_feature(enable = "avx2,fma")]
pub(super) fn dot_pair(out: [&mut [u64]; 2], terms: &[Term<'_>], q: &Modulus) {
    let n = out[0].len();
    let fits = |(shared, own): &Term<'_>| [shared, &own[0], &own[1]].iter().all(|x| x.len() == n);
    assert!(out[1].len() == n && terms.iter().all(fits));
    // More limbs than eight terms have at once compete for the same lines of the caches.
    if terms.len() > RESIDUE_TERMS {
        for (part, out) in out.into_iter().enumerate() {
            let pairs: Vec<Pair<'_>> = terms.iter().map(|(a, own)| (*a, own[part])).collect();
            dot(out, &pairs, q);
        }
        return;
    }
    let lanes = Q::new(q);
    let start = n / 8 * 8;
    let [(first, first_rest), (second, second_rest)] = out.map(|out| out.split_at_mut(start));
    let rests: Vec<Term<'_>> =
        terms.iter().map(|(a, [b, c])| (&a[start..], [&b[start..], &c[start..]])).collect();
    portable::dot_pair([first_rest, second_rest], &rests, q);
    let terms: Vec<(&[Half], [&[Half]; 2])> =
        terms.iter().map(|(a, [b, c])| (halves(a), [halves(b), halves(c)])).collect();
    let (first, _) = first.as_chunks_mut::<4>().0.as_chunks_mut::<2>();
    let (second, _) = second.as_chunks_mut::<4>().0.as_chunks_mut::<2>();
    for (i, out) in first.iter_mut().zip(second).enumerate() {
        let mut sums = [[Sum::zero(); 2]; 2];
        for (shared, own) in &terms {
            for quad in 0..2 {
                let factor = load_residues(&shared[i][quad]);
                for part in 0..2 {
                    sums[part][quad].add_product(factor, load_residues(&own[part][i][quad]));
                }
            }
        }
        for (out, sums) in [out.0, out.1].into_iter().zip(sums) {
            for (out, sum) in out.iter_mut().zip(sums) {
                store_canonical(out, sum.reduce(lanes), lanes);
            }
        }
    }
}

/// Eight coefficients: a cache line.
type Half = [Quad; 2];

fn halves(x: &[u64]) -> &[Half] {
    x.as_chunks::<4>().0.as_chunks::<2>().0
}

/// Tile by tile: first the operands that all targets share, then the targets, four at a time.
#[target_feature(enable = "avx2,fma")]
pub(super) fn base_convert(to: Limbs<'_, '_>, from: &[&[u64]], converter: &BaseConverter) {
    let n = converter.check(to, from);
    let whole = n / 4 * 4;
    let from_rest: Vec<&[u64]> = from.iter().map(|limb| &limb[whole..]).collect();
    let mut to_rest: Vec<&mut [u64]> = to.iter_mut().map(|limb| &mut limb[whole..]).collect();
    portable::base_convert(&mut to_rest, &from_rest, converter);

    let from: Vec<&[Quad]> = from.iter().map(|limb| limb.as_chunks().0).collect();
    let mut to: Vec<&mut [Quad]> = to.iter_mut().map(|limb| limb.as_chunks_mut().0).collect();
    let (fours, ones) = to.as_chunks_mut::<4>();
    let sources: Vec<Source> =
        converter.from.iter().zip(&converter.inverses).map(|(q, &w)| Source::new(q, w)).collect();
    let group_targets: Vec<Targets<4>> =
        (0..fours.len()).map(|i| Targets::new(converter, 4 * i)).collect();
    let single_targets: Vec<Targets<1>> =
        (0..ones.len()).map(|i| Targets::new(converter, 4 * fours.len() + i)).collect();

    let n_terms = from.len() + 1;
    let mut operands = vec![[0; 4]; TILE.min(n / 4) * n_terms];
    for start in (0..n / 4).step_by(TILE) {
        let tile = start..(start + TILE).min(n / 4);
        let operands = &mut operands[..tile.len() * n_terms];
        for (i, operands) in tile.clone().zip(operands.chunks_exact_mut(n_terms)) {
            fill_operands(operands, i, &from, &sources);
        }
        for (to, targets) in fours.iter_mut().zip(&group_targets) {
            combine(to.each_mut().map(|to| &mut to[tile.clone()]), operands, targets);
        }
        for (to, targets) in ones.iter_mut().zip(&single_targets) {
            combine([&mut to[tile.clone()]], operands, targets);
        }
    }
}

/// A source prime and the factor of its limb.
struct Source {
    q: Q,
    factor: W,
    reciprocal: __m256d,
}

impl Source {
    #[target_feature(enable = "avx2,fma")]
    fn new(q: &Modulus, factor: u64) -> Source {
        let reciprocal = _mm256_set1_pd(1.0 / q.value() as f64);
        Source { q: Q::new(q), factor: W::from_residue(factor, q), reciprocal }
    }
}

/// Some target primes and, operand by operand, the centered factors for them.
struct Targets<const G: usize> {
    q: [Q; G],
    factors: Vec<[f64; G]>,
}

impl<const G: usize> Targets<G> {
    #[target_feature(enable = "avx2,fma")]
    fn new(converter: &BaseConverter, first: usize) -> Targets<G> {
        let q = std::array::from_fn(|j| Q::new(&converter.to[first + j]));
        let factor = |k: usize, j: usize| {
            converter.to[first + j].centered(converter.matrix[first + j][k]) as f64
        };
        let factors =
            (0..=converter.from.len()).map(|k| std::array::from_fn(|j| factor(k, j))).collect();
        Targets { q, factors }
    }
}

/// The centered digits of one quad and, last, their count.
#[target_feature(enable = "avx2,fma")]
fn fill_operands(operands: &mut [Quad], i: usize, from: &[&[Quad]], sources: &[Source]) {
    let mut quotient = _mm256_setzero_pd();
    for ((operand, limb), source) in operands.iter_mut().zip(from).zip(sources) {
        let digit = reduce(times(load_residues(&limb[i]), source.factor, source.q), source.q);
        quotient = _mm256_add_pd(quotient, _mm256_mul_pd(digit, source.reciprocal));
        store(operand, digit);
    }
    if let Some(count) = operands.last_mut() {
        store(count, _mm256_floor_pd(_mm256_add_pd(quotient, _mm256_set1_pd(0.5))));
    }
}

/// Sums of operands times factors, for each target. Bound: 3, and 1/2 for what came before.
#[target_feature(enable = "avx2,fma")]
fn combine<const G: usize>(to: [&mut [Quad]; G], operands: &[Quad], targets: &Targets<G>) {
    let (n_terms, q) = (targets.factors.len(), targets.q);
    for (i, operands) in operands.chunks_exact(n_terms).enumerate() {
        let terms = operands.chunks(CENTERD_TERMS).zip(targets.factors.chunks(CENTERD_TERMS));
        let mut parts = terms.map(|(operands, factors)| add_up(operands, factors, q));
        let mut totals = parts.next().expect("there is at least the count");
        for part in parts {
            for j in 0..G {
                totals[j] = _mm256_add_pd(part[j], reduce(totals[j], q[j]));
            }
        }
        for j in 0..G {
            store_canonical(&mut to[j][i], totals[j], q[j]);
        }
    }
}

/// At most twelve operands times their factors.
#[target_feature(enable = "avx2,fma")]
fn add_up<const G: usize>(operands: &[Quad], factors: &[[f64; G]], q: [Q; G]) -> [__m256d; G] {
    let mut sums = [Sum::zero(); G];
    for (operand, factors) in operands.iter().zip(factors) {
        let operand = load(operand);
        for (sum, &factor) in sums.iter_mut().zip(factors) {
            sum.add_product(operand, _mm256_set1_pd(factor));
        }
    }
    std::array::from_fn(|j| sums[j].reduce(q[j]))
}
