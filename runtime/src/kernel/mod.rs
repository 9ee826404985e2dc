//! Limb kernels: one table of functions per instruction set, chosen once per process.
//!
//! Every function works on whole limbs. Residues are canonical, in `[0, q)` with `q < 2^50`, on entry and on return.
//! `portable` is the reference: every other table gives exactly its results. `HECC_KERNEL=portable` forces it.

mod embedding;
mod portable;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod simd;
mod table;

use std::sync::OnceLock;

pub use table::{Kernels, Limbs, Multiple, Pair, Term, Two};

/// Every table that this processor can run, fastest first; `portable` is last.
pub fn available() -> Vec<&'static Kernels> {
    let mut tables = vec![];
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    tables.extend(simd::tables());
    tables.push(&portable::TABLE);
    tables
}

/// `HECC_KERNEL` names a table that this processor cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HECC_KERNEL is `{found}`, expected one of {}", expected.join(", "))]
pub struct UnknownKernel {
    found: String,
    expected: Vec<&'static str>,
}

/// The table that is used: the fastest, or the one that `HECC_KERNEL` names.
///
/// # Errors
/// If it names one that this processor cannot run.
pub fn chosen() -> Result<&'static Kernels, UnknownKernel> {
    let wanted = std::env::var_os("HECC_KERNEL");
    choose(wanted.map(|name| name.to_string_lossy().into_owned()))
}

fn choose(wanted: Option<String>) -> Result<&'static Kernels, UnknownKernel> {
    let tables = available();
    let Some(found) = wanted else { return Ok(tables[0]) };
    let named = tables.iter().copied().find(|table| table.name == found);
    named.ok_or_else(|| {
        let expected = tables.iter().map(|table| table.name).collect();
        UnknownKernel { found, expected }
    })
}

