//! Limb kernels: one table of functions per instruction set, chosen once per process.
//!
//! Every function works on whole limbs. Residues are canonical, in `[0, q)` with `q < 2^50`, on entry and on return.
//! `portable` is the reference: every other table gives exactly its results. `HECC_KERNEL=portable` forces it.

mod avx2;
mod portable;

use std::sync::OnceLock;

use crate::ring::{Modulus, NttTable};

/// One function per kernel.
pub struct Kernels {
    /// Name, as `HECC_KERNEL` takes it.
    pub name: &'static str,
    /// Coefficients to NTT domain, in place. The order of the result is [`NttTable::exponents`].
    pub ntt: fn(x: &mut [u64], table: &NttTable),
    /// NTT domain to coefficients, in place.
    pub intt: fn(x: &mut [u64], table: &NttTable),
    /// `out[i] = a[i]·b[i]`.
    pub mul: fn(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `acc[i] += a[i]·b[i]`.
    pub mul_add: fn(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus),
    /// `out[i] = a[i]·factor`, factor in `[0, q)`.
    pub scale: fn(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `acc[i] += a[i]·factor`, factor in `[0, q)`.
    pub scale_add: fn(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `out[i] = (out[i] − a[i])·factor`, factor in `[0, q)`.
    pub sub_scale: fn(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus),
    /// `out[i] = Σ_k pairs[k].0[i]·pairs[k].1[i]`.
    pub dot: fn(out: &mut [u64], pairs: &[(&[u64], &[u64])], q: &Modulus),
    /// `out[i] = Σ_k a[k][i]·factors[k]`, where `a[k]` holds integers in `[0, 2^50)`, not reduced by `q`.
    pub combine: fn(out: &mut [u64], a: &[&[u64]], factors: &[u64], q: &Modulus),
}

/// Every table that this processor can run, fastest first; `portable` is last.
pub fn available() -> Vec<&'static Kernels> {
    avx2::table().into_iter().chain([&portable::TABLE]).collect()
}

/// The table in use: the fastest, or the one that `HECC_KERNEL` names.
///
/// # Panics
/// If `HECC_KERNEL` names a table that this processor cannot run.
pub fn active() -> &'static Kernels {
    static ACTIVE: OnceLock<&'static Kernels> = OnceLock::new();
    ACTIVE.get_or_init(|| {
        let tables = available();
        match std::env::var("HECC_KERNEL") {
            Err(_) => tables[0],
            Ok(name) => {
                tables.iter().copied().find(|table| table.name == name).unwrap_or_else(|| {
                    let names: Vec<_> = tables.iter().map(|table| table.name).collect();
                    panic!("HECC_KERNEL is `{name}`, expected one of {}", names.join(", "))
                })
            }
        }
    })
}
