//! `hecc compile`: a trained network to a plan.

mod args;
pub(super) mod calibration;
mod config;
mod parts;
pub(super) mod slots;
pub(super) mod values;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use hecc::measure;
use hecc_compiler::error::CompileError;
use hecc_compiler::passes::Doing;
use hecc_compiler::pipeline::compile_observed;
use hecc_compiler::size;
use serde_json::{Value as Json, json};

pub(crate) use args::Args;

use crate::data::{class_names, model_file};
use crate::files::output::{Content, Output};
use crate::files::{plan_file, stream};
use crate::report::cost_sheet::CostSheet;
use crate::report::explain;
use crate::report::fidelity::Fidelity;
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;
use crate::terminal::progress::Progress;
use crate::terminal::units;
use args::Stage;
use calibration::calibration;
use config::config;
use watch::Watch;

pub(crate) fn compile(args: &Args, console: &Console) -> Result<()> {
    let start = Instant::now();
    let output = check_files(args)?;
    let parts = parts::check(args)?;
    let console = &output.as_ref().map_or(*console, |output| output.console(console));
    let mut model = model_file::read(&args.model, console)?;
    size::check(&model)?;
    if let Some(path) = &args.class_names {
        class_names::add(&mut model, path)?;
    }
    if args.emit == Some(Stage::Model) && args.output.is_none() {
        return console.result(model.to_string(), stage_json(Stage::Model, &model.to_string()));
    }
    let calibration = calibration(args, &model, console)?;
    let config = config(args)?;
    let (passes, watch) = Watch::passes(args.emit);
    let compiled = {
        let working = Progress::spinner(console, "compiling");
        let passes = passes.followed(move |doing| working.say(said(doing)));
        let compiled = compile_observed(&model, &calibration, &config, &passes);
        let compiled = compiled.map_err(in_units)?;
        passes.decide("check_plan", || measure::check(&compiled, &calibration))?;
        compiled
    };
    let file = plan_file::bytes(&compiled.plan, &model);
    let parts = parts.map(|parts| parts.encode(&compiled.plan)).transpose()?;
    if let Some(output) = &output {
        output.write(&file)?;
    }
    if let Some(parts) = &parts {
        parts.write()?;
    }
    if let Some(stage) = args.emit {
        let text = match stage {
            Stage::Model => model.to_string(),
            Stage::Plan => compiled.plan.to_string(),
            Stage::Quantize
            | Stage::LiftQuantizers
            | Stage::Approximate
            | Stage::Permute
            | Stage::Linearize
            | Stage::Graph
            | Stage::Pack
            | Stage::Lower
            | Stage::EliminateCommon
            | Stage::EliminateDead
            | Stage::FuseDivisions => watch.borrow_mut().text().ok_or_else(|| not_made(stage))?,
        };
        let json = stage_json(stage, &text);
        return console.result(text, json);
    }
    let mut sheet = CostSheet::new(&compiled.plan, file.len() as u64, &config.costs);
    if let Some(report) = &compiled.bootstraps {
        sheet = sheet.with_failure(report);
    }
    let mut text = sheet.to_string();
    let mut json = sheet.json();
    if args.explain {
        text = format!("{text}\n{}", explain::text(&compiled));
        json["explanation"] = explain::json(&compiled);
    }
    if args.timings {
        text = format!("{text}\n{}", watch.borrow().table());
        json["timings"] = watch.borrow().json();
    }
    if let Some(parts) = parts {
        text += &parts.text();
        json["parts"] = parts.json();
    }
    if let Some(warning) = sheet.fidelity.as_ref().and_then(Fidelity::warning) {
        console.warn(warning);
    }
    let seconds = start.elapsed();
    json["compile_seconds"] = seconds.as_secs_f64().into();
    console.note(format!("compiled in {}", units::duration(seconds)));
    console.summary(text, json)
}

/// `compiling: tune, 40 %`.
fn said(Doing { name, progress }: Doing) -> String {
    let name = name.replace('_', " ");
    match progress {
        Some((done, of)) => format!("compiling: {name}, {}", units::percent(done, of)),
        None => format!("compiling: {name}"),
    }
}

/// Checks that each file is used for one thing.
fn check_files(args: &Args) -> Result<Option<Output>> {
    let inputs: Vec<&Path> = files_read(args).iter().map(|(path, _)| *path).collect();
    stream::check_inputs(&inputs)?;
    let check = |path: &PathBuf| output_of(path, Content::Plan, args);
    args.output.as_ref().map(check).transpose()
}

/// A file to write that is none of those that are read.
fn output_of(path: &Path, content: Content, args: &Args) -> Result<Output> {
    let weights = args.model.with_extension("npz");
    let mut inputs = files_read(args);
    inputs.push((&weights, "the weights of the network"));
    Output::new(path, content, &inputs)
}

fn files_read(args: &Args) -> Vec<(&Path, &str)> {
    let mut files = vec![(args.model.as_path(), "the network that is read")];
    files.extend(args.calibration.iter().map(|path| (path.as_path(), "the calibration data")));
    files.extend(args.class_names.iter().map(|path| (path.as_path(), "the names of classes")));
    files
}

/// The error with sizes that people read, and the limit that would do.
fn in_units(error: CompileError) -> anyhow::Error {
    let CompileError::Memory { needed, allowed } = error else { return error.into() };
    hinted(
        format!(
            "the plan needs {} of memory to run, --max-memory allows {}",
            units::bytes(needed),
            units::bytes(allowed)
        ),
        format!(
            "--max-memory {}M is enough; fewer bits of precision, or fewer inputs at once, need less",
            needed.div_ceil(1_000_000)
        ),
    )
}

fn stage_json(stage: Stage, text: &str) -> Json {
    let name = stage.to_possible_value().map(|value| value.get_name().to_owned());
    json!({ "stage": name, "text": text })
}

/// The network was compiled without the pass of a stage.
fn not_made(stage: Stage) -> anyhow::Error {
    let name = stage.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    hinted(
        format!("--emit {name}: this network is compiled without that pass"),
        "integers have no polynomials, only --quantize rounds weights, and units are permuted only where that gathers zeros".to_owned(),
    )
}
