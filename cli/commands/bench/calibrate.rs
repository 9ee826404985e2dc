//! `hecc bench --calibrate`: measures the cost table.

use std::time::Instant;

use anyhow::Result;
use hecc_compiler::primes::prime_near;
use hecc_grammar::cost::{Costs, DEFAULT};
use hecc_grammar::plan::Slots;
use hecc_runtime::kernel::{Term, active};
use hecc_runtime::ring::{BaseConverter, Modulus, NttTable};
use hecc_runtime::scheme::ckks::Embedding;
use serde_json::json;

use super::session::median;
use crate::files::costs;
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::table::{Align, Table};

/// log2 of the ring degree that is measured at.
const LOG_N: u32 = 16;

/// Limbs of a ciphertext, and special primes.
const LIMBS: (usize, usize) = (20, 7);

/// Digits of a ciphertext on all limbs.
const DIGITS: usize = 3;

const REPEATS: usize = 15;

/// Measures the table and writes it where commands look for it.
pub(crate) fn calibrate(console: &Console) -> Result<()> {
    let bar = Progress::spinner(console, "measuring");
    let measured = measure();
    drop(bar);
    let path = costs::write(&measured)?;
    let mut table = Table::new(&[
        ("kernel", Align::Left),
        ("this machine", Align::Right),
        ("shipped", Align::Right),
    ]);
    let nanoseconds = |seconds: f64| format!("{:.3} ns", 1e9 * seconds);
    for ((name, seconds), (_, shipped)) in
        costs::fields(&measured).into_iter().zip(costs::fields(&DEFAULT))
    {
        table.row(vec![name.to_owned(), nanoseconds(seconds), nanoseconds(shipped)]);
    }
    console.summary(
        format!("{}: the cost table of this machine, used from now on\n{table}", path.display()),
        json!({ "path": path, "costs": costs::json(&measured) }),
    )
}

/// Seconds of the kernels on one core, operands streamed from memory where instructions do so.
fn measure() -> Costs {
    let (n, n_limbs) = (1usize << LOG_N, LIMBS.0 + LIMBS.1);
    let mut taken = vec![];
    let moduli: Vec<Modulus> = (0..n_limbs)
        .map(|_| Modulus::new(prime_near(49.9, LOG_N, &mut taken).expect("there are primes")))
        .collect();
    let limb = |k: usize| -> Vec<u64> {
        let q = &moduli[k % n_limbs];
        (0..n as u64)
            .map(|i| q.reduce((i + k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect()
    };
    let table = NttTable::new(moduli[0].clone(), n);
    let mut transformed = limb(0);
    let ntt = time(|| (active().ntt)(&mut transformed, &table));

    let (special, message) = moduli.split_at(LIMBS.1);
    let converter = BaseConverter::new(special, message);
    let sources: Vec<Vec<u64>> = (0..LIMBS.1).map(limb).collect();
    let from: Vec<&[u64]> = sources.iter().map(Vec::as_slice).collect();
    let mut targets = vec![vec![0; n]; LIMBS.0];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let mut to: Vec<&mut [u64]> = targets.iter_mut().map(Vec::as_mut_slice).collect();
    let convert = time(|| pool.install(|| active().convert(&converter, &from, &mut to)));

    let digits: Vec<Vec<u64>> = (0..DIGITS * n_limbs).map(limb).collect();
    let keys: Vec<Vec<u64>> = (0..2 * DIGITS * n_limbs).map(limb).collect();
    let mut out = vec![vec![0; n]; 2 * n_limbs];
    let product = time(|| {
        for (k, pair) in out.chunks_exact_mut(2).enumerate() {
            let key = |i: usize| keys[2 * (DIGITS * k + i)..].as_ref();
            let term =
                |i: usize| -> Term<'_> { (&digits[DIGITS * k + i], [&key(i)[0], &key(i)[1]]) };
            let terms: Vec<Term<'_>> = (0..DIGITS).map(term).collect();
            let [a, b] = pair else { unreachable!("chunks of two") };
            (active().dot_pair)([a, b], &terms, &moduli[k]);
        }
    });
    let pass = time(|| {
        for (k, pair) in out.chunks_exact_mut(2).enumerate() {
            (active().add)(&mut pair[0], &keys[2 * k], &keys[2 * k + 1], &moduli[k]);
        }
    });
    let embedding = Embedding::new(n / 2);
    let slots = Slots::real((0..n / 2).map(|i| (i as f64).sin()).collect());
    let encode = time(|| {
        std::hint::black_box(embedding.to_coefficients(slots.clone(), 1.0));
    });
    let each = |seconds: f64, count: usize| seconds / (count * n) as f64;
    Costs {
        butterfly: each(ntt, 1) * 2.0 / f64::from(LOG_N),
        mul_add: each(product, 2 * DIGITS * n_limbs),
        convert: each(convert, LIMBS.0 * LIMBS.1),
        pass: each(pass, n_limbs),
        encode: each(encode, 1) * 2.0,
    }
}

/// Median seconds, after one run that touches the memory.
fn time(mut f: impl FnMut()) -> f64 {
    f();
    let once = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    median((0..REPEATS).map(once).collect())
}
