//! Sums of products with one reduction for several of them.

use super::lanes::{Constant, Factor, Q};
use super::vector::Simd;
use crate::kernel::portable;
use crate::kernel::table::{Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, Modulus};

/// Products of two residues that one [`Sum`] holds.
const RESIDUE_TERMS: usize = 8;

/// Products of two centered integers that one [`Sum`] holds.
const CENTERED_TERMS: usize = 12;

/// Coefficients taken at a time: what is kept of them stays in the first-level cache.
const TILE: usize = 256;

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
struct Sum<S: Simd> {
    high: S::Vector,
    low: S::Vector,
}

impl<S: Simd> Sum<S> {
    #[inline(always)]
    fn zero(simd: S) -> Sum<S> {
        Sum { high: simd.splat(ANCHOR), low: simd.splat(0.0) }
    }

    #[inline(always)]
    fn add_product(&mut self, simd: S, a: S::Vector, b: S::Vector) {
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
}

/// Four vectors, summed up together.
type Four<S> = [<S as Simd>::Lanes; 4];

#[inline(always)]
fn fours<S: Simd>(x: &[u64]) -> &[Four<S>] {
    S::split(x).0.as_chunks().0
}

#[inline(always)]
fn fours_mut<S: Simd>(x: &mut [u64]) -> &mut [Four<S>] {
    S::split_mut(x).0.as_chunks_mut().0
}

/// Coefficients of a vector.
const fn width<S: Simd>() -> usize {
    4 * S::FOURS
}

/// Adds eight products at a time to a tile of results.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus) {
    assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    let lanes = Q::new(simd, q);
    let start = out.len() - out.len() % (4 * width::<S>());
    let (whole, rest) = out.split_at_mut(start);
    let rests: Vec<_> = pairs.iter().map(|(a, b)| (&a[start..], &b[start..])).collect();
    portable::dot(rest, &rests, q);
    let per_tile = TILE / (4 * width::<S>());
    for (i, out) in fours_mut::<S>(whole).chunks_mut(per_tile).enumerate() {
        let range = i * per_tile..i * per_tile + out.len();
        out.fill(Default::default());
        for pairs in pairs.chunks(RESIDUE_TERMS) {
            let mut terms = [(&[][..], &[][..]); RESIDUE_TERMS];
            for (term, (a, b)) in terms.iter_mut().zip(pairs) {
                *term = (&fours::<S>(a)[range.clone()], &fours::<S>(b)[range.clone()]);
            }
            add_products(out, &terms[..pairs.len()], lanes);
        }
    }
}

/// Two limbs, whose products are taken.
type Factors<'a, S> = (&'a [Four<S>], &'a [Four<S>]);

/// Adds up to eight products to residues. Bound of the sum: 3 + 1/2.
#[inline(always)]
fn add_products<S: Simd>(acc: &mut [Four<S>], terms: &[Factors<'_, S>], q: Q<S>) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut sums = [Sum::zero(q.simd); 4];
        for (a, b) in terms {
            for ((sum, a), b) in sums.iter_mut().zip(&a[i]).zip(&b[i]) {
                sum.add_product(q.simd, q.load(a), q.load(b));
            }
        }
        add_sums(acc, sums, q);
    }
}

#[inline(always)]
fn add_sums<S: Simd>(acc: &mut Four<S>, sums: [Sum<S>; 4], q: Q<S>) {
    for (acc, sum) in acc.iter_mut().zip(sums) {
        let total = q.simd.add(sum.reduce(q), q.reduce(q.load(acc)));
        q.store(acc, total);
    }
}

