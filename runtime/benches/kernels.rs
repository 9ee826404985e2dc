//! Times of every kernel table on one core: `cargo bench -p hecc-runtime --bench kernels`.

use divan::{Bencher, black_box};
use hecc_grammar::plan::is_prime;
use hecc_runtime::kernel::{Kernels, available};
use hecc_runtime::ring::{BaseConverter, Modulus, NttTable, expand_uniform, permutation};

fn main() {
    divan::main();
}

/// A table and log2 of the ring degree.
struct Case {
    kernels: &'static Kernels,
    log_n: u32,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} N=2^{}", self.kernels.name, self.log_n)
    }
}

fn cases() -> Vec<Case> {
    // A limb of 2^12 fits the first-level cache.
    let sizes = |kernels| [12, 14, 15, 16].map(move |log_n| Case { kernels, log_n });
    available().into_iter().flat_map(sizes).collect()
}

/// The largest 50-bit primes that suit every size here.
fn primes(count: usize) -> Vec<Modulus> {
    let candidates = (0..).map(|i| (1 << 50) + 1 - ((i + 1) << 17));
    candidates.filter(|&q| is_prime(q)).take(count).map(Modulus::new).collect()
}

/// Uniform residues; `limb` tells several apart.
fn residues(limb: u32, q: &Modulus, n: usize) -> Vec<u64> {
    let mut out = vec![0; n];
    expand_uniform(&[1; 16], 0, limb, q.value(), &mut out);
    out
}

#[divan::bench(args = cases())]
fn ntt(bencher: Bencher<'_, '_>, case: &Case) {
    let table = NttTable::new(primes(1).remove(0), 1 << case.log_n);
    let mut x = residues(0, table.modulus(), table.n());
    bencher.bench_local(|| (case.kernels.ntt)(black_box(&mut x), &table));
}

/// Of 24 limbs in turn: each has left the second-level cache when it is its turn again.
#[divan::bench(args = cases())]
fn ntt_in_turn(bencher: Bencher<'_, '_>, case: &Case) {
    let tables: Vec<NttTable> =
        primes(24).into_iter().map(|q| NttTable::new(q, 1 << case.log_n)).collect();
    let mut limbs: Vec<Vec<u64>> =
        tables.iter().map(|table| residues(0, table.modulus(), table.n())).collect();
    bencher.bench_local(|| {
        for (limb, table) in black_box(&mut limbs).iter_mut().zip(&tables) {
            (case.kernels.ntt)(limb, table);
        }
    });
}

#[divan::bench(args = cases())]
fn intt(bencher: Bencher<'_, '_>, case: &Case) {
    let table = NttTable::new(primes(1).remove(0), 1 << case.log_n);
    let mut x = residues(0, table.modulus(), table.n());
    bencher.bench_local(|| (case.kernels.intt)(black_box(&mut x), &table));
}

#[divan::bench(args = cases())]
fn mul_add(bencher: Bencher<'_, '_>, case: &Case) {
    let (q, n) = (primes(1).remove(0), 1 << case.log_n);
    let (a, b, mut acc) = (residues(0, &q, n), residues(1, &q, n), residues(2, &q, n));
    bencher.bench_local(|| (case.kernels.mul_add)(black_box(&mut acc), &a, &b, &q));
}

/// Four products a coefficient, as in the inner product of a key switch: blocks of 1024 coefficients.
#[divan::bench(args = cases())]
fn dot(bencher: Bencher<'_, '_>, case: &Case) {
    let (q, n) = (primes(1).remove(0), 1 << case.log_n);
    let limbs: Vec<Vec<u64>> = (0..8).map(|limb| residues(limb, &q, n)).collect();
    let mut out = vec![0; n];
    bencher.bench_local(|| {
        for (i, out) in black_box(&mut out).chunks_exact_mut(1024).enumerate() {
            let block = 1024 * i..1024 * (i + 1);
            let pairs: Vec<(&[u64], &[u64])> = limbs
                .chunks(2)
                .map(|pair| (&pair[0][block.clone()], &pair[1][block.clone()]))
                .collect();
            (case.kernels.dot)(out, &pairs, &q);
        }
    });
}

/// Forty products a coefficient, of one block of 1024, as in a linear map.
#[divan::bench(args = cases())]
fn dot_long(bencher: Bencher<'_, '_>, case: &Case) {
    let q = primes(1).remove(0);
    let limbs: Vec<Vec<u64>> = (0..80).map(|limb| residues(limb, &q, 1024)).collect();
    let pairs: Vec<(&[u64], &[u64])> = limbs.chunks(2).map(|p| (&*p[0], &*p[1])).collect();
    let mut out = vec![0; 1024];
    bencher.bench_local(|| (case.kernels.dot)(black_box(&mut out), &pairs, &q));
}

/// As `dot`, both parts of a key switch at once.
#[divan::bench(args = cases())]
fn dot_pair(bencher: Bencher<'_, '_>, case: &Case) {
    let (q, n) = (primes(1).remove(0), 1 << case.log_n);
    let limbs: Vec<Vec<u64>> = (0..12).map(|limb| residues(limb, &q, n)).collect();
    let mut out = vec![0; 2 * n];
    bencher.bench_local(|| {
        let (first, second) = black_box(&mut out).split_at_mut(n);
        let blocks = first.chunks_exact_mut(1024).zip(second.chunks_exact_mut(1024));
        for (i, (first, second)) in blocks.enumerate() {
            let block = |limb: usize| &limbs[limb][1024 * i..1024 * (i + 1)];
            let terms: Vec<_> =
                (0..4).map(|k| (block(3 * k), [block(3 * k + 1), block(3 * k + 2)])).collect();
            (case.kernels.dot_pair)([first, second], &terms, &q);
        }
    });
}

/// X → X^5 in the NTT domain.
#[divan::bench(args = cases())]
fn permute(bencher: Bencher<'_, '_>, case: &Case) {
    let n = 1 << case.log_n;
    let (a, index, mut out) = (residues(0, &primes(1)[0], n), permutation(n, 5), vec![0; n]);
    bencher.bench_local(|| (case.kernels.permute)(black_box(&mut out), &a, &index));
}

/// From 8 limbs to 24.
#[divan::bench(args = cases())]
fn base_convert(bencher: Bencher<'_, '_>, case: &Case) {
    convert(bencher, case, 8);
}

/// From 24 limbs to 8: sums in several rounds.
#[divan::bench(args = cases())]
fn base_convert_long(bencher: Bencher<'_, '_>, case: &Case) {
    convert(bencher, case, 24);
}

/// From some of 32 limbs to the others.
fn convert(bencher: Bencher<'_, '_>, case: &Case, n_from: usize) {
    let (mut from, n) = (primes(32), 1 << case.log_n);
    let to = from.split_off(n_from);
    let converter = BaseConverter::new(&from, &to);
    let limbs: Vec<Vec<u64>> = from.iter().map(|q| residues(0, q, n)).collect();
    let sources: Vec<&[u64]> = limbs.iter().map(Vec::as_slice).collect();
    let mut out = vec![vec![0; n]; to.len()];
    let mut targets: Vec<&mut [u64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
    bencher
        .bench_local(|| (case.kernels.base_convert)(black_box(&mut targets), &sources, &converter));
}
