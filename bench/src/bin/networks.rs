//! Measures one network from ONNX file to decrypted results and prints rows for `docs/results/`.
//!
//! `cargo run --release -p hecc-bench --bin networks -- model.onnx --calibration c.npz --test t.npz`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hecc_bench::{Measured, array, class, labels, read_plan};
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::judge::OutputWish;
use hecc_compiler::pass::quantize::QuantizeBits;
use hecc_compiler::{interpret, onnx, pipeline};
use hecc_grammar::cost;
use hecc_grammar::plan::{Scheme, VerifiedPlan, to_bytes};
use hecc_grammar::security::max_log_qp;
use hecc_runtime::client::{
    EncryptionKey, Precision, RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys,
    place_inputs, read_outputs,
};
use hecc_runtime::eval::{ClearEvaluator, Evaluator, Noise, Options};
use hecc_runtime::file::evaluation_keys_bytes;
use hecc_runtime::ring::SecretRng;
use hecc_runtime::rlwe::EvaluationKeys;
use ndarray::{ArrayD, Axis, Slice};
use rayon::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    measured: Measured,
    /// A plan of the network, from `hecc compile`, instead of one that is compiled now for its classes.
    #[arg(long, conflicts_with_all = ["precision", "scheme", "quantize"])]
    plan: Option<PathBuf>,
    /// Wanted precision in bits.
    #[arg(long)]
    precision: Option<f64>,
    /// Test inputs that are simulated.
    #[arg(long, default_value_t = 10_000)]
    simulate: usize,
    /// Test inputs that are encrypted.
    #[arg(long, default_value_t = 100)]
    encrypt: usize,
    /// Integers (bfv) or approximate numbers (ckks); the faster one if it is not said.
    #[arg(long)]
    scheme: Option<String>,
    /// Bits that weights and inputs are rounded to.
    #[arg(long, num_args = 2, value_names = ["WEIGHTS", "INPUTS"])]
    quantize: Vec<u32>,
    /// Integers: room for results beyond those in calibration, in bits.
    #[arg(long, default_value_t = 1.0)]
    margin: f64,
    /// Bytes of encoded plaintexts kept from run to run.
    #[arg(long, default_value_t = 4 << 30)]
    cache: usize,
    /// Numbers of threads that encrypted inputs are run with, one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Measured { model, calibration, test } = &arguments.measured;
    let model = onnx::import_file(model)?;
    let calibration = Calibration::from_data(vec![array(calibration)?]);
    let scheme = match arguments.scheme.as_deref() {
        None => SchemeChoice::Auto,
        Some("bfv") => SchemeChoice::Bfv,
        Some("ckks") => SchemeChoice::Ckks,
        Some(other) => bail!("scheme {other}, expected bfv or ckks"),
    };
    let (precision, margin_bits) = (arguments.precision, arguments.margin);
    let quantize = match arguments.quantize[..] {
        [weights, inputs] => Some(QuantizeBits { weights, inputs }),
        _ => None,
    };
    // There are labels: the largest result is the class.
    let outputs = OutputWish::Classes;
    let config = Config { precision, scheme, margin_bits, quantize, outputs, ..Config::standard() };
    let (plan, integers) = match &arguments.plan {
        Some(path) => (read_plan(path)?, None),
        None => {
            let start = Instant::now();
            let compiled = pipeline::compile(&model, &calibration, &config)?;
            row("compile", format!("{:.1} s", start.elapsed().as_secs_f64()));
            (compiled.plan, compiled.integers)
        }
    };
    let plan = &plan;
    let params = &plan.params;
    row("ring degree", format!("2^{}", params.log_n));
    let allowed = max_log_qp(params.log_n, params.security).unwrap_or(0);
    row("log2 QP", format!("{:.0} of {allowed}", params.log_qp()));
    match &integers {
        None => {
            row("levels, scale", format!("{}, {} bits", params.q.len() - 1, params.top_scale()))
        }
        Some(report) => {
            row(
                "ciphertext-modulus and special primes",
                format!("{}, {}", params.q.len(), params.p.len()),
            );
            row("plaintext primes", format!("{:?}", params.t()));
            for width in &report.widths {
                row(
                    &format!("bits of {} ({})", width.name, width.kind),
                    format!(
                        "{:.1} calibrated, {:.1} certified, {:.1} by format",
                        width.calibrated, width.certified, width.format
                    ),
                );
            }
        }
    }
    let keys_bytes = evaluation_keys_bytes(&plan.interface());
    row("keys", format!("{}, {}", plan.keys().len(), mib(keys_bytes)));
    row("plan", mib(to_bytes(plan, Some(&model)).len() as u64));
    row(
        "predicted: one thread, plaintexts encoded",
        format!("{:.3} s", cost::plan_seconds(&config.costs, plan)),
    );
    row(
        "predicted: one thread, encoding what is not kept",
        format!("{:.3} s", cost::run_seconds(&config.costs, plan, arguments.cache as u64)),
    );
    row("predicted: values + keys", mib(cost::peak_value_bytes(plan) + cost::key_bytes(plan)));
    row("predicted: plaintexts", mib(cost::plaintext_bytes(plan)));

    let images = array(test)?;
    let labels = labels(test)?;
    let n = arguments.simulate.min(labels.len());
    let test = images.slice_axis(Axis(0), Slice::from(0..n)).to_owned();
    let original = interpret::run(&model, std::slice::from_ref(&test))?.remove(0);
    row("accuracy of the network", percent(correct(&rows(&original), &labels), n));
    let mut ways = vec![("clear", Noise::None)];
    if params.scheme() == Scheme::Ckks {
        ways.push(("simulated noise", Noise::Predicted(1)));
    }
    for (name, noise) in ways {
        let results = simulate(plan, &test, noise)?;
        row(&format!("accuracy of the plan, {name}"), percent(correct(&results, &labels), n));
        row(
            &format!("largest output difference, {name}"),
            format!("{:.3e}", difference(&results, &rows(&original))),
        );
    }

    if arguments.encrypt > 0 {
        measure_encrypted(plan, &arguments, &test, &labels)?;
    }
    row("peak memory of this process", mib(peak_memory()? << 10));
    Ok(())
}

