//! Sums of products by the integer multiplications of AVX-512 IFMA: the lower and the upper 52 bits of a product of two
//! integers below 2^52, added to 64-bit integers. No conversion to doubles, and half of the instructions.

use std::arch::x86_64::*;

use super::avx512::Avx512;
use super::convert::Convert;
use super::entries::{entry, table_of};
use super::sums::Sums;
use super::vector::operations;
use super::{convert, limbs, multiples, sums, transform};
use crate::kernel::portable;
use crate::kernel::table::{Kernels, Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// Proof of AVX-512 F, DQ and IFMA.
#[derive(Clone, Copy)]
struct Ifma(Avx512);

impl Ifma {
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn new() -> Ifma {
        Ifma(Avx512::new())
    }
}

table_of!(
    "avx512ifma",
    "avx512f,avx512dq,avx512ifma",
    Avx512::new(),
    Ifma::new(),
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
);

/// Eight residues in memory.
type Lanes = [u64; 8];

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
    /// The sum modulo q.
    ///
    /// Fifteen products below 2^100 and a residue leave `high`, with what is carried, below 2^52. Both parts are reduced to
    /// `[0, 2q)`, as in [`Q::times`]: their sum is below 2^52, so that it is enough to know it modulo that.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(self, q: Q) -> __m512i {
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

impl Sums for Ifma {
    type Simd = Avx512;
    type Q = Q;
    type Vector = __m512i;
    type Sum = Sum;

    operations! {
        modulus(q: &Modulus) -> Q: Q::new(q);
        load(x: &Lanes) -> __m512i: _mm512_loadu_si512(x.as_ptr().cast());
        store(out: &mut Lanes, left: __m512i, _q: Q):
            _mm512_storeu_si512(out.as_mut_ptr().cast(), left);
        zero() -> Sum: Sum { high: _mm512_setzero_si512(), low: _mm512_setzero_si512() };
        add_product(sum: &mut Sum, a: __m512i, b: __m512i): {
            sum.low = _mm512_madd52lo_epu64(sum.low, a, b);
            sum.high = _mm512_madd52hi_epu64(sum.high, a, b);
        };
        reduce(sum: Sum, q: Q) -> __m512i: sum.reduce(q);
        reduce_with(sum: Sum, more: __m512i, q: Q) -> __m512i:
            Sum { low: _mm512_add_epi64(sum.low, more), ..sum }.reduce(q);
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

/// What is added to centered digits.
fn half(q: &Modulus) -> u64 {
    q.value() / 2
}

/// What is added to the count, which is at most half the number of digits, and one more, in magnitude.
const COUNT_OFFSET: u64 = 1 << 20;

/// Operands are residues: what they exceed digits and count by is taken back by what sums begin with.
impl Convert for Ifma {
    type Source = Source;
    type Factor = u64;
    type Start = u64;
    const TERMS: usize = 15;

    fn simd(self) -> Avx512 {
        self.0
    }

    operations! {
        source(q: &Modulus, factor: u64) -> Source: Source {
            q: Q::new(q),
            factor: W::new(factor, q),
            half: _mm512_set1_epi64(half(q) as i64),
            reciprocal: _mm512_set1_pd(1.0 / q.value() as f64),
        };
        digits(residues: &Lanes, source: &Source) -> (__m512i, __m512d): {
            let residues = _mm512_loadu_si512(residues.as_ptr().cast());
            let digits = source.q.times(residues, source.factor);
            let shifted = source.q.reduce_once(_mm512_add_epi64(digits, source.half));
            let centered = _mm512_cvtepi64_pd(_mm512_sub_epi64(shifted, source.half));
            (shifted, _mm512_mul_pd(centered, source.reciprocal))
        };
        count(count: __m512d) -> __m512i:
            _mm512_add_epi64(_mm512_cvtpd_epi64(count), _mm512_set1_epi64(COUNT_OFFSET as i64));
        keep(out: &mut Lanes, x: __m512i): _mm512_storeu_si512(out.as_mut_ptr().cast(), x);
        kept(x: &Lanes) -> __m512i: _mm512_loadu_si512(x.as_ptr().cast());
        begin(start: u64) -> Sum:
            Sum { high: _mm512_setzero_si512(), low: _mm512_set1_epi64(start as i64) };
        splat(factor: u64) -> __m512i: _mm512_set1_epi64(factor as i64);
    }

    fn factor(residue: u64, _: &Modulus) -> u64 {
        residue
    }

    fn start(converter: &BaseConverter, target: usize) -> u64 {
        let (to, row) = (&converter.to[target], &converter.matrix[target]);
        let offsets = converter.from.iter().map(half).chain([COUNT_OFFSET]);
        let products = offsets.zip(row).map(|(x, &w)| to.mul(to.reduce(x), w));
        to.neg(products.fold(0, |sum, product| to.add(sum, product)))
    }
}
