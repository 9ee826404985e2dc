//! Kernels over vectors of any width: one algorithm, and one file of operations for every instruction set.
//!
//! Benchmark: `cargo bench -p hecc-runtime --bench kernels`.

mod avx2;
mod avx512;
mod convert;
mod doubles;
mod entries;
mod ifma;
mod lanes;
mod limbs;
mod multiples;
mod sums;
mod transform;
mod vector;

use super::table::Kernels;

/// The tables that this processor can run, fastest first.
pub(super) fn tables() -> impl Iterator<Item = &'static Kernels> {
    [ifma::table(), avx512::table(), avx2::table()].into_iter().flatten()
}
