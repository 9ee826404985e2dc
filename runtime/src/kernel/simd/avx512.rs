//! AVX-512 (F and DQ): eight residues at a time.

use std::arch::x86_64::*;

use super::doubles::Doubles;
use super::entries::{entry, table_of};
use super::vector::{Simd, Square, operations};
use super::{convert, limbs, multiples, sums, transform};
use crate::kernel::portable;
use crate::kernel::table::{Kernels, Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// Proof of AVX-512 F and DQ.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn new() -> Avx512 {
        Avx512(())
    }
}

table_of!(
    "avx512",
    "avx512f,avx512dq",
    Avx512::new(),
    Doubles(Avx512::new()),
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
);

impl Simd for Avx512 {
    type Vector = __m512d;
    type Lanes = [u64; 8];
    const FOURS: usize = 2;

    #[inline(always)]
    fn split(x: &[u64]) -> (&[[u64; 8]], &[u64]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn split_mut(x: &mut [u64]) -> (&mut [[u64; 8]], &mut [u64]) {
        x.as_chunks_mut()
    }

    operations! {
        splat(x: f64) -> __m512d: _mm512_set1_pd(x);
        load(x: &[u64; 8]) -> __m512d: _mm512_loadu_pd(x.as_ptr().cast());
        store(x: &mut [u64; 8], v: __m512d): _mm512_storeu_pd(x.as_mut_ptr().cast(), v);
        doubles_of(bits: __m512d) -> __m512d: _mm512_cvtepu64_pd(_mm512_castpd_si512(bits));
        integers_of(v: __m512d) -> __m512d: _mm512_castsi512_pd(_mm512_cvtpd_epu64(v));
        add(a: __m512d, b: __m512d) -> __m512d: _mm512_add_pd(a, b);
        sub(a: __m512d, b: __m512d) -> __m512d: _mm512_sub_pd(a, b);
        mul(a: __m512d, b: __m512d) -> __m512d: _mm512_mul_pd(a, b);
        mul_add(a: __m512d, b: __m512d, c: __m512d) -> __m512d: _mm512_fmadd_pd(a, b, c);
        mul_sub(a: __m512d, b: __m512d, c: __m512d) -> __m512d: _mm512_fmsub_pd(a, b, c);
        sub_mul(a: __m512d, b: __m512d, c: __m512d) -> __m512d: _mm512_fnmadd_pd(a, b, c);
        round(x: __m512d) -> __m512d:
            _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        floor(x: __m512d) -> __m512d:
            _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(x);
        reverse(x: __m512d) -> __m512d:
            _mm512_permutexvar_pd(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), x);
        load_row(squares: &[Square], row: usize) -> __m512d: two_halves(
            _mm256_loadu_pd(squares[0][row].as_ptr().cast()),
            _mm256_loadu_pd(squares[1][row].as_ptr().cast()),
        );
        store_row(squares: &mut [Square], row: usize, v: __m512d): {
            _mm256_storeu_pd(squares[0][row].as_mut_ptr().cast(), _mm512_castpd512_pd256(v));
            _mm256_storeu_pd(squares[1][row].as_mut_ptr().cast(), _mm512_extractf64x4_pd::<1>(v));
        };
        transpose(x: [__m512d; 4]) -> [__m512d; 4]: {
            let (a, b) = (_mm512_unpacklo_pd(x[0], x[1]), _mm512_unpackhi_pd(x[0], x[1]));
            let (c, d) = (_mm512_unpacklo_pd(x[2], x[3]), _mm512_unpackhi_pd(x[2], x[3]));
            let low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            [
                _mm512_permutex2var_pd(a, low, c),
                _mm512_permutex2var_pd(b, low, d),
                _mm512_permutex2var_pd(a, high, c),
                _mm512_permutex2var_pd(b, high, d),
            ]
        };
    }

    #[inline(always)]
    fn spread(self, of_four: impl Fn(usize) -> f64) -> __m512d {
        let (low, high) = (of_four(0), of_four(1));
        #[expect(unsafe_code, reason = "vector instructions")]
        // SAFETY: `self` proves that the processor has them.
        unsafe {
            two_halves(_mm256_set1_pd(low), _mm256_set1_pd(high))
        }
    }

    #[inline(always)]
    fn row<const ROWS: usize>(self, blocks: &[[[f64; 4]; ROWS]], row: usize) -> __m512d {
        #[expect(unsafe_code, reason = "vector loads")]
        // SAFETY: `self` proves that there is the instruction; each reference is to 32 bytes.
        unsafe {
            two_halves(
                _mm256_loadu_pd(blocks[0][row].as_ptr()),
                _mm256_loadu_pd(blocks[1][row].as_ptr()),
            )
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn two_halves(low: __m256d, high: __m256d) -> __m512d {
    _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high)
}
