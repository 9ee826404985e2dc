//! Sums of products by the integer multiplications of AVX-512 IFMA: the lower and the upper 52 bits of a product of two
//! integers below 2^52, added to 64-bit integers. No conversion to doubles, and half of the instructions.

use std::arch::x86_64::*;

use super::avx512::Avx512;
use super::entries::{entry, table_of};
use super::{limbs, sums, transform};
use crate::kernel::portable;
use crate::kernel::table::{Kernels, Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

table_of!(
    "avx512ifma",
    "avx512f,avx512dq,avx512ifma",
    Avx512,
    products,
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
);

/// Eight residues in memory.
type Lanes = [u64; 8];

/// Products of integers below 2^50 that one [`Sum`] holds, with what it starts from.
const TERMS: usize = 15;

/// Operands of as many terms are read at once: more limbs compete for the same lines of the caches.
const TERMS_AT_ONCE: usize = 8;

/// Vectors of operands that are kept at a time: they stay in the first-level cache.
const TILE: usize = 32;

/// 2^52 − 1.
const MASK: i64 = (1 << 52) - 1;

/// A modulus in every lane.
#[derive(Clone, Copy)]
struct Q {
    q: __m512i,
    twice: __m512i,
    /// 2^52 mod q, and ⌊that·2^52/q⌋.
    radix: W,
    /// ⌊2^52/q⌋.
    inverse: __m512i,
}

/// A constant w in `[0, q)` and ⌊w·2^52/q⌋ (Harvey, J. Symb. Comp. 2014).
#[derive(Clone, Copy)]
struct W {
    w: __m512i,
    quotient: __m512i,
}

impl W {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(w: u64, q: &Modulus) -> W {
        let quotient = ((u128::from(w) << 52) / u128::from(q.value())) as i64;
        W { w: _mm512_set1_epi64(w as i64), quotient: _mm512_set1_epi64(quotient) }
    }
}

impl Q {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(q: &Modulus) -> Q {
        let value = q.value() as i64;
        Q {
            q: _mm512_set1_epi64(value),
            twice: _mm512_set1_epi64(2 * value),
            radix: W::new(q.reduce(1 << 52), q),
            inverse: _mm512_set1_epi64((1 << 52) / value),
        }
    }

    /// An integer below 4q, modulo q.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn canonical(self, x: __m512i) -> __m512i {
        let x = _mm512_min_epu64(x, _mm512_sub_epi64(x, self.twice));
        self.reduce_once(x)
    }

    /// An integer below 2q, modulo q.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn reduce_once(self, x: __m512i) -> __m512i {
        _mm512_min_epu64(x, _mm512_sub_epi64(x, self.q))
    }

    /// w·x modulo q, for x below 2^52: the quotient is at most one too small.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn times(self, x: __m512i, w: W) -> __m512i {
        let zero = _mm512_setzero_si512();
        let quotient = _mm512_madd52hi_epu64(zero, x, w.quotient);
        let product = _mm512_madd52lo_epu64(zero, x, w.w);
        let taken = _mm512_madd52lo_epu64(zero, quotient, self.q);
        let mask = _mm512_set1_epi64(MASK);
        self.reduce_once(_mm512_and_si512(_mm512_sub_epi64(product, taken), mask))
    }
}

/// `high·2^52 + low`.
#[derive(Clone, Copy)]
struct Sum {
    high: __m512i,
    low: __m512i,
}

impl Sum {
    /// A residue.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(low: __m512i) -> Sum {
        Sum { high: _mm512_setzero_si512(), low }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add_product(&mut self, a: __m512i, b: __m512i) {
        self.low = _mm512_madd52lo_epu64(self.low, a, b);
        self.high = _mm512_madd52hi_epu64(self.high, a, b);
    }

