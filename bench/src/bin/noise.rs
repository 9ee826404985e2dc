//! Predicted errors of a plan's layers next to simulated ones, for `docs/results/noise.md`.
//!
//! `cargo run --release -p hecc-bench --bin noise -- plan.bin --test t.npz`
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;
use hecc_bench::{array, read_plan};
use hecc_grammar::noise;
use hecc_grammar::plan::{Layer, Scheme, Value};
use hecc_runtime::client::{RangePolicy, place_inputs};
use hecc_runtime::eval::{Noise, run_clear};
use ndarray::Axis;

#[derive(Parser)]
struct Arguments {
    /// The plan.
    plan: PathBuf,
    /// Inputs: array `x`.
    #[arg(long)]
    test: PathBuf,
    /// How many of them.
    #[arg(long, default_value_t = 1)]
    inputs: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = read_plan(&arguments.plan)?;
    if plan.params.scheme() != Scheme::Ckks {
        bail!("results of integer plans have no errors");
    }
    let predicted = noise::analyze(&plan);
    let images = array(&arguments.test)?;
    let named: Vec<Value> =
        plan.layers.iter().flat_map(|layer| &layer.slots).map(|(value, _)| *value).collect();
    // For each value the sum of squares, the largest, and how many.
    let mut errors: HashMap<Value, (f64, f64, usize)> = HashMap::new();
    for (i, image) in images.axis_iter(Axis(0)).take(arguments.inputs).enumerate() {
        let tensor = vec![image.iter().copied().collect()];
        let slots = place_inputs(&plan.client_part(), &tensor, RangePolicy::Allow)?;
        let mut clear: HashMap<Value, Vec<f64>> = HashMap::new();
        run_clear(&plan, &slots, Noise::None, |value, slots| {
            if named.contains(&value) {
                clear.insert(value, slots.to_vec());
            }
        });
        run_clear(&plan, &slots, Noise::Predicted(i as u64), |value, slots| {
            let Some(clear) = clear.get(&value) else { return };
            let (squares, largest, count) = errors.entry(value).or_default();
            for (a, b) in clear.iter().zip(slots) {
                let error = (a - b).abs();
                (*squares, *largest, *count) =
                    (*squares + error * error, largest.max(error), *count + 1);
            }
        });
    }
    println!("| layer | kind | rms simulated | largest simulated | deviation predicted | bound |");
    println!("|---|---|--:|--:|--:|--:|");
    for Layer { name, kind, slots, .. } in &plan.layers {
        let of = |f: fn(&noise::Deviation) -> f64| {
            slots.iter().map(|(value, _)| f(&predicted[value.index()])).fold(0.0, f64::max)
        };
        let all = slots.iter().filter_map(|(value, _)| errors.get(value));
        let (squares, largest, count) = all.fold((0.0, 0.0f64, 0), |sum, error| {
            (sum.0 + error.0, sum.1.max(error.1), sum.2 + error.2)
        });
        println!(
            "| {name} | {kind} | {:.2e} | {largest:.2e} | {:.2e} | {:.2e} |",
            (squares / count.max(1) as f64).sqrt(),
            of(|deviation| deviation.total),
            of(|deviation| deviation.bound)
        );
    }
    Ok(())
}