/// Adds multiples: by factors of any size eight at a time, by small ones as many as doubles hold the sum of.
#[inline(always)]
pub(super) fn add_multiples<S: Simd>(
    simd: S,
    acc: &mut [u64],
    multiples: &[Multiple<'_>],
    q: &Modulus,
) {
    assert!(multiples.iter().all(|(a, _)| a.len() == acc.len()));
    let lanes = Q::new(simd, q);
    let start = acc.len() - acc.len() % (4 * width::<S>());
    let (whole, rest) = acc.split_at_mut(start);
    let rests: Vec<_> = multiples.iter().map(|(a, factor)| (&a[start..], *factor)).collect();
    portable::add_multiples(rest, &rests, q);
    let whole = fours_mut::<S>(whole);
    let mut left = multiples;
    while !left.is_empty() {
        let small = count_small(left, q);
        // Where doubles hold no more terms than exact sums do, these take fewer reductions.
        let is_small = small >= left.len().min(RESIDUE_TERMS);
        let count = if is_small { small } else { left.len().min(RESIDUE_TERMS) };
        let (now, later) = left.split_at(count);
        let factor = |factor| if is_small { q.centered(factor) as f64 } else { factor as f64 };
        let terms: Vec<(&[Four<S>], f64)> =
            now.iter().map(|&(a, x)| (fours::<S>(a), factor(x))).collect();
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
#[inline(always)]
fn add_small<S: Simd>(acc: &mut [Four<S>], terms: &[(&[Four<S>], f64)], q: Q<S>) {
    let last = terms.len().div_ceil(RESIDUE_TERMS) - 1;
    for (round, terms) in terms.chunks(RESIDUE_TERMS).enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            let mut sums = [q.simd.splat(0.0); 4];
            for (sum, acc) in sums.iter_mut().zip(&*acc) {
                *sum = if round == 0 { q.load(acc) } else { q.simd.load(acc) };
            }
            for (a, factor) in terms {
                let factor = q.simd.splat(*factor);
                for (sum, a) in sums.iter_mut().zip(&a[i]) {
                    *sum = q.simd.mul_add(q.load(a), factor, *sum);
                }
            }
            for (acc, sum) in acc.iter_mut().zip(sums) {
                if round == last {
                    q.store(acc, q.reduce(sum));
                } else {
                    q.simd.store(acc, sum);
                }
            }
        }
    }
}

/// Adds up to eight multiples to residues. Bound of the sum: 3 + 1/2.
#[inline(always)]
fn add_large<S: Simd>(acc: &mut [Four<S>], terms: &[(&[Four<S>], f64)], q: Q<S>) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut sums = [Sum::zero(q.simd); 4];
        for (a, factor) in terms {
            let factor = q.simd.splat(*factor);
            for (sum, a) in sums.iter_mut().zip(&a[i]) {
                sum.add_product(q.simd, q.load(a), factor);
            }
        }
        add_sums(acc, sums, q);
    }
}

/// As [`dot`], both results at once: of up to eight terms every limb is read once, in order.
#[inline(always)]
pub(super) fn dot_pair<S: Simd>(simd: S, out: Two<'_, u64>, terms: &[Term<'_>], q: &Modulus) {
    let n = out[0].len();
    let fits = |(shared, own): &Term<'_>| [shared, &own[0], &own[1]].iter().all(|x| x.len() == n);
    assert!(out[1].len() == n && terms.iter().all(fits));
    // More limbs than eight terms have at once compete for the same lines of the caches.
    if terms.len() > RESIDUE_TERMS {
        for (part, out) in out.into_iter().enumerate() {
            let pairs: Vec<Pair<'_>> = terms.iter().map(|(a, own)| (*a, own[part])).collect();
            dot(simd, out, &pairs, q);
        }
        return;
    }
    let lanes = Q::new(simd, q);
    let start = n - n % (2 * width::<S>());
    let [(first, first_rest), (second, second_rest)] = out.map(|out| out.split_at_mut(start));
    let rests: Vec<Term<'_>> =
        terms.iter().map(|(a, [b, c])| (&a[start..], [&b[start..], &c[start..]])).collect();
    portable::dot_pair([first_rest, second_rest], &rests, q);
    let terms: Vec<[&[Both<S>]; 3]> =
        terms.iter().map(|(a, [b, c])| [both::<S>(a), both::<S>(b), both::<S>(c)]).collect();
    let (first, _) = S::split_mut(first).0.as_chunks_mut::<2>();
    let (second, _) = S::split_mut(second).0.as_chunks_mut::<2>();
    for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let mut sums = [[Sum::zero(simd); 2]; 2];
        for [shared, a, b] in &terms {
            for k in 0..2 {
                let factor = lanes.load(&shared[i][k]);
                sums[0][k].add_product(simd, factor, lanes.load(&a[i][k]));
                sums[1][k].add_product(simd, factor, lanes.load(&b[i][k]));
            }
        }
        for k in 0..2 {
            lanes.store(&mut first[k], sums[0][k].reduce(lanes));
            lanes.store(&mut second[k], sums[1][k].reduce(lanes));
        }
    }
}

/// Two vectors, whose sums are taken together.
type Both<S> = [<S as Simd>::Lanes; 2];

#[inline(always)]
fn both<S: Simd>(x: &[u64]) -> &[Both<S>] {
    S::split(x).0.as_chunks().0
}