    /// The sum modulo q.
    ///
    /// Fifteen products below 2^100 and what is carried leave `high` below 2^52. Both parts are reduced to `[0, 2q)`, as in
    /// [`Q::times`]: their sum is below 2^52, so that it is enough to know it modulo that.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn residue(self, q: Q) -> __m512i {
        let (zero, mask) = (_mm512_setzero_si512(), _mm512_set1_epi64(MASK));
        let high = _mm512_add_epi64(self.high, _mm512_srli_epi64::<52>(self.low));
        let low = _mm512_and_si512(self.low, mask);
        let quotients = [
            _mm512_madd52hi_epu64(zero, high, q.radix.quotient),
            _mm512_madd52hi_epu64(zero, low, q.inverse),
        ];
        let product = _mm512_madd52lo_epu64(low, high, q.radix.w);
        let taken = _mm512_madd52lo_epu64(zero, quotients[0], q.q);
        let taken = _mm512_madd52lo_epu64(taken, quotients[1], q.q);
        q.canonical(_mm512_and_si512(_mm512_sub_epi64(product, taken), mask))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &Lanes) -> __m512i {
    #[expect(unsafe_code, reason = "vector load")]
    // SAFETY: the reference is to 64 readable bytes; the load needs no alignment.
    unsafe {
        _mm512_loadu_si512(x.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(x: &mut Lanes, v: __m512i) {
    #[expect(unsafe_code, reason = "vector store")]
    // SAFETY: the reference is to 64 writable bytes; the store needs no alignment.
    unsafe {
        _mm512_storeu_si512(x.as_mut_ptr().cast(), v);
    }
}

/// Four vectors, summed up together.
type Four = [Lanes; 4];

fn fours(x: &[u64]) -> &[Four] {
    x.as_chunks().0.as_chunks().0
}

/// What the table takes from here.
mod products {
    pub(super) use super::sums::add_multiples;
    use super::*;

    /// A few products at a time are added to a tile of results.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn dot(_: Avx512, out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus) {
        assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
        let lanes = Q::new(q);
        let start = out.len() - out.len() % 32;
        let (whole, rest) = out.split_at_mut(start);
        let rests: Vec<_> = pairs.iter().map(|(a, b)| (&a[start..], &b[start..])).collect();
        portable::dot(rest, &rests, q);
        let (whole, _) = whole.as_chunks_mut::<8>().0.as_chunks_mut::<4>();
        for (i, out) in whole.chunks_mut(TILE / 4).enumerate() {
            let range = i * (TILE / 4)..i * (TILE / 4) + out.len();
            out.fill([[0; 8]; 4]);
            for pairs in pairs.chunks(TERMS_AT_ONCE) {
                let mut terms = [(&[][..], &[][..]); TERMS_AT_ONCE];
                for (term, (a, b)) in terms.iter_mut().zip(pairs) {
                    *term = (&fours(a)[range.clone()], &fours(b)[range.clone()]);
                }
                add_products(out, &terms[..pairs.len()], lanes);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add_products(acc: &mut [Four], terms: &[(&[Four], &[Four])], q: Q) {
        for (i, acc) in acc.iter_mut().enumerate() {
            let mut sums = [Sum::new(_mm512_setzero_si512()); 4];
            for (sum, acc) in sums.iter_mut().zip(&*acc) {
                sum.low = load(acc);
            }
            for (a, b) in terms {
                for ((sum, a), b) in sums.iter_mut().zip(&a[i]).zip(&b[i]) {
                    sum.add_product(load(a), load(b));
                }
            }
            for (acc, sum) in acc.iter_mut().zip(sums) {
                store(acc, sum.residue(q));
            }
        }
    }

    /// As [`dot`], both results at once: of up to eight terms every limb is read once, in order.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn dot_pair(simd: Avx512, out: Two<'_, u64>, terms: &[Term<'_>], q: &Modulus) {
        let n = out[0].len();
        let fits =
            |(shared, own): &Term<'_>| [shared, &own[0], &own[1]].iter().all(|x| x.len() == n);
        assert!(out[1].len() == n && terms.iter().all(fits));
        if terms.len() > TERMS_AT_ONCE {
            for (part, out) in out.into_iter().enumerate() {
                let pairs: Vec<Pair<'_>> = terms.iter().map(|(a, own)| (*a, own[part])).collect();
                dot(simd, out, &pairs, q);
            }
            return;
        }
        let lanes = Q::new(q);
        let start = n - n % 16;
        let [(first, first_rest), (second, second_rest)] = out.map(|out| out.split_at_mut(start));
        let rests: Vec<Term<'_>> =
            terms.iter().map(|(a, [b, c])| (&a[start..], [&b[start..], &c[start..]])).collect();
        portable::dot_pair([first_rest, second_rest], &rests, q);
        let terms: Vec<[&[Both]; 3]> =
            terms.iter().map(|(a, [b, c])| [both(a), both(b), both(c)]).collect();
        let (first, _) = first.as_chunks_mut::<8>().0.as_chunks_mut::<2>();
        let (second, _) = second.as_chunks_mut::<8>().0.as_chunks_mut::<2>();
        for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
            let mut sums = [[Sum::new(_mm512_setzero_si512()); 2]; 2];
            for [shared, a, b] in &terms {
                for k in 0..2 {
                    let factor = load(&shared[i][k]);
                    sums[0][k].add_product(factor, load(&a[i][k]));
                    sums[1][k].add_product(factor, load(&b[i][k]));
                }
            }
            for k in 0..2 {
                store(&mut first[k], sums[0][k].residue(lanes));
                store(&mut second[k], sums[1][k].residue(lanes));
            }
        }
    }

    /// Two vectors, whose sums are taken together.
    type Both = [Lanes; 2];

    fn both(x: &[u64]) -> &[Both] {
        x.as_chunks().0.as_chunks().0
    }

    /// Tile by tile: first the operands that all targets share, then the targets, four at a time.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(super) fn base_convert(
        _: Avx512,
        to: Limbs<'_, '_>,
        from: &[&[u64]],
        converter: &BaseConverter,
    ) {
        let n = converter.check(to, from);
        let n_vectors = n / 8;
        let from_rest: Vec<&[u64]> = from.iter().map(|limb| &limb[8 * n_vectors..]).collect();
        let mut to_rest: Vec<&mut [u64]> =
            to.iter_mut().map(|limb| &mut limb[8 * n_vectors..]).collect();
        portable::base_convert(&mut to_rest, &from_rest, converter);

        let from: Vec<&[Lanes]> = from.iter().map(|limb| limb.as_chunks().0).collect();
        let mut to: Vec<&mut [Lanes]> = to.iter_mut().map(|limb| limb.as_chunks_mut().0).collect();
        let (fours, ones) = to.as_chunks_mut::<4>();
        let mut sources = Vec::with_capacity(from.len());
        for (q, &w) in converter.from.iter().zip(&converter.inverses) {
            sources.push(Source::new(q, w));
        }
        let (mut group_targets, mut single_targets) = (vec![], vec![]);
        for i in 0..fours.len() {
            group_targets.push(Targets::<4>::new(converter, 4 * i));
        }
        for i in 0..ones.len() {
            single_targets.push(Targets::<1>::new(converter, 4 * fours.len() + i));
        }

        let n_terms = from.len() + 1;
        let mut operands = vec![[0; 8]; TILE.min(n_vectors) * n_terms];
        for start in (0..n_vectors).step_by(TILE) {
            let tile = start..(start + TILE).min(n_vectors);
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
}

/// A source prime and the factor of its limb.
struct Source {
    q: Q,
    factor: W,
    /// (q − 1)/2, which makes centered digits residues.
    half: __m512i,
    reciprocal: __m512d,
}

impl Source {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(q: &Modulus, factor: u64) -> Source {
        Source {
            q: Q::new(q),
            factor: W::new(factor, q),
            half: _mm512_set1_epi64(half(q) as i64),
            reciprocal: _mm512_set1_pd(1.0 / q.value() as f64),
        }
    }
}

/// What is added to centered digits.
fn half(q: &Modulus) -> u64 {
    q.value() / 2
}

/// What is added to the count, which is at most half the number of digits, and one more, in magnitude.
const COUNT_OFFSET: u64 = 1 << 20;

/// Some target primes and, operand by operand, the factors for them.
struct Targets<const G: usize> {
    q: [Q; G],
    factors: Vec<[u64; G]>,
    /// What sums start from: minus what the offsets of the operands bring.
    start: [u64; G],
}

impl<const G: usize> Targets<G> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(converter: &BaseConverter, first: usize) -> Targets<G> {
        let to: &[Modulus; G] = converter.to[first..].first_chunk().expect("there are as many");
        let mut q = [Q::new(&to[0]); G];
        for (q, modulus) in q.iter_mut().zip(to) {
            *q = Q::new(modulus);
        }
        let rows: [&[u64]; G] = std::array::from_fn(|j| &converter.matrix[first + j][..]);
        let factors =
            (0..=converter.from.len()).map(|k| std::array::from_fn(|j| rows[j][k])).collect();
        let start = std::array::from_fn(|j| {
            let offsets = converter.from.iter().map(half).chain([COUNT_OFFSET]);
            let products = offsets.zip(rows[j]).map(|(x, &w)| to[j].mul(to[j].reduce(x), w));
            to[j].neg(products.fold(0, |sum, product| to[j].add(sum, product)))
        });
        Targets { q, factors, start }
    }
}

/// The digits of one vector and, last, their count, with their offsets.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn fill_operands(operands: &mut [Lanes], i: usize, from: &[&[Lanes]], sources: &[Source]) {
    let mut quotient = _mm512_setzero_pd();
    for ((operand, limb), source) in operands.iter_mut().zip(from).zip(sources) {
        let digit = source.q.times(load(&limb[i]), source.factor);
        let shifted = source.q.reduce_once(_mm512_add_epi64(digit, source.half));
        let centered = _mm512_cvtepi64_pd(_mm512_sub_epi64(shifted, source.half));
        quotient = _mm512_add_pd(quotient, _mm512_mul_pd(centered, source.reciprocal));
        store(operand, shifted);
    }
    if let Some(count) = operands.last_mut() {
        let sum = _mm512_add_pd(quotient, _mm512_set1_pd(0.5));
        let floor = _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(sum);
        let offset = _mm512_set1_epi64(COUNT_OFFSET as i64);
        store(count, _mm512_add_epi64(_mm512_cvtpd_epi64(floor), offset));
    }
}

/// Sums of operands times factors, for each target.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn combine<const G: usize>(to: [&mut [Lanes]; G], operands: &[Lanes], targets: &Targets<G>) {
    let n_terms = targets.factors.len();
    for (i, operands) in operands.chunks_exact(n_terms).enumerate() {
        let mut totals = [_mm512_setzero_si512(); G];
        for (total, &start) in totals.iter_mut().zip(&targets.start) {
            *total = _mm512_set1_epi64(start as i64);
        }
        for (operands, factors) in operands.chunks(TERMS).zip(targets.factors.chunks(TERMS)) {
            let mut sums = [Sum::new(_mm512_setzero_si512()); G];
            for (sum, total) in sums.iter_mut().zip(totals) {
                sum.low = total;
            }
            for (operand, factors) in operands.iter().zip(factors) {
                let operand = load(operand);
                for (sum, &factor) in sums.iter_mut().zip(factors) {
                    sum.add_product(operand, _mm512_set1_epi64(factor as i64));
                }
            }
            for j in 0..G {
                totals[j] = sums[j].residue(targets.q[j]);
            }
        }
        for j in 0..G {
            store(&mut to[j][i], totals[j]);
        }
    }
}
