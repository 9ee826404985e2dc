//! `hecc simulate`: how good a plan is, without encryption.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use hecc::measure::Tracer;
use hecc_compiler::calibrate::{Targets, example};
use hecc_compiler::judge::{OutputWish, output_kinds};
use hecc_grammar::plan::{OutputKind, Plan};
use rayon::prelude::*;

use crate::data::dataset::{Dataset, specs_of_inputs};
use crate::data::labels::LabelSpec;
use crate::files::memory::MemoryLimit;
use crate::files::plan_file;
use crate::files::plan_file::LoadedPlan;
use crate::measure::comparison::{Comparison, Judged, Wanted, compare, merge};
use crate::report::simulate_report::Report;
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::units;

/// Measure a plan's accuracy without encryption
///
/// Computes what the plan computes, in the clear, exactly and with random errors of the size that encryption adds, and
/// compares both with the original network: over all inputs, and layer by layer.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`.
    plan: PathBuf,
    /// Inputs: an .npz with an array `x` and, for accuracy, labels `y`, which are classes or
    /// numbers; an .npy; or a folder of images.
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Use only the first N inputs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Which errors to look at.
    #[arg(long, value_name = "WHICH", default_value = "both")]
    noise: Which,
    /// Seed of the random errors.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Those of polynomials in place of activations.
    Clear,
    /// Those of encryption too.
    Simulate,
    /// Both, apart.
    Both,
}

pub(crate) fn simulate(args: &Args, console: &Console) -> Result<()> {
    let loaded = plan_file::read(&args.plan)?;
    let plan: &Plan = &loaded.plan;
    let mut data = {
        let labels = LabelSpec::of_plan(plan, loaded.source.as_ref());
        Dataset::read(&args.data, &specs_of_inputs(&plan.inputs), labels)?
    };
    data.truncate(args.limit.map_or(usize::MAX, |limit| limit as usize));
    let n_inputs = data.len();
    ensure!(n_inputs > 0, "{} holds no inputs", args.data.display());
    let targets = data.targets;
    let kinds = kinds(&loaded, targets.as_ref());
    let tracer = Tracer::new(&loaded.plan, loaded.source.as_ref());
    let start = Instant::now();
    let bar = Progress::new(console, "simulate", n_inputs);
    let one = |index: usize| {
        let tensors = example(&data.inputs, index, n_inputs);
        let target = targets.as_ref().map(|targets| targets.select(&[index]));
        let judged = Judged { plan, kinds: &kinds, target: target.as_ref() };
        let comparison = compare(&tracer, judged, &tensors, wanted(args, index));
        bar.advance();
        comparison
    };
    let all: Vec<Comparison> = (0..n_inputs).into_par_iter().map(one).collect::<Result<_>>()?;
    drop(bar);
    let report = Report {
        plan,
        comparison: all.into_iter().reduce(merge).unwrap_or_default(),
        kinds: &kinds,
        targets: targets.as_ref(),
        has_original: loaded.source.is_some(),
        has_clear: args.noise != Which::Simulate,
        has_noisy: args.noise != Which::Clear,
    };
    console.note(format!("simulated in {}", units::duration(start.elapsed())));
    console.result(report.text(), report.json())
}

/// What the outputs are for: as the plan says, or else as the labels do.
fn kinds(loaded: &LoadedPlan, targets: Option<&Targets>) -> Vec<OutputKind> {
    let said: Vec<OutputKind> = loaded.plan.outputs.iter().map(|output| output.kind).collect();
    match (&loaded.source, said.first()) {
        (Some(model), Some(first)) if targets.is_some() && !first.decides() => {
            output_kinds(model, OutputWish::Unsaid, targets)
        }
        _ => said,
    }
}

fn wanted(args: &Args, index: usize) -> Wanted {
    let seed = args.seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Wanted {
        clear: args.noise != Which::Simulate,
        noisy: (args.noise != Which::Clear).then_some(seed),
    }
}