/// Runs the first inputs encrypted, with every number of threads.
fn measure_encrypted(
    plan: &VerifiedPlan,
    arguments: &Arguments,
    test: &ArrayD<f64>,
    labels: &[i64],
) -> Result<()> {
    let secret = SecretKey::generate()?;
    let mut rng = SecretRng::from_os()?;
    let start = Instant::now();
    let keys = evaluation_keys(&plan.interface(), &secret, &mut rng, &|_, _| {});
    row("key generation", format!("{:.2} s", start.elapsed().as_secs_f64()));
    let n = arguments.encrypt.min(test.len_of(Axis(0)));
    let first = test.slice_axis(Axis(0), Slice::from(0..n)).to_owned();
    let clear = simulate(plan, &first, Noise::None)?;
    let expected = Expected { inputs: test, labels, clear: &clear };
    for &threads in &arguments.threads {
        let options = Options { threads, cache_bytes: arguments.cache };
        measure(plan, &keys, &secret, &expected, options)?;
    }
    Ok(())
}

/// Inputs to run encrypted, and what comes out of them otherwise.
struct Expected<'a> {
    inputs: &'a ArrayD<f64>,
    /// The class of each.
    labels: &'a [i64],
    /// The outputs of the plan in the clear: as many inputs are run as there are of these.
    clear: &'a [Vec<f64>],
}

/// Runs encrypted inputs: latency, accuracy, and the difference to the plan in the clear.
fn measure(
    plan: &VerifiedPlan,
    keys: &EvaluationKeys,
    secret: &SecretKey,
    expected: &Expected<'_>,
    options: Options,
) -> Result<()> {
    let Expected { inputs: test, labels, clear } = *expected;
    let evaluator = Evaluator::new(plan, keys, options)?;
    let (client, mut rng) = (plan.client_part(), SecretRng::from_os()?);
    let (mut times, mut results) = (vec![], vec![]);
    for image in test.axis_iter(Axis(0)).take(clear.len()) {
        let tensor = vec![image.iter().copied().collect()];
        let sent =
            encrypt(&client, EncryptionKey::Secret(secret), &mut rng, &tensor, RangePolicy::Allow)?;
        let inputs = evaluator.expand(sent);
        let start = Instant::now();
        let outputs = evaluator.run(inputs, &|_, _| {})?;
        times.push(start.elapsed().as_secs_f64());
        results.push(decrypt(&client, secret, &outputs)?.remove(0));
    }
    let threads = options.threads;
    row(
        &format!("first run, {threads} threads (encodes the weights)"),
        format!("{:.3} s", times[0]),
    );
    times.sort_by(f64::total_cmp);
    row(&format!("latency, {threads} threads, median"), format!("{:.3} s", times[times.len() / 2]));
    row(
        &format!("accuracy encrypted, {} inputs", results.len()),
        percent(correct(&results, labels), results.len()),
    );
    row("largest difference, encrypted to clear", format!("{:.3e}", difference(&results, clear)));
    let alike = results.iter().zip(clear).filter(|(a, b)| class(*a) == class(*b)).count();
    row("same class as in the clear", format!("{alike} of {}", clear.len()));
    let bound = Precision::of(&client).largest_bound();
    row("bound of the difference", format!("{bound:.3e}"));
    let equal = results.iter().zip(clear).filter(|(a, b)| a == b).count();
    row("equal to clear bit for bit", format!("{equal} of {}", clear.len()));
    Ok(())
}

fn simulate(plan: &VerifiedPlan, images: &ArrayD<f64>, noise: Noise) -> Result<Vec<Vec<f64>>> {
    let images: Vec<Vec<f64>> =
        images.axis_iter(Axis(0)).map(|image| image.iter().copied().collect()).collect();
    let (client, evaluator) = (plan.client_part(), ClearEvaluator::new(plan, 1 << 30));
    let one = |(i, image): (usize, Vec<f64>)| {
        let slots = place_inputs(&client, &[image], RangePolicy::Allow)?;
        let noise = match noise {
            Noise::None => Noise::None,
            Noise::Predicted(seed) => Noise::Predicted(seed.wrapping_add(i as u64 * 0x9e37_79b9)),
        };
        Ok(read_outputs(&client, &evaluator.run(&slots, noise, |_, _| {})).remove(0))
    };
    images.into_par_iter().enumerate().map(one).collect()
}

fn row(what: &str, value: String) {
    println!("| {what} | {value} |");
}

fn rows(results: &ArrayD<f64>) -> Vec<Vec<f64>> {
    results.axis_iter(Axis(0)).map(|result| result.iter().copied().collect()).collect()
}

fn correct(results: &[Vec<f64>], labels: &[i64]) -> usize {
    results.iter().zip(labels).filter(|(result, label)| class(*result) == Some(**label)).count()
}

fn difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn percent(count: usize, total: usize) -> String {
    format!("{:.2} % ({count} of {total})", 100.0 * count as f64 / total as f64)
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / (1u64 << 20) as f64)
}

/// Peak resident memory in KiB, as Linux reports it.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .context("VmHWM in /proc/self/status")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}
