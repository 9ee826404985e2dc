//! Measures what replacing the activations of a network by polynomials costs it, and prints a row for `docs/results/activations.md`.
//!
//! `cargo run --release -p hecc-bench --bin activations -- model.onnx --calibration c.npz --test t.npz --degrees 7`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hecc_bench::{Measured, array, class, labels};
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::judge::OutputWish;
use hecc_compiler::pass::approximate::Recipe;
use hecc_compiler::poly::polynomial_depth;
use hecc_compiler::{interpret, onnx, pipeline};
use hecc_grammar::model::{Model, Op};
use ndarray::{ArrayD, Axis, Slice};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    measured: Measured,
    /// Degrees to choose from; those of `hecc compile` if it is not said.
    #[arg(long, value_delimiter = ',')]
    degrees: Vec<usize>,
    /// How activations become polynomials, as `hecc compile --activation` says it.
    #[arg(long, default_value = "tuned")]
    activation: Recipe,
    /// The network decides: only its decisions count.
    #[arg(long)]
    classifier: bool,
    /// Polynomials are in the sines that bootstraps leave of their arguments.
    #[arg(long)]
    sines: bool,
    /// Test inputs that are looked at.
    #[arg(long, default_value_t = 5_000)]
    count: usize,
}

/// Scores beyond this multiple of the largest of the network that was given are garbage.
const DESTROYED: f64 = 3.0;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Measured { model, calibration, test } = &arguments.measured;
    let model = onnx::import_file(model)?;
    let calibration = Calibration::from_data(vec![array(calibration)?]);
    let mut config = Config::standard();
    if !arguments.degrees.is_empty() {
        config.approximate.degrees = arguments.degrees;
        config.approximate.more_degrees.clear();
    }
    config.approximate.recipe = arguments.activation;
    if arguments.classifier {
        config.outputs = OutputWish::Classes;
    }
    if arguments.sines {
        config.approximate = config.approximate.through_sines();
    }
    let start = Instant::now();
    let shipped = pipeline::approximate(&model, &calibration, &config)?;
    let seconds = start.elapsed().as_secs_f64();

    let mut y = labels(test)?;
    y.truncate(arguments.count);
    let x = array(test)?.slice_axis(Axis(0), Slice::from(0..y.len())).to_owned();
    let scores = |model: &Model| -> Result<Vec<ArrayD<f64>>> {
        let output = model.outputs[0].tensor;
        let of_input = |_, values: &[ArrayD<f64>]| values[output.index()].clone();
        Ok(interpret::visit(model, std::slice::from_ref(&x), of_input)?)
    };
    let (given, found) = (scores(&model)?, scores(&shipped.replaced.model)?);
    let largest = |scores: &ArrayD<f64>| scores.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let limit = DESTROYED * given.iter().map(largest).fold(0.0, f64::max);
    let share = |count: usize| 100.0 * count as f64 / y.len() as f64;
    let right = |scores: &[ArrayD<f64>]| {
        scores.iter().zip(&y).filter(|(s, y)| class(*s) == Some(**y)).count()
    };
    let alike = given.iter().zip(&found).filter(|(a, b)| class(*a) == class(*b)).count();
    let is_destroyed = |scores: &&ArrayD<f64>| !scores.iter().all(|x| x.abs() <= limit);
    let destroyed = found.iter().filter(is_destroyed).count();
    let degrees =
        shipped.report.layers.iter().map(|layer| layer.choices[layer.chosen].degree.to_string());
    println!(
        "degrees {}, {} levels: {:.2} % of {} right ({:.2} % with the activations), {:.2} % alike, {destroyed} destroyed; {seconds:.1} s",
        degrees.collect::<Vec<_>>().join(","),
        levels(&shipped.replaced.model),
        share(right(&found)),
        y.len(),
        share(right(&given)),
        share(alike),
    );
    Ok(())
}

/// Levels of all activations together.
fn levels(model: &Model) -> usize {
    let of = |op: &Op| {
        if let Op::Polynomial { polynomial, .. } = op {
            polynomial_depth(polynomial.coefficients.len() - 1)
        } else if let Op::ChannelPolynomials { coefficients, .. } = op {
            polynomial_depth(model.array(*coefficients).shape()[1] - 1)
        } else {
            usize::from(matches!(op, Op::Mul(..)))
        }
    };
    model.nodes.iter().map(|node| of(&node.op)).sum()
}
