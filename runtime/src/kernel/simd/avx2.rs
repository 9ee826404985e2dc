//! AVX2 and FMA: four residues at a time.

use std::arch::x86_64::*;

use super::doubles::Doubles;
use super::entries::{entry, table_of};
use super::vector::{Simd, Square, operations};
use super::{convert, limbs, multiples, sums, transform};
use crate::kernel::portable;
use crate::kernel::table::{Kernels, Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// Proof of AVX2 and FMA.
#[derive(Clone, Copy)]
struct Avx2(());

impl Avx2 {
    #[target_feature(enable = "avx2,fma")]
    fn new() -> Avx2 {
        Avx2(())
    }
}

table_of!(
    "avx2",
    "avx2,fma",
    Avx2::new(),
    Doubles(Avx2::new()),
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
);

/// 2^52: adding it to an integer in `[0, 2^52)` leaves the integer in the low bits.
const MAGIC: f64 = (1u64 << 52) as f64;

impl Simd for Avx2 {
    type Vector = __m256d;
    type Lanes = [u64; 4];
    const FOURS: usize = 1;

    #[inline(always)]
    fn split(x: &[u64]) -> (&[[u64; 4]], &[u64]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn split_mut(x: &mut [u64]) -> (&mut [[u64; 4]], &mut [u64]) {
        x.as_chunks_mut()
    }

    operations! {
        splat(x: f64) -> __m256d: _mm256_set1_pd(x);
        load(x: &[u64; 4]) -> __m256d: _mm256_loadu_pd(x.as_ptr().cast());
        store(x: &mut [u64; 4], v: __m256d): _mm256_storeu_pd(x.as_mut_ptr().cast(), v);
        doubles_of(bits: __m256d) -> __m256d:
            _mm256_sub_pd(_mm256_or_pd(bits, _mm256_set1_pd(MAGIC)), _mm256_set1_pd(MAGIC));
        integers_of(v: __m256d) -> __m256d:
            _mm256_xor_pd(_mm256_add_pd(v, _mm256_set1_pd(MAGIC)), _mm256_set1_pd(MAGIC));
        add(a: __m256d, b: __m256d) -> __m256d: _mm256_add_pd(a, b);
        sub(a: __m256d, b: __m256d) -> __m256d: _mm256_sub_pd(a, b);
        mul(a: __m256d, b: __m256d) -> __m256d: _mm256_mul_pd(a, b);
        mul_add(a: __m256d, b: __m256d, c: __m256d) -> __m256d: _mm256_fmadd_pd(a, b, c);
        mul_sub(a: __m256d, b: __m256d, c: __m256d) -> __m256d: _mm256_fmsub_pd(a, b, c);
        sub_mul(a: __m256d, b: __m256d, c: __m256d) -> __m256d: _mm256_fnmadd_pd(a, b, c);
        round(x: __m256d) -> __m256d:
            _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        floor(x: __m256d) -> __m256d: _mm256_floor_pd(x);
        reverse(x: __m256d) -> __m256d: _mm256_permute4x64_pd::<0b00_01_10_11>(x);
        load_row(squares: &[Square], row: usize) -> __m256d:
            _mm256_loadu_pd(squares[0][row].as_ptr().cast());
        store_row(squares: &mut [Square], row: usize, v: __m256d):
            _mm256_storeu_pd(squares[0][row].as_mut_ptr().cast(), v);
        transpose(x: [__m256d; 4]) -> [__m256d; 4]: {
            let (a, b) = (_mm256_unpacklo_pd(x[0], x[1]), _mm256_unpackhi_pd(x[0], x[1]));
            let (c, d) = (_mm256_unpacklo_pd(x[2], x[3]), _mm256_unpackhi_pd(x[2], x[3]));
            [
                _mm256_permute2f128_pd::<0x20>(a, c),
                _mm256_permute2f128_pd::<0x20>(b, d),
                _mm256_permute2f128_pd::<0x31>(a, c),
                _mm256_permute2f128_pd::<0x31>(b, d),
            ]
        };
    }

    #[inline(always)]
    fn spread(self, of_four: impl Fn(usize) -> f64) -> __m256d {
        self.splat(of_four(0))
    }

    #[inline(always)]
    fn row<const ROWS: usize>(self, blocks: &[[[f64; 4]; ROWS]], row: usize) -> __m256d {
        #[expect(unsafe_code, reason = "vector load")]
        // SAFETY: `self` proves that there is the instruction; the reference is to 32 bytes.
        unsafe {
            _mm256_loadu_pd(blocks[0][row].as_ptr())
        }
    }
}
