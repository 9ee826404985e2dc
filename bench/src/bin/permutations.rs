//! Compiles pruned networks with their units as they are, by k-means as HE-PEx has it, and by search, and prints rows for
//! `docs/results/pruning.md`.
//!
//! `cargo run --release -p hecc-bench --bin permutations -- --calibration c.npz model.onnx ..`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hecc_bench::array;
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::permute::Method;
use hecc_compiler::pipeline::Compiled;
use hecc_compiler::{onnx, pipeline};
use hecc_grammar::cost;
use hecc_grammar::plan::Op;

#[derive(Parser)]
struct Arguments {
    /// Networks.
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// Calibration inputs: array `x`.
    #[arg(long)]
    calibration: PathBuf,
    /// Wanted precision in bits.
    #[arg(long)]
    precision: Option<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orders =
        [("as it is", None), ("k-means", Some(Method::Clusters)), ("search", Some(Method::Search))];
    println!("| network | order | plaintexts | rotations | keys | predicted | compiled in |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    for path in &arguments.models {
        let model = onnx::import_file(path)?;
        let calibration = Calibration::from_data(vec![array(&arguments.calibration)?]);
        for (name, permute) in orders {
            let config = Config { permute, precision: arguments.precision, ..Config::standard() };
            let start = Instant::now();
            let compiled = pipeline::compile(&model, &calibration, &config)?;
            let network = path.file_stem().unwrap_or_default().to_string_lossy();
            print!("| {network} | {name} ");
            print_row(&compiled, &config);
            println!("| {:.1} s |", start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn print_row(compiled: &Compiled, config: &Config) {
    let plan = &compiled.plan;
    let schedules = compiled.packing.schedules.iter().flatten();
    let n_plaintexts: usize = schedules.map(|schedule| schedule.n_products).sum();
    let n_rotations = plan.ops.iter().filter(|op| matches!(op, Op::ApplyKey(..))).count();
    print!(
        "| {n_plaintexts} | {n_rotations} | {} | {:.0} ms ",
        plan.keys().len(),
        1e3 * cost::repeated_seconds(&config.costs, plan)
    );
}
