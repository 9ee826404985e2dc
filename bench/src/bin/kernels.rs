//! Times the transforms and sums of products of every kernel table, one core, medians.
//!
//! `cargo run --release -p hecc-bench --bin kernels`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::time::Instant;

use hecc_grammar::plan::is_prime;
use hecc_runtime::kernel::available;
use hecc_runtime::ring::{Modulus, NttTable};

/// Runs of each kernel.
const REPETITIONS: usize = 101;

/// Terms of the sum of products.
const TERMS: usize = 8;

fn main() {
    println!(
        "| N | kernels | ntt (us) | inverse (us) | sum of products, a term (us) | ntt against portable |"
    );
    println!("|---|---|--:|--:|--:|--:|");
    for log_n in [14, 15, 16] {
        let n = 1usize << log_n;
        let table = NttTable::new(Modulus::new(largest_prime(n as u64)), n);
        let q = table.modulus();
        let x: Vec<u64> =
            (0..n as u64).map(|i| q.reduce(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let mut portable = 0.0;
        for kernels in available().into_iter().rev() {
            let (mut y, mut out) = (x.clone(), vec![0; n]);
            let ntt = median(|| (kernels.ntt)(&mut y, &table));
            let intt = median(|| (kernels.intt)(&mut y, &table));
            let pairs = vec![(x.as_slice(), x.as_slice()); TERMS];
            let dot = median(|| (kernels.dot)(&mut out, &pairs, q)) / TERMS as f64;
            if kernels.name == "portable" {
                portable = ntt;
            }
            let ratio = portable / ntt;
            println!(
                "| 2^{log_n} | {} | {ntt:.0} | {intt:.0} | {dot:.1} | {ratio:.1}x |",
                kernels.name
            );
        }
    }
}

/// The largest prime below 2^50 that is 1 modulo 2N.
fn largest_prime(n: u64) -> u64 {
    let mut candidate = ((1 << 50) / (2 * n) - 1) * 2 * n + 1;
    while !is_prime(candidate) {
        candidate -= 2 * n;
    }
    candidate
}

/// Median time in microseconds.
fn median(mut f: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPETITIONS / 2]
}
