//! Four residues in one vector, as integers in doubles.
//!
//! An integer of magnitude up to 2^53 is exact in a double, and so is every sum of such integers that stays below.
//! The product of two integers whose product is below 2^104 is `h + l`, `h` rounded and `l = a·b − h` exact by
//! fused multiplication. With `b` an integer near `a·b/q`, `h − b·q` is an integer: the fused operation rounds once,
//! and not at all when the result is below 2^53. So `(h − b·q) + l` is exact and congruent to `a·b`.
//!
//! Throughout `q < 2^50`, and a *bound* B of a value x means `|x| ≤ B·q`.

use std::arch::x86_64::*;

use crate::ring::Modulus;

/// Four residues in memory: integers at the borders of a kernel, bits of doubles within it.
pub(super) type Quad = [u64; 4];

/// 2^52: adding it to an integer in `[0, 2^52)` leaves the integer in the low bits.
const MAGIC: f64 = (1u64 << 52) as f64;

/// A modulus in every lane.
#[derive(Clone, Copy)]
pub(super) struct Q {
    q: __m256d,
    inverse: __m256d,
    /// (q − 1)/2.
    half: __m256d,
}

/// A constant in `(−q/2, q/2)` and its quotient by the modulus.
#[derive(Clone, Copy)]
pub(super) struct W {
    w: __m256d,
    quotient: __m256d,
}

impl Q {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn new(q: &Modulus) -> Q {
        let value = q.value() as f64;
        Q {
            q: _mm256_set1_pd(value),
            inverse: _mm256_set1_pd(1.0 / value),
            half: _mm256_set1_pd((q.value() / 2) as f64),
        }
    }
}

impl W {
    /// A centered constant and its quotient.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn new((w, quotient): (f64, f64)) -> W {
        W { w: _mm256_set1_pd(w), quotient: _mm256_set1_pd(quotient) }
    }

    /// A constant in `[0, q)`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn from_residue(factor: u64, q: &Modulus) -> W {
        let w = q.centered(factor) as f64;
        W::new((w, w / q.value() as f64))
    }
}

#[target_feature(enable = "avx2,fma")]
fn load_bits(x: &Quad) -> __m256i {
    #[expect(unsafe_code, reason = "vector load")]
    // SAFETY: the reference is to 32 readable bytes; the load needs no alignment.
    unsafe {
        _mm256_loadu_si256(x.as_ptr().cast())
    }
}

#[target_feature(enable = "avx2,fma")]
fn store_bits(x: &mut Quad, bits: __m256i) {
    #[expect(unsafe_code, reason = "vector store")]
    // SAFETY: the reference is to 32 writable bytes; the store needs no alignment.
    unsafe {
        _mm256_storeu_si256(x.as_mut_ptr().cast(), bits);
    }
}

/// Four doubles.
#[target_feature(enable = "avx2,fma")]
pub(super) fn load_doubles(x: &[f64; 4]) -> __m256d {
    #[expect(unsafe_code, reason = "vector load")]
    // SAFETY: the reference is to 32 readable bytes; the load needs no alignment.
    unsafe {
        _mm256_loadu_pd(x.as_ptr())
    }
}

/// Doubles that `store` left.
#[target_feature(enable = "avx2,fma")]
pub(super) fn load(x: &Quad) -> __m256d {
    _mm256_castsi256_pd(load_bits(x))
}

/// Keeps doubles as their bits.
#[target_feature(enable = "avx2,fma")]
pub(super) fn store(x: &mut Quad, v: __m256d) {
    store_bits(x, _mm256_castpd_si256(v));
}

/// Integers below 2^52, as doubles.
#[target_feature(enable = "avx2,fma")]
pub(super) fn load_residues(x: &Quad) -> __m256d {
    let magic = _mm256_set1_pd(MAGIC);
    let shifted = _mm256_or_si256(load_bits(x), _mm256_castpd_si256(magic));
    _mm256_sub_pd(_mm256_castsi256_pd(shifted), magic)
}

/// The representatives in `[0, q)`, as integers. Bound 3.5, and two units more: `|x − c| < 2^52` is what counts.
///
/// Let `x = k·q + s` with `0 ≤ s < q` and `c = (q − 1)/2`. Then `(x − c)/q` is within `1/2 − 1/(2q)` of k, and the
/// product with the rounded inverse within `|x − c|/q·2^−53 < 1/(2q)` of that, so rounding it gives k.
#[target_feature(enable = "avx2,fma")]
pub(super) fn store_canonical(out: &mut Quad, x: __m256d, q: Q) {
    let r = _mm256_fnmadd_pd(nearest_quotient(_mm256_sub_pd(x, q.half), q), q.q, x);
    let magic = _mm256_set1_pd(MAGIC);
    let shifted = _mm256_castpd_si256(_mm256_add_pd(r, magic));
    store_bits(out, _mm256_xor_si256(shifted, _mm256_castpd_si256(magic)));
}

/// A representative of magnitude at most q/2, one unit more if `|x| ≤ 2^53`; exactly that for `|x| < 2^52` (as above).
#[target_feature(enable = "avx2,fma")]
pub(super) fn reduce(x: __m256d, q: Q) -> __m256d {
    _mm256_fnmadd_pd(nearest_quotient(x, q), q.q, x)
}

/// x/q to the nearest integer, below 2^51: there 1.5·2^52 leaves no bits for a fraction, and rounding happens once.
#[target_feature(enable = "avx2,fma")]
fn nearest_quotient(x: __m256d, q: Q) -> __m256d {
    let magic = _mm256_set1_pd(1.5 * MAGIC);
    _mm256_sub_pd(_mm256_fmadd_pd(x, q.inverse, magic), magic)
}

/// A value congruent to `w·y`. From bound B to bound 1/2 + B/8, for B up to 8.
///
/// The quotient is at most `B·2^49`, so its two roundings of relative error 2^−53 move it by at most B/8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn times(y: __m256d, w: W, q: Q) -> __m256d {
    let high = _mm256_mul_pd(w.w, y);
    let low = _mm256_fmsub_pd(w.w, y, high);
    let quotient = round(_mm256_mul_pd(y, w.quotient));
    _mm256_add_pd(_mm256_fnmadd_pd(quotient, q.q, high), low)
}

/// A value congruent to `a·b`, with the quotient taken of the rounded product, which costs latency instead of memory.
///
/// Bound 3/4 for `a, b` in `[0, q)`. From bound B to bound 1/2 + B/8 if `b` is in `(−q/2, q/2)`, for B below 4.
/// The error is as in `times`: that of `a·b` and that of 1/q.
#[target_feature(enable = "avx2,fma")]
pub(super) fn product(a: __m256d, b: __m256d, q: Q) -> __m256d {
    let high = _mm256_mul_pd(a, b);
    let low = _mm256_fmsub_pd(a, b, high);
    _mm256_add_pd(_mm256_fnmadd_pd(nearest_quotient(high, q), q.q, high), low)
}

/// What is left of an integer of up to 106 bits and its quotient by q, at most 2^53. Bound 5/2.
///
/// Two roundings of relative error 2^−53 move the quotient by at most 2. The remainder fits a double, so it is exact.
#[target_feature(enable = "avx2,fma")]
pub(super) fn remainder(x: __m256d, q: Q) -> __m256d {
    _mm256_fnmadd_pd(round(_mm256_mul_pd(x, q.inverse)), q.q, x)
}

#[target_feature(enable = "avx2,fma")]
fn round(x: __m256d) -> __m256d {
    _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
}
