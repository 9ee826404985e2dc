//! Measures what replacing the activations of a network by polynomials costs it, and prints a row for `docs/results/activations.md`.
//!
//! `cargo run --release -p hecc-bench --bin activations -- model.onnx --calibration c.npz --test t.npz --degrees 7`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hecc_bench::{array, labels};
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::{interpret, onnx, pipeline};
use hecc_grammar::model::Model;
use ndarray::{ArrayD, Axis, Slice};

#[derive(Parser)]
struct Arguments {
    /// The network.
    model: PathBuf,
    /// Calibration inputs: array `x`.
    #[arg(long)]
    calibration: PathBuf,
    /// Labeled test inputs: arrays `x`, `y`.
    #[arg(long)]
    test: PathBuf,
    /// Degrees to choose from; those of `hecc compile` if it is not said.
    #[arg(long, value_delimiter = ',')]
    degrees: Vec<usize>,
    /// Test inputs that are looked at.
    #[arg(long, default_value_t = 5_000)]
    count: usize,
}

/// Scores beyond this multiple of the largest of the network that was given are garbage.
const DESTROYED: f64 = 3.0;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let model = onnx::import_file(&arguments.model)?;
    let calibration = Calibration::from_data(vec![array(&arguments.calibration)?]);
    let mut config = Config::standard();
    if !arguments.degrees.is_empty() {
        config.approximate.degrees = arguments.degrees;
        config.approximate.more_degrees.clear();
    }
    let start = Instant::now();
    let shipped = pipeline::approximate(&model, &calibration, &config)?;
    let seconds = start.elapsed().as_secs_f64();

    let mut y = labels(&arguments.test)?;
    y.truncate(arguments.count);
    let x = array(&arguments.test)?.slice_axis(Axis(0), Slice::from(0..y.len())).to_owned();
    let scores = |model: &Model| -> Result<Vec<ArrayD<f64>>> {
        let output = model.outputs[0].tensor;
        let of_input = |_, values: &[ArrayD<f64>]| values[output.index()].clone();
        Ok(interpret::visit(model, std::slice::from_ref(&x), of_input)?)
    };
    let (given, found) = (scores(&model)?, scores(&shipped.replaced.model)?);
    let largest = |scores: &ArrayD<f64>| scores.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let limit = DESTROYED * given.iter().map(largest).fold(0.0, f64::max);
    let share = |count: usize| 100.0 * count as f64 / y.len() as f64;
    let right =
        |scores: &[ArrayD<f64>]| scores.iter().zip(&y).filter(|(s, y)| class(s) == **y).count();
    let alike = given.iter().zip(&found).filter(|(a, b)| class(a) == class(b)).count();
    let destroyed =
        found.iter().filter(|scores| largest(scores).is_nan() || largest(scores) > limit).count();
    let degrees =
        shipped.report.layers.iter().map(|layer| layer.choices[layer.chosen].degree.to_string());
    println!(
        "degrees {}: {:.2} % of {} right ({:.2} % with the activations), {:.2} % alike, {destroyed} destroyed; {seconds:.1} s",
        degrees.collect::<Vec<_>>().join(","),
        share(right(&found)),
        y.len(),
        share(right(&given)),
        share(alike),
    );
    Ok(())
}

fn class(scores: &ArrayD<f64>) -> i64 {
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(class, _)| class as i64)
}
