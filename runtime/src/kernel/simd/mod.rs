//! Kernels over vectors of any width: one algorithm, and one file of operations for every instruction set.
//!
//! Benchmark: `cargo bench -p hecc-runtime --bench kernels`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod convert;
mod doubles;
mod entries;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod lanes;
mod limbs;
mod multiples;
#[cfg(target_arch = "aarch64")]
mod neon;
mod sums;
mod transform;
mod vector;

use super::table::Kernels;

/// The tables that this processor can run, fastest first.
pub(super) fn tables() -> impl Iterator<Item = &'static Kernels> {
    #[cfg(target_arch = "x86_64")]
    let tables = [ifma::table(), avx512::table(), avx2::table()];
    #[cfg(target_arch = "aarch64")]
    let tables = [neon::table()];
    tables.into_iter().flatten()
}