/// Tile by tile: first the operands that all targets share, then the targets, four at a time.
#[inline(always)]
pub(super) fn base_convert<S: Simd>(
    simd: S,
    to: Limbs<'_, '_>,
    from: &[&[u64]],
    converter: &BaseConverter,
) {
    let n = converter.check(to, from);
    let n_vectors = n / width::<S>();
    let whole = n_vectors * width::<S>();
    let from_rest: Vec<&[u64]> = from.iter().map(|limb| &limb[whole..]).collect();
    let mut to_rest: Vec<&mut [u64]> = to.iter_mut().map(|limb| &mut limb[whole..]).collect();
    portable::base_convert(&mut to_rest, &from_rest, converter);

    let from: Vec<&[S::Lanes]> = from.iter().map(|limb| S::split(limb).0).collect();
    let mut to: Vec<&mut [S::Lanes]> = to.iter_mut().map(|limb| S::split_mut(limb).0).collect();
    let (fours, ones) = to.as_chunks_mut::<4>();
    let mut sources = Vec::with_capacity(from.len());
    for (q, &w) in converter.from.iter().zip(&converter.inverses) {
        sources.push(Source::new(simd, q, w));
    }
    let (mut group_targets, mut single_targets) = (vec![], vec![]);
    for i in 0..fours.len() {
        group_targets.push(Targets::<S, 4>::new(simd, converter, 4 * i));
    }
    for i in 0..ones.len() {
        single_targets.push(Targets::<S, 1>::new(simd, converter, 4 * fours.len() + i));
    }

    let n_terms = from.len() + 1;
    let per_tile = TILE / width::<S>();
    let mut operands = vec![S::Lanes::default(); per_tile.min(n_vectors) * n_terms];
    for start in (0..n_vectors).step_by(per_tile) {
        let tile = start..(start + per_tile).min(n_vectors);
        let operands = &mut operands[..tile.len() * n_terms];
        for (i, operands) in tile.clone().zip(operands.chunks_exact_mut(n_terms)) {
            fill_operands(operands, i, &from, &sources, simd);
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
struct Source<S: Simd> {
    q: Q<S>,
    factor: Constant<S>,
    reciprocal: S::Vector,
}

impl<S: Simd> Source<S> {
    #[inline(always)]
    fn new(simd: S, q: &Modulus, factor: u64) -> Source<S> {
        let reciprocal = simd.splat(1.0 / q.value() as f64);
        Source { q: Q::new(simd, q), factor: Constant::from_residue(simd, factor, q), reciprocal }
    }
}

/// Some target primes and, operand by operand, the centered factors for them.
struct Targets<S: Simd, const G: usize> {
    q: [Q<S>; G],
    factors: Vec<[f64; G]>,
}

impl<S: Simd, const G: usize> Targets<S, G> {
    #[inline(always)]
    fn new(simd: S, converter: &BaseConverter, first: usize) -> Targets<S, G> {
        let mut q = [Q::new(simd, &converter.to[first]); G];
        for (q, modulus) in q.iter_mut().zip(&converter.to[first..]) {
            *q = Q::new(simd, modulus);
        }
        let factor = |k: usize, j: usize| {
            converter.to[first + j].centered(converter.matrix[first + j][k]) as f64
        };
        let factors =
            (0..=converter.from.len()).map(|k| std::array::from_fn(|j| factor(k, j))).collect();
        Targets { q, factors }
    }
}

/// The centered digits of one vector and, last, their count.
#[inline(always)]
fn fill_operands<S: Simd>(
    operands: &mut [S::Lanes],
    i: usize,
    from: &[&[S::Lanes]],
    sources: &[Source<S>],
    simd: S,
) {
    let mut quotient = simd.splat(0.0);
    for ((operand, limb), source) in operands.iter_mut().zip(from).zip(sources) {
        let q = source.q;
        let digit = q.reduce(source.factor.times(q.load(&limb[i]), q));
        quotient = simd.add(quotient, simd.mul(digit, source.reciprocal));
        simd.store(operand, digit);
    }
    if let Some(count) = operands.last_mut() {
        simd.store(count, simd.floor(simd.add(quotient, simd.splat(0.5))));
    }
}

/// Sums of operands times factors, for each target. Bound: 3, and 1/2 for what came before.
#[inline(always)]
fn combine<S: Simd, const G: usize>(
    to: [&mut [S::Lanes]; G],
    operands: &[S::Lanes],
    targets: &Targets<S, G>,
) {
    let (n_terms, q) = (targets.factors.len(), targets.q);
    for (i, operands) in operands.chunks_exact(n_terms).enumerate() {
        let mut totals = [q[0].simd.splat(0.0); G];
        let terms = operands.chunks(CENTERED_TERMS).zip(targets.factors.chunks(CENTERED_TERMS));
        for (round, (operands, factors)) in terms.enumerate() {
            let part = add_up(operands, factors, q);
            for j in 0..G {
                totals[j] = match round {
                    0 => part[j],
                    _ => q[j].simd.add(part[j], q[j].reduce(totals[j])),
                };
            }
        }
        for j in 0..G {
            q[j].store(&mut to[j][i], totals[j]);
        }
    }
}

/// At most twelve operands times their factors.
#[inline(always)]
fn add_up<S: Simd, const G: usize>(
    operands: &[S::Lanes],
    factors: &[[f64; G]],
    q: [Q<S>; G],
) -> [S::Vector; G] {
    let simd = q[0].simd;
    let mut sums = [Sum::zero(simd); G];
    for (operand, factors) in operands.iter().zip(factors) {
        let operand = simd.load(operand);
        for (sum, &factor) in sums.iter_mut().zip(factors) {
            sum.add_product(simd, operand, simd.splat(factor));
        }
    }
    let mut totals = [simd.splat(0.0); G];
    for j in 0..G {
        totals[j] = sums[j].reduce(q[j]);
    }
    totals
}
