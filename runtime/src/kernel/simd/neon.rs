//! NEON, which every aarch64 processor has: four residues at a time, in two registers.

use std::arch::aarch64::*;

use super::doubles::Doubles;
use super::entries::{entry, table_of};
use super::vector::{Simd, Square, operations};
use super::{convert, limbs, multiples, sums, transform};
use crate::kernel::portable;
use crate::kernel::table::{Kernels, Limbs, Multiple, Pair, Term, Two};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// Proof of NEON.
#[derive(Clone, Copy)]
struct Neon(());

impl Neon {
    #[target_feature(enable = "neon")]
    fn new() -> Neon {
        Neon(())
    }
}

table_of!(
    "neon",
    "neon",
    Neon::new(),
    Doubles(Neon::new()),
    std::arch::is_aarch64_feature_detected!("neon")
);

/// Four doubles: a whole row of a square, as the trait asks for.
type Vector = [float64x2_t; 2];

impl Simd for Neon {
    type Vector = Vector;
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
        splat(x: f64) -> Vector: [vdupq_n_f64(x); 2];
        load(x: &[u64; 4]) -> Vector: load(x.as_ptr().cast());
        store(x: &mut [u64; 4], v: Vector): store(x.as_mut_ptr().cast(), v);
        doubles_of(bits: Vector) -> Vector: [
            vcvtq_f64_u64(vreinterpretq_u64_f64(bits[0])),
            vcvtq_f64_u64(vreinterpretq_u64_f64(bits[1])),
        ];
        integers_of(v: Vector) -> Vector: [
            vreinterpretq_f64_u64(vcvtq_u64_f64(v[0])),
            vreinterpretq_f64_u64(vcvtq_u64_f64(v[1])),
        ];
        add(a: Vector, b: Vector) -> Vector: [vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1])];
        sub(a: Vector, b: Vector) -> Vector: [vsubq_f64(a[0], b[0]), vsubq_f64(a[1], b[1])];
        mul(a: Vector, b: Vector) -> Vector: [vmulq_f64(a[0], b[0]), vmulq_f64(a[1], b[1])];
        mul_add(a: Vector, b: Vector, c: Vector) -> Vector:
            [vfmaq_f64(c[0], a[0], b[0]), vfmaq_f64(c[1], a[1], b[1])];
        // Sums that it is added to become differences: the compiler moves the sign.
        mul_sub(a: Vector, b: Vector, c: Vector) -> Vector:
            [vnegq_f64(vfmsq_f64(c[0], a[0], b[0])), vnegq_f64(vfmsq_f64(c[1], a[1], b[1]))];
        sub_mul(a: Vector, b: Vector, c: Vector) -> Vector:
            [vfmsq_f64(c[0], a[0], b[0]), vfmsq_f64(c[1], a[1], b[1])];
        round(x: Vector) -> Vector: [vrndnq_f64(x[0]), vrndnq_f64(x[1])];
        floor(x: Vector) -> Vector: [vrndmq_f64(x[0]), vrndmq_f64(x[1])];
        reverse(x: Vector) -> Vector: [vextq_f64::<1>(x[1], x[1]), vextq_f64::<1>(x[0], x[0])];
        load_row(squares: &[Square], row: usize) -> Vector: load(squares[0][row].as_ptr().cast());
        store_row(squares: &mut [Square], row: usize, v: Vector):
            store(squares[0][row].as_mut_ptr().cast(), v);
        transpose(x: [Vector; 4]) -> [Vector; 4]: [
            [vtrn1q_f64(x[0][0], x[1][0]), vtrn1q_f64(x[2][0], x[3][0])],
            [vtrn2q_f64(x[0][0], x[1][0]), vtrn2q_f64(x[2][0], x[3][0])],
            [vtrn1q_f64(x[0][1], x[1][1]), vtrn1q_f64(x[2][1], x[3][1])],
            [vtrn2q_f64(x[0][1], x[1][1]), vtrn2q_f64(x[2][1], x[3][1])],
        ];
    }

    #[inline(always)]
    fn spread(self, of_four: impl Fn(usize) -> f64) -> Vector {
        self.splat(of_four(0))
    }

    #[inline(always)]
    fn row<const ROWS: usize>(self, blocks: &[[[f64; 4]; ROWS]], row: usize) -> Vector {
        #[expect(unsafe_code, reason = "vector loads")]
        // SAFETY: `self` proves that there is the instruction; the reference is to 32 bytes.
        unsafe {
            load(blocks[0][row].as_ptr())
        }
    }
}

/// # Safety
/// The pointer is to four doubles.
#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "vector loads")]
unsafe fn load(x: *const f64) -> Vector {
    // SAFETY: as above.
    unsafe { [vld1q_f64(x), vld1q_f64(x.add(2))] }
}

/// # Safety
/// The pointer is to four doubles, to be written.
#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "vector stores")]
unsafe fn store(x: *mut f64, v: Vector) {
    // SAFETY: as above.
    unsafe {
        vst1q_f64(x, v[0]);
        vst1q_f64(x.add(2), v[1]);
    }
}
