//! Sums of multiples of limbs.

use super::doubles::{Sum, TERMS};
use super::lanes::Q;
use super::vector::{Four, Simd, fours, fours_mut, width};
use crate::kernel::portable;
use crate::kernel::table::Multiple;
use crate::ring::Modulus;

/// Adds multiples: by factors of any size eight at a time, by small ones as many as doubles hold the sum of.
#[inline(always)]
pub(super) fn add_multiples<S: Simd>(
    simd: S,
    acc: &mut [u64],
    multiples: &[Multiple<'_>],
    q: &Modulus,
) {
    assert!(multiples.iter().all(|(a, _)| a.len() == acc.len()));
    let lanes = Q::new(simd, q);
    let start = acc.len() - acc.len() % (4 * width::<S>());
    let (whole, rest) = acc.split_at_mut(start);
    let rests: Vec<_> = multiples.iter().map(|(a, factor)| (&a[start..], *factor)).collect();
    portable::add_multiples(rest, &rests, q);
    let whole = fours_mut::<S>(whole);
    let mut left = multiples;
    while !left.is_empty() {
        let small = count_small(left, q);
        // Where doubles hold no more terms than exact sums do, these take fewer reductions.
        let is_small = small >= left.len().min(TERMS);
        let count = if is_small { small } else { left.len().min(TERMS) };
        let (now, later) = left.split_at(count);
        let factor = |factor| if is_small { q.centered(factor) as f64 } else { factor as f64 };
        let terms: Vec<(&[Four<S>], f64)> =
            now.iter().map(|&(a, x)| (fours::<S>(a), factor(x))).collect();
        match is_small {
            true => add_small(whole, &terms, lanes),
            false => add_large(whole, &terms, lanes),
        }
        left = later;
    }
}

/// How many multiples doubles hold the sum of, with one residue more: magnitudes add up to at most 2^53.
fn count_small(multiples: &[Multiple<'_>], q: &Modulus) -> usize {
    let mut most = (1u64 << 53) / q.value() - 1;
    let fits = |(_, factor): &&Multiple<'_>| {
        let left = most.checked_sub(q.centered(*factor).unsigned_abs());
        most = left.unwrap_or(most);
        left.is_some()
    };
    multiples.iter().take_while(fits).count()
}

/// Adds multiples by small factors (see [`count_small`]) to residues, a few operands at a time from one end to the other:
/// more than that are not fetched ahead. In between, results are doubles.
#[inline(always)]
fn add_small<S: Simd>(acc: &mut [Four<S>], terms: &[(&[Four<S>], f64)], q: Q<S>) {
    let last = terms.len().div_ceil(TERMS) - 1;
    for (round, terms) in terms.chunks(TERMS).enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            let mut sums = [q.simd.splat(0.0); 4];
            for (sum, acc) in sums.iter_mut().zip(&*acc) {
                *sum = if round == 0 { q.load(acc) } else { q.simd.load(acc) };
            }
            for (a, factor) in terms {
                let factor = q.simd.splat(*factor);
                for (sum, a) in sums.iter_mut().zip(&a[i]) {
                    *sum = q.simd.mul_add(q.load(a), factor, *sum);
                }
            }
            for (acc, sum) in acc.iter_mut().zip(sums) {
                if round == last {
                    q.store(acc, q.reduce(sum));
                } else {
                    q.simd.store(acc, sum);
                }
            }
        }
    }
}

/// Adds up to eight multiples to residues.
#[inline(always)]
fn add_large<S: Simd>(acc: &mut [Four<S>], terms: &[(&[Four<S>], f64)], q: Q<S>) {
    for (i, acc) in acc.iter_mut().enumerate() {
        let mut sums = [Sum::zero(q.simd); 4];
        for (a, factor) in terms {
            let factor = q.simd.splat(*factor);
            for (sum, a) in sums.iter_mut().zip(&a[i]) {
                sum.add_product(q.simd, q.load(a), factor);
            }
        }
        for (acc, sum) in acc.iter_mut().zip(sums) {
            q.store(acc, sum.reduce_with(q.load(acc), q));
        }
    }
}
