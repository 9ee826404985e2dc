//! Times BFV operations of fhe.rs, one core, and prints one JSON object.
//!
//!     cargo run --release -- LOG_N LIMBS SPECIAL REPETITIONS
//!
//! Plaintext modulus 65537; 3 primes at N = 2^13 and 7 at 2^14 are what 128-bit security allows next to a special one.
//! With SPECIAL 1 the keys have that prime more and ciphertexts live a level below their keys; with SPECIAL 0, the
//! library's default, keys live on the ciphertext primes and key switching adds far more noise.
//!
//! - mul_relin: product of two fresh ciphertexts, relinearized, by the default `Multiplicator`.
//! - rotate: the slots of both rows by one step (`rotates_columns_by` in fhe.rs).
//!
//! Seconds are wall time, medians. fhe.rs has no threads.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use fhe::bfv::{
    BfvParameters, BfvParametersBuilder, Ciphertext, Encoding, EvaluationKeyBuilder, Multiplicator,
    Plaintext, RelinearizationKey, SecretKey,
};
use fhe_traits::{FheDecoder, FheDecrypter, FheEncoder, FheEncrypter};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const T: u64 = 65537;

fn main() -> Result<()> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|word| word.parse()).collect::<std::result::Result<_, _>>()?;
    let &[log_n, limbs, special @ (0 | 1), repetitions] = arguments.as_slice() else {
        return Err("usage: fhe-rs-times LOG_N LIMBS SPECIAL REPETITIONS".into());
    };
    let (bits, special_bits) = match log_n {
        13 => (56, 50),
        14 => (54, 60),
        _ => return Err("LOG_N is 13 or 14".into()),
    };
    let sizes = [vec![bits; limbs], vec![special_bits; special]].concat();
    let params = BfvParametersBuilder::new()
        .set_degree(1 << log_n)
        .set_plaintext_modulus(T)
        .set_moduli_sizes(&sizes)
        .build_arc()?;
    let [multiply, rotate] = measure(&params, special, repetitions)?;
    println!(
        "{{\"system\": \"fhe.rs\", \"log_n\": {log_n}, \"limbs\": {limbs}, \"special_primes\": {special}, \
         \"log_q\": {}, \"log_qp\": {}, \"threads\": 1, \"ops\": {{\"mul_relin\": {multiply:.6e}, \
         \"rotate\": {rotate:.6e}}}, \"peak_memory_bytes\": {}}}",
        bits * limbs,
        sizes.iter().sum::<usize>(),
        peak_memory()?
    );
    Ok(())
}

/// Seconds of a product and of a rotation on ciphertexts `special` levels below the keys.
fn measure(params: &Arc<BfvParameters>, special: usize, repetitions: usize) -> Result<[f64; 2]> {
    let mut rng = rand::rng();
    let secret = SecretKey::random(params, &mut rng);
    let relin = RelinearizationKey::new_leveled(&secret, special, 0, &mut rng)?;
    let multiplicator = Multiplicator::default(&relin)?;
    let galois = EvaluationKeyBuilder::new_leveled(&secret, special, 0)?
        .enable_column_rotation(1)?
        .build(&mut rng)?;

    let x: Vec<u64> = (0..params.degree() as u64).map(|i| i * i % T).collect();
    let plaintext = Plaintext::try_encode(&x, Encoding::simd_at_level(special), params)?;
    let a: Ciphertext = secret.try_encrypt(&plaintext, &mut rng)?;
    let b: Ciphertext = secret.try_encrypt(&plaintext, &mut rng)?;
    let multiply = || multiplicator.multiply(&a, &b);
    let rotate = || galois.rotates_columns_by(&a, 1);

    let decrypt = |ciphertext| -> Result<Vec<u64>> {
        let encoding = Encoding::simd_at_level(special);
        Ok(Vec::<u64>::try_decode(&secret.try_decrypt(&ciphertext)?, encoding)?)
    };
    let product: Vec<u64> = x.iter().map(|x| x * x % T).collect();
    let mut rotated = x;
    for row in rotated.chunks_mut(params.degree() / 2) {
        row.rotate_left(1);
    }
    if decrypt(multiply()?)? != product || decrypt(rotate()?)? != rotated {
        return Err("an operation that was to be timed computed something else".into());
    }
    Ok([median(multiply, repetitions)?, median(rotate, repetitions)?])
}

/// Median wall seconds of `repetitions` calls.
fn median(operation: impl Fn() -> fhe::Result<Ciphertext>, repetitions: usize) -> fhe::Result<f64> {
    let mut times = vec![];
    for _ in 0..repetitions {
        let start = Instant::now();
        let result = operation()?;
        times.push(start.elapsed().as_secs_f64());
        drop(result);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[repetitions / 2])
}

/// Peak resident memory of this process in bytes; Linux counts it in kilobytes.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
