//! AVX2 and FMA: four residues at a time, as integers in doubles.
//!
//! The modular product of an integer `y` and a constant `w`: `h = w·y` and `l = w·y − h` hold it exactly;
//! `b = round(y·(w/q))` is its quotient up to a small error; `h − b·q` is exact, so `r = (h − b·q) + l` is congruent to
//! `w·y`. With constants centred in `[−q/2, q/2]` and `|y| ≤ B·q`, `|r| ≤ (1/2 + B/8)·q` for `q < 2^50`: the quotient
//! `y·w/q` is at most `B·q/2 < B·2^49`, and two roundings of relative error 2^−53 move it by at most `B/8`.
//!
//! Values stay integers of magnitude below `8q ≤ 2^53`, where doubles hold them exactly; each function says why.
//!
//! Benchmark: `cargo bench -p hecc-runtime --bench kernels`.

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn table() -> Option<&'static super::Kernels> {
    None
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::table;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;
    use std::cell::RefCell;

    use crate::kernel::Kernels;
    use crate::ring::{Modulus, NttTable};

    /// Blocks of this many coefficients finish all their passes before the next: they fit the first-level cache.
    const BLOCK: usize = 4096;

    /// Coefficients handled at a time by sums over many limbs.
    const CHUNK: usize = 1024;

    /// `None` where the processor lacks AVX2 or FMA; the only way to reach the functions below.
    pub(in crate::kernel) fn table() -> Option<&'static Kernels> {
        static TABLE: Kernels = Kernels {
            name: "avx2",
            ntt,
            intt,
            mul,
            mul_add,
            scale,
            scale_add,
            sub_scale,
            dot,
            combine,
        };
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&TABLE)
    }

    thread_local! {
        static SCRATCH: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
    }

    /// Defines a safe entry to a function that needs AVX2 and FMA.
    macro_rules! entry {
        ($name:ident => $inner:ident($($arg:ident: $type:ty),*)) => {
            fn $name($($arg: $type),*) {
                #[expect(unsafe_code, reason = "calls a #[target_feature] function")]
                // SAFETY: `TABLE` is only handed out by `table`, after AVX2 and FMA were detected.
                unsafe {
                    $inner($($arg),*)
                }
            }
        };
    }

    entry!(ntt => ntt_avx2(x: &mut [u64], table: &NttTable));
    entry!(intt => intt_avx2(x: &mut [u64], table: &NttTable));
    entry!(mul => mul_avx2(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
    entry!(mul_add => mul_add_avx2(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
    entry!(scale => scale_avx2(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
    entry!(scale_add => scale_add_avx2(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
    entry!(sub_scale => sub_scale_avx2(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
    entry!(dot => dot_avx2(out: &mut [u64], pairs: &[(&[u64], &[u64])], q: &Modulus));
    entry!(combine => combine_avx2(out: &mut [u64], a: &[&[u64]], factors: &[u64], q: &Modulus));

    /// A modulus in every lane.
    #[derive(Clone, Copy)]
    struct Q {
        q: __m256d,
        inverse: __m256d,
    }

    /// A constant and its quotient by the modulus, in every lane or one a lane.
    #[derive(Clone, Copy)]
    struct W {
        w: __m256d,
        quotient: __m256d,
    }

    #[target_feature(enable = "avx2,fma")]
    fn broadcast(q: &Modulus) -> Q {
        Q { q: _mm256_set1_pd(q.value() as f64), inverse: _mm256_set1_pd(1.0 / q.value() as f64) }
    }

    /// A constant in `[0, q)`, centred.
    #[target_feature(enable = "avx2,fma")]
    fn constant(factor: u64, q: &Modulus) -> W {
        let w = q.centred(factor) as f64;
        W { w: _mm256_set1_pd(w), quotient: _mm256_set1_pd(w / q.value() as f64) }
    }

    #[target_feature(enable = "avx2,fma")]
    fn round(x: __m256d) -> __m256d {
        _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
    }

    #[target_feature(enable = "avx2,fma")]
    fn load(x: &[f64], i: usize) -> __m256d {
        debug_assert!(i + 4 <= x.len());
        #[expect(unsafe_code, reason = "vector load")]
        // SAFETY: callers keep `i + 4 <= x.len()`: lengths are multiples of 4 (or of 16 in transforms).
        unsafe {
            _mm256_loadu_pd(x.as_ptr().add(i))
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn store(x: &mut [f64], i: usize, v: __m256d) {
        debug_assert!(i + 4 <= x.len());
        #[expect(unsafe_code, reason = "vector store")]
        // SAFETY: as in `load`.
        unsafe {
            _mm256_storeu_pd(x.as_mut_ptr().add(i), v);
        }
    }

    /// Integers below 2^52 to doubles: the exponent of 2^52 makes the bits the mantissa.
    #[target_feature(enable = "avx2,fma")]
    fn load_u64(x: &[u64], i: usize) -> __m256d {
        debug_assert!(i + 4 <= x.len());
        #[expect(unsafe_code, reason = "vector load")]
        // SAFETY: as in `load`.
        let bits = unsafe { _mm256_loadu_si256(x.as_ptr().add(i).cast()) };
        let magic = _mm256_set1_pd((1u64 << 52) as f64);
        _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(bits, _mm256_castpd_si256(magic))), magic)
    }

    /// Doubles in `[0, 2^52)` to integers.
    #[target_feature(enable = "avx2,fma")]
    fn store_u64(x: &mut [u64], i: usize, v: __m256d) {
        debug_assert!(i + 4 <= x.len());
        let magic = _mm256_set1_pd((1u64 << 52) as f64);
        let bits = _mm256_xor_si256(
            _mm256_castpd_si256(_mm256_add_pd(v, magic)),
            _mm256_castpd_si256(magic),
        );
        #[expect(unsafe_code, reason = "vector store")]
        // SAFETY: as in `load`.
        unsafe {
            _mm256_storeu_si256(x.as_mut_ptr().add(i).cast(), bits);
        }
    }

    /// `w·y`, congruent, of magnitude at most `(1/2 + B/8)·q` for `|y| ≤ B·q`.
    #[target_feature(enable = "avx2,fma")]
    fn times(y: __m256d, w: W, q: Q) -> __m256d {
        let h = _mm256_mul_pd(w.w, y);
        let l = _mm256_fmsub_pd(w.w, y, h);
        let b = round(_mm256_mul_pd(y, w.quotient));
        _mm256_add_pd(_mm256_fnmadd_pd(b, q.q, h), l)
    }

    /// `a·b`, congruent, of magnitude at most `q` for `a, b` in `[0, q)`: the quotient is taken of the rounded
    /// product, below 2^50, so its error is below 1/4 beside the rounding's 1/2.
    #[target_feature(enable = "avx2,fma")]
    fn product(a: __m256d, b: __m256d, q: Q) -> __m256d {
        let h = _mm256_mul_pd(a, b);
        let l = _mm256_fmsub_pd(a, b, h);
        let quotient = round(_mm256_mul_pd(h, q.inverse));
        _mm256_add_pd(_mm256_fnmadd_pd(quotient, q.q, h), l)
    }

    /// The representative of magnitude at most `(1/2 + 2^−49)·q` of a value of magnitude below 2^53.
    #[target_feature(enable = "avx2,fma")]
    fn reduce(x: __m256d, q: Q) -> __m256d {
        _mm256_fnmadd_pd(round(_mm256_mul_pd(x, q.inverse)), q.q, x)
    }

    /// The representative in `[0, q)`.
    #[target_feature(enable = "avx2,fma")]
    fn canonical(x: __m256d, q: Q) -> __m256d {
        let r = reduce(x, q);
        let negative = _mm256_cmp_pd::<_CMP_LT_OQ>(r, _mm256_setzero_pd());
        let r = _mm256_add_pd(r, _mm256_and_pd(negative, q.q));
        let large = _mm256_cmp_pd::<_CMP_GE_OQ>(r, q.q);
        _mm256_sub_pd(r, _mm256_and_pd(large, q.q))
    }

    #[target_feature(enable = "avx2,fma")]
    fn mul_avx2(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
        assert!(out.len() == a.len() && a.len() == b.len());
        let lanes = broadcast(q);
        let whole = out.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            let r = product(load_u64(a, i), load_u64(b, i), lanes);
            store_u64(out, i, canonical(r, lanes));
        }
        for i in whole..out.len() {
            out[i] = q.mul(a[i], b[i]);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn mul_add_avx2(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus) {
        assert!(acc.len() == a.len() && a.len() == b.len());
        let lanes = broadcast(q);
        let whole = acc.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            let r = product(load_u64(a, i), load_u64(b, i), lanes);
            let sum = _mm256_add_pd(load_u64(acc, i), r);
            store_u64(acc, i, canonical(sum, lanes));
        }
        for i in whole..acc.len() {
            acc[i] = q.add(acc[i], q.mul(a[i], b[i]));
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn scale_avx2(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
        assert_eq!(out.len(), a.len());
        let (lanes, w) = (broadcast(q), constant(factor, q));
        let whole = out.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            store_u64(out, i, canonical(times(load_u64(a, i), w, lanes), lanes));
        }
        for i in whole..out.len() {
            out[i] = q.mul(a[i], factor);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn scale_add_avx2(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
        assert_eq!(acc.len(), a.len());
        let (lanes, w) = (broadcast(q), constant(factor, q));
        let whole = acc.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            let sum = _mm256_add_pd(load_u64(acc, i), times(load_u64(a, i), w, lanes));
            store_u64(acc, i, canonical(sum, lanes));
        }
        for i in whole..acc.len() {
            acc[i] = q.add(acc[i], q.mul(a[i], factor));
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn sub_scale_avx2(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus) {
        assert_eq!(out.len(), a.len());
        let (lanes, w) = (broadcast(q), constant(factor, q));
        let whole = out.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            let difference = _mm256_sub_pd(load_u64(out, i), load_u64(a, i));
            store_u64(out, i, canonical(times(difference, w, lanes), lanes));
        }
        for i in whole..out.len() {
            out[i] = q.mul(q.sub(out[i], a[i]), factor);
        }
    }

    /// Products of magnitude at most q are added up; after six the sum, below 6.5 q, is reduced to q/2.
    #[target_feature(enable = "avx2,fma")]
    fn dot_avx2(out: &mut [u64], pairs: &[(&[u64], &[u64])], q: &Modulus) {
        assert!(pairs.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
        let lanes = broadcast(q);
        let whole = out.len() / 4 * 4;
        let mut start = 0;
        while start < whole {
            let end = (start + CHUNK).min(whole);
            let mut sums = [_mm256_setzero_pd(); CHUNK / 4];
            for (k, (a, b)) in pairs.iter().enumerate() {
                for (sum, i) in sums.iter_mut().zip((start..end).step_by(4)) {
                    *sum = _mm256_add_pd(*sum, product(load_u64(a, i), load_u64(b, i), lanes));
                }
                if k % 6 == 5 {
                    sums.iter_mut().for_each(|sum| *sum = reduce(*sum, lanes));
                }
            }
            for (sum, i) in sums.iter().zip((start..end).step_by(4)) {
                store_u64(out, i, canonical(*sum, lanes));
            }
            start = end;
        }
        for i in whole..out.len() {
            out[i] = pairs.iter().fold(0, |sum, (a, b)| q.add(sum, q.mul(a[i], b[i])));
        }
    }

    /// As `dot`, by constants. An operand below 2^50 may exceed q: it is a bound of the quotient's size that counts,
    /// and that is below 2^49 whatever q is, so products have magnitude at most 5/8 q (and half a unit more).
    #[target_feature(enable = "avx2,fma")]
    fn combine_avx2(out: &mut [u64], a: &[&[u64]], factors: &[u64], q: &Modulus) {
        assert!(a.len() == factors.len() && a.iter().all(|limb| limb.len() == out.len()));
        let lanes = broadcast(q);
        let whole = out.len() / 4 * 4;
        let mut i = 0;
        while i < whole {
            let end = (i + CHUNK).min(whole);
            let mut sums = [_mm256_setzero_pd(); CHUNK / 4];
            for (k, (limb, &factor)) in a.iter().zip(factors).enumerate() {
                let w = constant(factor, q);
                for (sum, j) in sums.iter_mut().zip((i..end).step_by(4)) {
                    *sum = _mm256_add_pd(*sum, times(load_u64(limb, j), w, lanes));
                    if k % 6 == 5 {
                        *sum = reduce(*sum, lanes);
                    }
                }
            }
            for (sum, j) in sums.iter().zip((i..end).step_by(4)) {
                store_u64(out, j, canonical(*sum, lanes));
            }
            i = end;
        }
        for i in whole..out.len() {
            out[i] = a
                .iter()
                .zip(factors)
                .fold(0, |sum, (limb, &w)| q.add(sum, q.mul(limb[i] % q.value(), w)));
        }
    }

    /// Forward: decimation in time with merged twiddles (Longa, Naehrig, CANS 2016), two levels a pass.
    ///
    /// With inputs of magnitude `B·q` a pass reduces x0 to q/2 and multiplies the others, so results are at most
    /// `1/2 + (1/2 + B/8) + (1/2 + (B + 1/2 + B/8)/8) < 1.57 + 0.27 B`: below 2.2 q from the second pass on.
    #[target_feature(enable = "avx2,fma")]
    fn ntt_avx2(x: &mut [u64], table: &NttTable) {
        assert_eq!(x.len(), table.n());
        if x.len() < 16 {
            return crate::kernel::portable::ntt(x, table);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(x.len().max(scratch.len()), 0.0);
            let y = &mut scratch[..x.len()];
            let q = broadcast(table.modulus());
            for i in (0..x.len()).step_by(4) {
                store(y, i, load_u64(x, i));
            }
            let n = x.len();
            let mut m = 1;
            if n.trailing_zeros() % 2 == 1 {
                forward_radix2(y, table, q);
                m = 2;
            }
            while n / m > BLOCK {
                forward_pass(y, table, q, m, 0);
                m *= 4;
            }
            let len = n / m;
            for (block, y) in y.chunks_exact_mut(len).enumerate() {
                let (mut m_inner, mut first) = (m, block);
                let mut size = len;
                while size > 4 {
                    forward_pass_at(y, table, q, m_inner, first, size);
                    m_inner *= 4;
                    first *= 4;
                    size /= 4;
                }
                forward_last(y, table, q, block * len / 16);
            }
            for i in (0..n).step_by(4) {
                store_u64(x, i, canonical(load(y, i), q));
            }
        });
    }

    /// One level over the whole array: m = 1.
    #[target_feature(enable = "avx2,fma")]
    fn forward_radix2(y: &mut [f64], table: &NttTable, q: Q) {
        let half = y.len() / 2;
        let w = twiddle(table, 1);
        let (low, high) = y.split_at_mut(half);
        for i in (0..half).step_by(4) {
            let (a, b) = (load(low, i), times(load(high, i), w, q));
            store(low, i, _mm256_add_pd(a, b));
            store(high, i, _mm256_sub_pd(a, b));
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn twiddle(table: &NttTable, i: usize) -> W {
        let (w, quotient) = table.forward(i);
        W { w: _mm256_set1_pd(w), quotient: _mm256_set1_pd(quotient) }
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_twiddle(table: &NttTable, i: usize) -> W {
        let (w, quotient) = table.inverse(i);
        W { w: _mm256_set1_pd(w), quotient: _mm256_set1_pd(quotient) }
    }

    #[target_feature(enable = "avx2,fma")]
    fn forward_pass(y: &mut [f64], table: &NttTable, q: Q, m: usize, first: usize) {
        let size = y.len() / m;
        forward_pass_at(y, table, q, m, first, size);
    }

    /// Levels m and 2m on consecutive groups of `size` coefficients, the first of which is group `first` of its level.
    #[target_feature(enable = "avx2,fma")]
    fn forward_pass_at(y: &mut [f64], table: &NttTable, q: Q, m: usize, first: usize, size: usize) {
        let quarter = size / 4;
        for (k, group) in y.chunks_exact_mut(size).enumerate() {
            let i = first + k;
            let w = [
                twiddle(table, m + i),
                twiddle(table, 2 * (m + i)),
                twiddle(table, 2 * (m + i) + 1),
            ];
            let (x0, rest) = group.split_at_mut(quarter);
            let (x1, rest) = rest.split_at_mut(quarter);
            let (x2, x3) = rest.split_at_mut(quarter);
            for j in (0..quarter).step_by(4) {
                let y =
                    forward_butterfly([load(x0, j), load(x1, j), load(x2, j), load(x3, j)], w, q);
                store(x0, j, y[0]);
                store(x1, j, y[1]);
                store(x2, j, y[2]);
                store(x3, j, y[3]);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn forward_butterfly(x: [__m256d; 4], w: [W; 3], q: Q) -> [__m256d; 4] {
        let (a, b) = (times(x[2], w[0], q), times(x[3], w[0], q));
        let x0 = reduce(x[0], q);
        let (u0, u2) = (_mm256_add_pd(x0, a), _mm256_sub_pd(x0, a));
        let (u1, u3) = (_mm256_add_pd(x[1], b), _mm256_sub_pd(x[1], b));
        let (c, d) = (times(u1, w[1], q), times(u3, w[2], q));
        [_mm256_add_pd(u0, c), _mm256_sub_pd(u0, c), _mm256_add_pd(u2, d), _mm256_sub_pd(u2, d)]
    }

    /// The last two levels: four groups of four at a time, transposed on the way in and not back.
    #[target_feature(enable = "avx2,fma")]
    fn forward_last(y: &mut [f64], table: &NttTable, q: Q, first: usize) {
        for (k, group) in y.chunks_exact_mut(16).enumerate() {
            let x = transpose([load(group, 0), load(group, 4), load(group, 8), load(group, 12)]);
            let out = forward_butterfly(x, last_twiddles(table.forward_last(first + k)), q);
            for (j, v) in out.into_iter().enumerate() {
                store(group, 4 * j, v);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn last_twiddles(packed: &[f64]) -> [W; 3] {
        let at = |i: usize| W { w: load(packed, 8 * i), quotient: load(packed, 8 * i + 4) };
        [at(0), at(1), at(2)]
    }

    #[target_feature(enable = "avx2,fma")]
    fn transpose(x: [__m256d; 4]) -> [__m256d; 4] {
        let (a, b) = (_mm256_unpacklo_pd(x[0], x[1]), _mm256_unpackhi_pd(x[0], x[1]));
        let (c, d) = (_mm256_unpacklo_pd(x[2], x[3]), _mm256_unpackhi_pd(x[2], x[3]));
        [
            _mm256_permute2f128_pd::<0x20>(a, c),
            _mm256_permute2f128_pd::<0x20>(b, d),
            _mm256_permute2f128_pd::<0x31>(a, c),
            _mm256_permute2f128_pd::<0x31>(b, d),
        ]
    }

    /// Inverse: decimation in frequency, the mirror image of `ntt_avx2`.
    ///
    /// A pass reduces its two sums to q/2 and multiplies the two differences, whose operands are at most 2B and 4B
    /// times q: with B = 1 they come out below `1/2 + 4/8 = 1`, and no value on the way exceeds 4 q.
    #[target_feature(enable = "avx2,fma")]
    fn intt_avx2(x: &mut [u64], table: &NttTable) {
        assert_eq!(x.len(), table.n());
        if x.len() < 16 {
            return crate::kernel::portable::intt(x, table);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(x.len().max(scratch.len()), 0.0);
            let y = &mut scratch[..x.len()];
            let q = broadcast(table.modulus());
            let n = x.len();
            for i in (0..n).step_by(4) {
                store(y, i, load_u64(x, i));
            }
            let odd = n.trailing_zeros() % 2 == 1;
            // A power of four, as BLOCK is: a block is finished by whole passes.
            let len = (if odd { n / 2 } else { n }).min(BLOCK);
            for (block, y) in y.chunks_exact_mut(len).enumerate() {
                inverse_first(y, table, q, block * len / 16);
                let mut size = 16;
                while size <= len {
                    let m = n / size;
                    inverse_pass_at(y, table, q, m, block * (len / size), size);
                    size *= 4;
                }
            }
            let mut size = len * 4;
            while size <= n {
                inverse_pass_at(y, table, q, n / size, 0, size);
                size *= 4;
            }
            if odd {
                inverse_radix2(y, table, q);
            }
            let w = constant(table.n_inverse(), table.modulus());
            for i in (0..n).step_by(4) {
                store_u64(x, i, canonical(times(load(y, i), w, q), q));
            }
        });
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_first(y: &mut [f64], table: &NttTable, q: Q, first: usize) {
        for (k, group) in y.chunks_exact_mut(16).enumerate() {
            let x = [load(group, 0), load(group, 4), load(group, 8), load(group, 12)];
            let out =
                transpose(inverse_butterfly(x, last_twiddles(table.inverse_last(first + k)), q));
            for (j, v) in out.into_iter().enumerate() {
                store(group, 4 * j, v);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_pass_at(y: &mut [f64], table: &NttTable, q: Q, m: usize, first: usize, size: usize) {
        let quarter = size / 4;
        for (k, group) in y.chunks_exact_mut(size).enumerate() {
            let i = first + k;
            let w = [
                inverse_twiddle(table, m + i),
                inverse_twiddle(table, 2 * (m + i)),
                inverse_twiddle(table, 2 * (m + i) + 1),
            ];
            let (x0, rest) = group.split_at_mut(quarter);
            let (x1, rest) = rest.split_at_mut(quarter);
            let (x2, x3) = rest.split_at_mut(quarter);
            for j in (0..quarter).step_by(4) {
                let y =
                    inverse_butterfly([load(x0, j), load(x1, j), load(x2, j), load(x3, j)], w, q);
                store(x0, j, y[0]);
                store(x1, j, y[1]);
                store(x2, j, y[2]);
                store(x3, j, y[3]);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_butterfly(x: [__m256d; 4], w: [W; 3], q: Q) -> [__m256d; 4] {
        let (a0, a1) = (_mm256_add_pd(x[0], x[1]), times(_mm256_sub_pd(x[0], x[1]), w[1], q));
        let (a2, a3) = (_mm256_add_pd(x[2], x[3]), times(_mm256_sub_pd(x[2], x[3]), w[2], q));
        [
            reduce(_mm256_add_pd(a0, a2), q),
            reduce(_mm256_add_pd(a1, a3), q),
            times(_mm256_sub_pd(a0, a2), w[0], q),
            times(_mm256_sub_pd(a1, a3), w[0], q),
        ]
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_radix2(y: &mut [f64], table: &NttTable, q: Q) {
        let half = y.len() / 2;
        let w = inverse_twiddle(table, 1);
        let (low, high) = y.split_at_mut(half);
        for i in (0..half).step_by(4) {
            let (a, b) = (load(low, i), load(high, i));
            store(low, i, _mm256_add_pd(a, b));
            store(high, i, times(_mm256_sub_pd(a, b), w, q));
        }
    }
}
