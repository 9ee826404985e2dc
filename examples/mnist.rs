//! A trained convolutional network with ReLU, on encrypted handwritten digits.
//!
//! `cargo run --release --example mnist` compiles `examples/mnist/lenet_relu.onnx`, makes keys, encrypts ten test
//! digits, runs the plan on them, decrypts, and compares with the network in the clear.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::judge::OutputWish;
use hecc_compiler::{interpret, onnx, pipeline};
use hecc_runtime::client::{
    EncryptionKey, RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys,
};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::ring::SecretRng;
use ndarray::{ArrayD, Axis};
use ndarray_npy::NpzReader;

const N_DIGITS: usize = 10;

fn main() -> Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/mnist");
    let model = onnx::import_file(&folder.join("lenet_relu.onnx"))?;
    let (images, _) = load(&folder.join("calibration.npz"))?;

    let config = Config { outputs: OutputWish::Classes, ..Config::standard() };
    let compiled = timed("compile", || {
        pipeline::compile(&model, &Calibration::from_data(vec![images]), &config)
    })?;
    let plan = &compiled.plan;
    let params = &plan.params;
    println!(
        "plan: ring of degree 2^{}, modulus of {:.0} bits ({}-bit security allows {}), {} levels, {} instructions",
        params.log_n,
        params.log_qp(),
        params.security.bits(),
        hecc_grammar::security::max_log_qp(params.log_n, params.security).unwrap_or(0),
        params.q.len() - 1,
        plan.ops.len()
    );

    let secret = SecretKey::generate()?;
    let mut rng = SecretRng::from_os()?;
    let client = plan.client_part();
    let keys = timed("keys", || evaluation_keys(&client.interface, &secret, &mut rng, &|_, _| {}));
    let threads = std::thread::available_parallelism()?.get();
    let evaluator = Evaluator::new(plan, &keys, Options { threads, cache_bytes: 2 << 30 })?;

    println!("\nlabel  encrypted  plaintext  largest error      time");
    let (digits, labels) = load(&folder.join("digits.npz"))?;
    let mut wrong = 0;
    for (image, label) in digits.axis_iter(Axis(0)).zip(&labels).take(N_DIGITS) {
        let image = image.insert_axis(Axis(0)).to_owned();
        let expected: Vec<f64> =
            interpret::run(&model, std::slice::from_ref(&image))?[0].iter().copied().collect();
        let pixels = vec![image.iter().copied().collect()];
        let key = EncryptionKey::Secret(&secret);
        let sent = encrypt(&client, key, &mut rng, &pixels, RangePolicy::Refuse)?;
        let inputs = evaluator.expand(sent);
        let start = Instant::now();
        let outputs = evaluator.run(inputs, &|_, _| {})?;
        let time = start.elapsed();
        let logits = decrypt(&client, &secret, &outputs)?.remove(0);
        let error = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!(
            "{label:>5}  {:>9}  {:>9}  {error:>13.4}  {:>8}",
            class(&logits),
            class(&expected),
            seconds(time)
        );
        wrong += usize::from(class(&logits) != class(&expected));
    }
    anyhow::ensure!(wrong == 0, "{wrong} encrypted predictions differ from the plaintext ones");
    println!(
        "\nThe error is that of replacing ReLU by polynomials; the first run also encodes the weights."
    );
    Ok(())
}

/// Images as `[n, 1, 28, 28]` and their labels.
fn load(path: &Path) -> Result<(ArrayD<f64>, Vec<i64>)> {
    let mut file = NpzReader::new(File::open(path).with_context(|| path.display().to_string())?)?;
    let images: ArrayD<f32> = file.by_name("x")?;
    let labels: ArrayD<i64> = file.by_name("y")?;
    Ok((images.mapv(f64::from), labels.into_iter().collect()))
}

fn class(logits: &[f64]) -> usize {
    logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    println!("{what}: {}", seconds(start.elapsed()));
    result
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
