//! AVX2 and FMA: four residues at a time, as integers in doubles.
//!
//! Benchmark: `cargo bench -p hecc-runtime --bench kernels`.

mod lanes;
mod limbs;
mod sums;
mod transform;

use super::portable;
use super::table::{Kernels, Limbs, Multiple, Pair, Term};
use crate::ring::{BaseConverter, EmbeddingTable, Modulus, NttTable};

/// `None` where the processor lacks AVX2 or FMA; the only way to reach the functions below.
pub(super) fn table() -> Option<&'static Kernels> {
    static TABLE: Kernels = Kernels {
        name: "avx2",
        ntt,
        intt,
        add,
        sub,
        neg,
        lift,
        mul,
        mul_add,
        scale,
        scale_add,
        add_multiples,
        sub_scale,
        dot,
        dot_pair,
        base_convert,
        embed,
        split_mirrored,
        permute: portable::permute,
    };
    (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&TABLE)
}

/// Defines a safe entry to a function that needs AVX2 and FMA.
macro_rules! entry {
    ($module:ident::$name:ident($($arg:ident: $type:ty),*)) => {
        fn $name($($arg: $type),*) {
            #[expect(unsafe_code, reason = "calls a #[target_feature] function")]
            // SAFETY: `TABLE` is only handed out by `table`, after AVX2 and FMA were detected.
            unsafe {
                $module::$name($($arg),*)
            }
        }
    };
}

entry!(transform::ntt(x: &mut [u64], table: &NttTable));
entry!(transform::intt(x: &mut [u64], table: &NttTable));
entry!(limbs::add(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
entry!(limbs::sub(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
entry!(limbs::neg(out: &mut [u64], a: &[u64], q: &Modulus));
entry!(limbs::lift(out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus));
entry!(limbs::mul(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
entry!(limbs::mul_add(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
entry!(limbs::scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
entry!(limbs::scale_add(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
entry!(limbs::sub_scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
entry!(sums::add_multiples(acc: &mut [u64], multiples: &[Multiple<'_>], q: &Modulus));
entry!(sums::dot(out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus));
entry!(sums::dot_pair(out: [&mut [u64]; 2], terms: &[Term<'_>], q: &Modulus));
entry!(transform::embed(
    slots: [&mut [f64]; 2],
    out: [&mut [f64]; 2],
    factor: f64,
    table: &EmbeddingTable
));
entry!(limbs::split_mirrored(out: [&mut [u64]; 2], x: &[u64], factors: [u64; 2], q: &Modulus));
entry!(sums::base_convert(to: Limbs<'_, '_>, from: &[&[u64]], converter: &BaseConverter));
