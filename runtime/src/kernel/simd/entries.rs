//! Tables of the kernels, compiled for an instruction set.

/// Defines a safe function that has a kernel compiled for a set of instructions.
macro_rules! entry {
    ($features:literal, $token:expr, $module:ident::$name:ident($($arg:ident: $type:ty),*)) => {
        fn $name($($arg: $type),*) {
            #[target_feature(enable = $features)]
            fn compiled($($arg: $type),*) {
                $module::$name($token, $($arg),*);
            }
            #[expect(unsafe_code, reason = "calls a #[target_feature] function")]
            // SAFETY: only `table` hands this out, after the features were detected.
            unsafe {
                compiled($($arg),*)
            }
        }
    };
}

/// Defines `table`: the kernels compiled for a set of instructions, `None` where the processor lacks them. Tokens of vectors
/// and of sums of products are made in functions that are compiled for them.
macro_rules! table_of {
    ($name:literal, $features:literal, $token:expr, $sums:expr, $detected:expr) => {
        pub(super) fn table() -> Option<&'static Kernels> {
            static TABLE: Kernels = Kernels {
                name: $name,
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
            $detected.then_some(&TABLE)
        }

        entry!($features, $token, transform::ntt(x: &mut [u64], table: &NttTable));
        entry!($features, $token, transform::intt(x: &mut [u64], table: &NttTable));
        entry!($features, $token, limbs::add(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
        entry!($features, $token, limbs::sub(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
        entry!($features, $token, limbs::neg(out: &mut [u64], a: &[u64], q: &Modulus));
        entry!(
            $features, $token,
            limbs::lift(out: &mut [u64], a: &[u64], from: &Modulus, to: &Modulus)
        );
        entry!($features, $token, limbs::mul(out: &mut [u64], a: &[u64], b: &[u64], q: &Modulus));
        entry!(
            $features, $token,
            limbs::mul_add(acc: &mut [u64], a: &[u64], b: &[u64], q: &Modulus)
        );
        entry!($features, $token, limbs::scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus));
        entry!(
            $features, $token,
            limbs::scale_add(acc: &mut [u64], a: &[u64], factor: u64, q: &Modulus)
        );
        entry!(
            $features, $token,
            limbs::sub_scale(out: &mut [u64], a: &[u64], factor: u64, q: &Modulus)
        );
        entry!(
            $features, $token,
            limbs::split_mirrored(out: Two<'_, u64>, x: &[u64], factors: [u64; 2], q: &Modulus)
        );
        entry!(
            $features, $token,
            multiples::add_multiples(acc: &mut [u64], multiples: &[Multiple<'_>], q: &Modulus)
        );
        entry!($features, $sums, sums::dot(out: &mut [u64], pairs: &[Pair<'_>], q: &Modulus));
        entry!(
            $features, $sums,
            sums::dot_pair(out: Two<'_, u64>, terms: &[Term<'_>], q: &Modulus)
        );
        entry!(
            $features, $sums,
            convert::base_convert(to: Limbs<'_, '_>, from: &[&[u64]], converter: &BaseConverter)
        );
        entry!(
            $features, $token,
            transform::embed(
                slots: Two<'_, f64>,
                out: Two<'_, f64>,
                factor: f64,
                table: &EmbeddingTable
            )
        );
    };
}

pub(super) use {entry, table_of};