/// The table in use.
///
/// # Panics
/// If there is none: [`chosen`] says so first.
pub fn active() -> &'static Kernels {
    static ACTIVE: OnceLock<&'static Kernels> = OnceLock::new();
    ACTIVE.get_or_init(|| chosen().unwrap_or_else(|error| panic!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{
        BaseConverter, EmbeddingTable, Modulus, NttTable, expand_uniform, permutation,
    };

    /// Primes ≡ 1 mod 2^18 near 2^50, so that bounds are tight.
    const LARGE: [u64; 4] =
        [1125899902124033, 1125899886395393, 1125899884036097, 1125899882987521];

    /// Primes of 17, 30 and 40 bits, ≡ 1 mod 2^14.
    const SMALL: [u64; 3] = [65537, 1073479681, 1099511480321];

    fn primes() -> impl Iterator<Item = Modulus> {
        LARGE.into_iter().chain(SMALL).map(Modulus::new)
    }

    /// Limbs of uniform residues, after one for each extreme value: 0, 1, (q − 1)/2, (q + 1)/2, q − 1.
    fn limbs(q: &Modulus, n: usize, count: u32) -> Vec<Vec<u64>> {
        let extremes = [q.value() - 1, q.value() / 2, q.value() / 2 + 1, 0, 1];
        let uniform = |i| {
            let mut limb = vec![0; n];
            expand_uniform(&[5; 16], 0, i, q.value(), &mut limb);
            limb
        };
        extremes.into_iter().map(|x| vec![x; n]).chain((0..count).map(uniform)).collect()
    }

    #[test]
    fn a_table_is_named_or_the_fastest() {
        assert_eq!(choose(None).map(|table| table.name), Ok(available()[0].name));
        assert_eq!(choose(Some("portable".to_owned())).map(|table| table.name), Ok("portable"));
        let error = choose(Some("nope".to_owned())).map(|table| table.name).unwrap_err();
        assert!(
            error.to_string().starts_with("HECC_KERNEL is `nope`, expected one of "),
            "{error}"
        );
    }

    /// Whether all tables change a limb in the same way.
    fn agree(start: &[u64], what: &str, f: impl Fn(&Kernels, &mut [u64])) {
        let results = available().into_iter().map(|kernels| {
            let mut out = start.to_vec();
            f(kernels, &mut out);
            (kernels.name, out)
        });
        let mut results: Vec<_> = results.collect();
        let (_, expected) = results.pop().expect("portable is there");
        for (name, result) in results {
            let wrong = result.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(wrong, None, "{name} and portable disagree on {what}: first index shown");
        }
    }

    #[test]
    fn tables_agree_on_limbs() {
        for (q, n) in primes().flat_map(|q| [0, 1, 7, 64, 1001, 4096].map(|n| (q.clone(), n))) {
            let limbs = limbs(&q, n, 3);
            let index: Vec<u32> = (0..n as u32).rev().collect();
            for (a, b) in limbs.iter().flat_map(|a| limbs.iter().map(move |b| (a, b))) {
                let factor = b.first().copied().unwrap_or(0);
                let acc = &limbs[5];
                agree(acc, "add", |kernels, out| (kernels.add)(out, a, b, &q));
                agree(acc, "sub", |kernels, out| (kernels.sub)(out, a, b, &q));
                agree(acc, "neg", |kernels, out| (kernels.neg)(out, a, &q));
                agree(acc, "mul", |kernels, out| (kernels.mul)(out, a, b, &q));
                agree(a, "mul_add", |kernels, out| (kernels.mul_add)(out, acc, b, &q));
                agree(acc, "scale", |kernels, out| (kernels.scale)(out, a, factor, &q));
                agree(acc, "scale_add", |kernels, out| (kernels.scale_add)(out, a, factor, &q));
                agree(b, "sub_scale", |kernels, out| (kernels.sub_scale)(out, a, factor, &q));
                for to in primes() {
                    agree(acc, "lift", |kernels, out| (kernels.lift)(out, a, &q, &to));
                }
                agree(acc, "permute", |kernels, out| (kernels.permute)(out, a, &index));
            }
        }
    }

    #[test]
    fn lifting_keeps_integers_of_least_magnitude() {
        for (from, to) in primes().flat_map(|from| primes().map(move |to| (from.clone(), to))) {
            let limb = limbs(&from, 64, 1).concat();
            let expected: Vec<u64> =
                limb.iter().map(|&a| to.from_signed(from.centered(a))).collect();
            let mut out = vec![0; limb.len()];
            (portable::TABLE.lift)(&mut out, &limb, &from, &to);
            assert_eq!(out, expected, "{} to {}", from.value(), to.value());
        }
    }

    #[test]
    fn tables_agree_on_mirrored_limbs() {
        for (q, n) in primes().flat_map(|q| [2, 4, 8, 64, 4096].map(|n| (q.clone(), n))) {
            let limbs = limbs(&q, n, 3);
            for (x, factors) in limbs.iter().flat_map(|x| limbs.iter().map(move |f| (x, f))) {
                let factors = [factors[0], factors[n - 1]];
                agree(&vec![7; n], "split_mirrored", |kernels, out| {
                    (kernels.split_mirrored)(out.split_at_mut(n / 2).into(), x, factors, &q);
                });
            }
            let mut out = vec![0; n];
            let x = &limbs[6];
            (portable::TABLE.split_mirrored)(out.split_at_mut(n / 2).into(), x, [1, 1], &q);
            for i in 0..n / 2 {
                assert_eq!(q.add(out[i], out[n / 2 + i]), q.add(x[i], x[i]));
                assert_eq!(q.sub(out[i], out[n / 2 + i]), q.add(x[n - 1 - i], x[n - 1 - i]));
            }
        }
    }

    #[test]
    fn tables_agree_on_the_embedding() {
        for log in 0..=14 {
            let n = 1usize << log;
            let table = EmbeddingTable::new(n);
            let part = |factor: f64| (0..n).map(|i| (i as f64 * factor).sin()).collect::<Vec<_>>();
            let results = available().into_iter().map(|kernels| {
                let (mut re, mut im, mut out) = (part(0.7), part(1.3), vec![0.0; 2 * n]);
                let halves = out.split_at_mut(n).into();
                (kernels.embed)([&mut re, &mut im], halves, 3.0 / n as f64, &table);
                (kernels.name, out)
            });
            let mut results: Vec<_> = results.collect();
            let (_, expected) = results.pop().expect("portable is there");
            for (name, result) in results {
                assert_eq!(result, expected, "{name}, {n} slots");
            }
        }
    }

    #[test]
    fn tables_agree_on_sums_of_products() {
        for (q, n) in primes().flat_map(|q| [0, 1, 17, 64, 1001, 4096].map(|n| (q.clone(), n))) {
            let limbs = limbs(&q, n, 40);
            let limbs: Vec<&[u64]> = limbs.iter().map(Vec::as_slice).collect();
            for count in [0, 1, 2, 7, 8, 9, 16, 17, 40] {
                let largest = vec![(limbs[0], limbs[0]); count];
                let mixed = [(limbs[1], limbs[0]), (limbs[2], limbs[1])].repeat(count / 2);
                let uniform: Vec<_> = (0..count).map(|k| (limbs[k], limbs[44 - k])).collect();
                for pairs in [largest, mixed, uniform] {
                    agree(limbs[5], "dot", |kernels, out| (kernels.dot)(out, &pairs, &q));
                    let first = |limb: &[u64]| limb.first().copied().unwrap_or(0);
                    let large: Vec<_> = pairs.iter().map(|&(a, b)| (a, first(b))).collect();
                    let small =
                        |(k, &(a, _)): (usize, &(_, _))| (a, q.from_signed(k as i64 % 9 - 4));
                    let small: Vec<_> = pairs.iter().enumerate().map(small).collect();
                    for multiples in [[&small[..], &large, &small].concat(), large, small] {
                        agree(limbs[0], "add_multiples", |kernels, acc| {
                            (kernels.add_multiples)(acc, &multiples, &q);
                        });
                    }
                    let term = |(k, &(a, b)): (usize, &(_, _))| (a, [b, limbs[k % 9]]);
                    let terms: Vec<Term<'_>> = pairs.iter().enumerate().map(term).collect();
                    agree(&vec![7; 2 * n], "dot_pair", |kernels, out| {
                        (kernels.dot_pair)(out.split_at_mut(n).into(), &terms, &q);
                    });
                }
            }
        }
    }

    #[test]
    fn tables_agree_on_transforms() {
        let cases = primes().flat_map(|q| (1..=17).map(move |log_n| (q.clone(), 1 << log_n)));
        for (q, n) in cases.filter(|(q, n)| (q.value() - 1).is_multiple_of(2 * *n as u64)) {
            let table = NttTable::new(q.clone(), n);
            let limbs = limbs(&q, n, 2);
            let alternating = (0..n).map(|i| if i.is_power_of_two() { q.value() - 1 } else { 0 });
            for limb in limbs.iter().cloned().chain([alternating.collect()]) {
                agree(&limb, "ntt", |kernels, x| (kernels.ntt)(x, &table));
                agree(&limb, "intt", |kernels, x| (kernels.intt)(x, &table));
                let mut x = limb.clone();
                (portable::TABLE.ntt)(&mut x, &table);
                (portable::TABLE.intt)(&mut x, &table);
                assert!(x == limb, "transforms of length {n} modulo {} are inverse", q.value());
            }
        }
    }

    #[test]
    fn tables_agree_on_base_conversion() {
        let all: Vec<Modulus> = primes().chain(primes()).chain(primes()).chain(primes()).collect();
        for (n_from, n_to) in [(1, 1), (2, 4), (6, 9), (11, 5), (12, 3), (13, 4), (24, 2), (25, 1)]
        {
            let (from, to) = (&all[..n_from], &all[all.len() - n_to..]);
            for n in [0, 1, 7, 64, 1001] {
                let mut converter = BaseConverter::new(&from[..1], to);
                // The kernels take any factors: these make digits and factors as large as they get, of one sign or two.
                for (digit, factor) in [(0, 0), (1, 1), (0, 1), (5, 0), (6, 2), (7, 5)] {
                    converter.from = from.to_vec();
                    converter.inverses = vec![1; n_from];
                    let rows = to.iter().map(|t| {
                        let row = |k: u32| {
                            limbs(t, 1, 30)[if factor < 5 { factor } else { 5 + k as usize }][0]
                        };
                        (0..=n_from as u32).map(row).collect()
                    });
                    converter.matrix = rows.collect();
                    let pick = |d: &Modulus| limbs(d, n, 3).swap_remove(digit);
                    let sources: Vec<Vec<u64>> = from.iter().map(pick).collect();
                    let sources: Vec<&[u64]> = sources.iter().map(Vec::as_slice).collect();
                    agree(&vec![0; n * n_to], "base_convert", |kernels, out| {
                        let mut targets: Vec<&mut [u64]> = out.chunks_mut(n.max(1)).collect();
                        targets.resize_with(n_to, Default::default);
                        (kernels.base_convert)(&mut targets, &sources, &converter);
                    });
                }
            }
        }
    }

    #[test]
    fn the_transform_evaluates_at_odd_powers_of_the_root() {
        for (q, log_n) in primes().flat_map(|q| (1..=9).map(move |log_n| (q.clone(), log_n))) {
            let n = 1usize << log_n;
            let table = NttTable::new(q.clone(), n);
            let root = q.primitive_root(2 * n as u64);
            for limb in limbs(&q, n, 1) {
                let at = |e: &u32| {
                    let x = q.pow(root, u64::from(*e));
                    limb.iter().rev().fold(0, |value, &c| q.add(q.mul(value, x), c))
                };
                let expected: Vec<u64> = NttTable::exponents(n).iter().map(at).collect();
                let mut x = limb.clone();
                (portable::TABLE.ntt)(&mut x, &table);
                assert_eq!(x, expected, "N = {n}, q = {}", q.value());
            }
        }
    }

    #[test]
    fn products_of_values_are_negacyclic_convolutions() {
        for (q, n) in primes().flat_map(|q| [8usize, 32, 128].map(|n| (q.clone(), n))) {
            let table = NttTable::new(q.clone(), n);
            let mut limbs = limbs(&q, n, 2);
            let (b, a) = (limbs.pop().unwrap(), limbs.pop().unwrap());
            let mut expected = vec![0; n];
            for (i, &a) in a.iter().enumerate() {
                for (j, &b) in b.iter().enumerate() {
                    let product = q.mul(a, b);
                    let term = if i + j < n { product } else { q.neg(product) };
                    expected[(i + j) % n] = q.add(expected[(i + j) % n], term);
                }
            }
            for kernels in available() {
                let (mut x, mut y, mut z) = (a.clone(), b.clone(), vec![0; n]);
                (kernels.ntt)(&mut x, &table);
                (kernels.ntt)(&mut y, &table);
                (kernels.mul)(&mut z, &x, &y, &q);
                (kernels.intt)(&mut z, &table);
                assert_eq!(z, expected, "{}", kernels.name);
            }
        }
    }

    #[test]
    fn a_permutation_takes_blocks_to_blocks() {
        let n = 1024;
        for g in [5, 25, 2 * n - 1] {
            let index = permutation(n, g);
            for block in index.chunks(16) {
                assert!(block.iter().all(|i| i / 16 == block[0] / 16));
            }
        }
    }
}
