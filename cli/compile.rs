//! `hecc compile`: a trained network to a plan.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;
use hecc_compiler::calibrate::{Calibration, Finding, rows_wanted, screen};
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::error::CompileError;
use hecc_compiler::judge::OutputWish;
use hecc_compiler::pass::approximate::ApproximateConfig;
use hecc_compiler::pass::choose_degrees::Wishes;
use hecc_compiler::pass::quantize::QuantizeBits;
use hecc_compiler::pipeline::{self, Compiled};
use hecc_grammar::model::Model;
use hecc_grammar::plan::Normalization;
use hecc_grammar::security::Security;
use serde_json::{Value as Json, json};

use crate::console::Console;
use crate::cost_sheet::CostSheet;
use crate::dataset::{Dataset, specs_of_model};
use crate::failure::hinted;
use crate::fidelity::Fidelity;
use crate::labels::LabelSpec;
use crate::output::{Content, Output};
use crate::progress::Progress;
use crate::{
    class_names, costs, explain, model_file, normalization, plan_check, plan_file, stream, units,
    whole_numbers,
};

/// Compile a trained network into a plan
///
/// A plan says how to compute the network on encrypted data. What cannot be computed on encrypted data, such as ReLU,
/// is replaced by polynomials that fit the network's behaviour on calibration data: inputs like those it will see, at least
/// 64 and 64 more for each layer that is replaced. No keys are involved; the plan is not secret, but holds the network's weights.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network: an .onnx file (`-`: on standard input), or a .hecc text with its weights in an .npz beside it.
    model: PathBuf,
    /// The plan to write; `-` is standard output.
    #[arg(long, short, value_name = "FILE", required_unless_present = "emit")]
    output: Option<PathBuf>,
    /// Inputs like those that the network will see, at least 64 and 64 more for each layer with an activation: an .npz with
    /// an array `x` (or one named after each input, if there are several), an .npy, or a folder of images.
    #[arg(long, value_name = "DATA")]
    calibration: Option<PathBuf>,
    /// Mean and standard deviation that pixels in [0, 1] are normalized by, as in training; recorded in the plan.
    ///
    /// One of each, `0.1307,0.3081`, or one for each channel, `0.485,0.456,0.406/0.229,0.224,0.225`. Applies to images
    /// and to arrays of bytes (uint8), here and in `hecc encrypt`; not to networks that declare that they take bytes.
    #[arg(long, value_name = "MEAN,STD", value_parser = normalization::parse, allow_hyphen_values = true)]
    normalize: Option<Normalization>,
    /// Without calibration data: the range that inputs are in.
    #[arg(
        long,
        value_name = "LO,HI",
        value_parser = parse_range,
        conflicts_with = "calibration",
        allow_hyphen_values = true
    )]
    input_range: Option<(f64, f64)>,
    /// Bits of security: breaking the encryption takes about 2^BITS steps.
    #[arg(long, value_name = "BITS", default_value = "128", value_parser = ["128", "192", "256"])]
    security: String,
    /// Bootstrap rather than use more levels than this: smaller moduli and keys, for more time.
    #[arg(long, value_name = "N")]
    max_levels: Option<usize>,
    /// Bits of precision: encryption changes results by less than 2^-BITS of their range. By default as few as change no
    /// decision on the calibration data.
    #[arg(long, value_name = "BITS", value_parser = parse_precision)]
    precision: Option<f64>,
    /// Whether results are exact integers (bfv), approximate numbers (ckks), or whichever is faster.
    #[arg(long, value_enum, default_value_t = Scheme::Auto)]
    scheme: Scheme,
    /// Compute many inputs in one run, as many as there are slots: more inputs a second, but the first takes as long as all.
    #[arg(long)]
    batch: bool,
    /// Round the weights and inputs of a network that was not trained for few bits: `w=4,in=2`. Costs accuracy, which
    /// `hecc simulate` measures.
    #[arg(long, value_name = "w=BITS,in=BITS", value_parser = parse_quantize)]
    quantize: Option<QuantizeBits>,
    /// Integers: choose the plaintext modulus so that results are right for every input in range, not only for those
    /// like the calibration data.
    #[arg(long)]
    certify: bool,
    /// Integers: room for results beyond the largest one in calibration, in bits.
    #[arg(long, value_name = "BITS", default_value_t = 1.0, value_parser = parse_margin, conflicts_with = "certify", allow_hyphen_values = true)]
    margin: f64,
    /// Integers: take plaintext primes so large that a result which does not fit is seen by `hecc decrypt`, but for one in
    /// 65,000, instead of wrapping around to another number. Costs less than --certify where that needs many bits.
    #[arg(long, conflicts_with = "certify")]
    check_wrap: bool,
    /// Refuse a plan that takes more memory than this to run, such as 8G.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    max_memory: Option<u64>,
    /// Decisions that must be those of the original network, in percent, on calibration data that is held out; the plan is
    /// refused otherwise. Fewer make it faster, more make it slower.
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    min_agreement: Option<f64>,
    /// Largest error of a result, as a part of its spread (standard deviation), such as 0.05 or 5%; the plan is refused
    /// otherwise.
    #[arg(long, value_name = "ERROR", value_parser = parse_error)]
    max_error: Option<f64>,
    /// Degrees of the polynomials that replace activations: those to choose from, `3,7,15`, the
    /// highest, `31`, or one for each in order, `15:7:2`.
    #[arg(long, value_name = "LIST", value_parser = parse_degrees)]
    degrees: Option<Degrees>,
    /// The network decides: the largest of its results is the class, or the sign of a single one. Otherwise a final softmax or
    /// argmax, or labels `y` in the calibration data, say so.
    #[arg(long)]
    classifier: bool,
    /// Results are numbers, not scores of classes.
    #[arg(long, conflicts_with_all = ["classifier", "min_agreement"])]
    regression: bool,
    /// A file with a name for each class, one a line, which `hecc decrypt` prints.
    #[arg(long, value_name = "FILE")]
    class_names: Option<PathBuf>,
    /// Print a stage of the compilation as text instead of the cost sheet.
    #[arg(long, value_name = "STAGE")]
    emit: Option<Stage>,
    /// Print what was chosen, and what the alternatives would have cost.
    #[arg(long)]
    explain: bool,
}

/// Higher degrees gain nothing that encryption would not lose.
const MAX_DEGREE: usize = 255;

/// What `--scheme` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scheme {
    /// The faster one.
    Auto,
    /// Exact integers, for networks trained for few bits.
    Bfv,
    /// Approximate numbers.
    Ckks,
}

/// A stage whose text can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The network as imported, constants folded.
    Model,
    /// The network with polynomials for activations.
    Approximate,
    /// Affine maps, products and polynomials, normalized.
    Graph,
    /// Where tensors lie in ciphertexts, and how affine maps are carried out.
    Pack,
    /// The instructions.
    Plan,
}

pub(crate) fn compile(args: &Args, console: &Console) -> Result<()> {
    let start = Instant::now();
    let output = check_files(args)?;
    let console = &output.as_ref().map_or(*console, |output| output.console(console));
    let mut model = model_file::read(&args.model, console)?;
    if let Some(path) = &args.class_names {
        class_names::add(&mut model, path)?;
    }
    if args.emit == Some(Stage::Model) && args.output.is_none() {
        return console.result(model.to_string(), stage_json(Stage::Model, &model.to_string()));
    }
    let calibration = calibration(args, &model, console)?;
    let config = config(args)?;
    let compiled = {
        let _working = Progress::spinner(console, "compiling");
        let compiled = pipeline::compile(&model, &calibration, &config).map_err(in_units)?;
        plan_check::check(&compiled, &calibration)?;
        compiled
    };
    let file = plan_file::bytes(&compiled.plan, &model);
    if let Some(output) = &output {
        output.write(&file)?;
    }
    if let Some(stage) = args.emit {
        let text = text_of(stage, &model, &compiled);
        let json = stage_json(stage, &text);
        return console.result(text, json);
    }
    let sheet = CostSheet::new(&compiled.plan, file.len() as u64, &config.costs);
    let mut text = sheet.to_string();
    let mut json = sheet.json();
    if args.explain {
        text = format!("{text}\n{}", explain::text(&compiled));
        json["explanation"] = explain::json(&compiled);
    }
    if let Some(warning) = sheet.fidelity.as_ref().and_then(Fidelity::warning) {
        console.warn(warning);
    }
    let seconds = start.elapsed();
    json["compile_seconds"] = seconds.as_secs_f64().into();
    console.note(format!("compiled in {}", units::duration(seconds)));
    console.summary(text, json)
}

/// Checks that each file is used for one thing.
fn check_files(args: &Args) -> Result<Option<Output>> {
    let weights = args.model.with_extension("npz");
    let mut inputs = vec![(args.model.as_path(), "the network that is read")];
    inputs.extend(args.calibration.iter().map(|path| (path.as_path(), "the calibration data")));
    inputs.extend(args.class_names.iter().map(|path| (path.as_path(), "the names of classes")));
    stream::check_inputs(&inputs.iter().map(|(path, _)| *path).collect::<Vec<_>>())?;
    inputs.push((&weights, "the weights of the network"));
    let check = |path: &PathBuf| Output::new(path, Content::Plan, &inputs);
    args.output.as_ref().map(check).transpose()
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
            "--max-memory {}M is enough; fewer bits of precision, or no --batch, need less",
            needed.div_ceil(1_000_000)
        ),
    )
}

fn stage_json(stage: Stage, text: &str) -> Json {
    let name = stage.to_possible_value().map(|value| value.get_name().to_owned());
    json!({ "stage": name, "text": text })
}

fn config(args: &Args) -> Result<Config> {
    let bits = args.security.parse().ok().and_then(Security::from_bits);
    Ok(Config {
        security: bits.expect("the argument parser lets through known levels only"),
        precision: args.precision,
        max_levels: args.max_levels,
        max_memory: args.max_memory,
        normalization: args.normalize.clone(),
        costs: costs::load()?,
        scheme: match args.scheme {
            Scheme::Auto => SchemeChoice::Auto,
            Scheme::Bfv => SchemeChoice::Bfv,
            Scheme::Ckks => SchemeChoice::Ckks,
        },
        batch: args.batch,
        quantize: args.quantize,
        certify: args.certify,
        check_wrap: args.check_wrap,
        approximate: approximate_config(args),
        wishes: Wishes { min_agreement: args.min_agreement, max_error: args.max_error },
        outputs: match (args.classifier, args.regression) {
            (true, _) => OutputWish::Classes,
            (false, true) => OutputWish::Values,
            (false, false) => OutputWish::Unsaid,
        },
        margin_bits: args.margin,
        ..Config::standard()
    })
}

fn approximate_config(args: &Args) -> ApproximateConfig {
    let mut config = ApproximateConfig::standard();
    match &args.degrees {
        None => {}
        Some(Degrees::Highest(highest)) => {
            config.degrees.append(&mut config.more_degrees);
            config.degrees.retain(|degree| degree < highest);
            config.degrees.push(*highest);
        }
        Some(Degrees::From(list)) => {
            config.degrees.clone_from(list);
            config.more_degrees.clear();
        }
        Some(Degrees::Each(list)) => config.degree_of_layers = Some(list.clone()),
    }
    config
}

fn calibration(args: &Args, model: &Model, console: &Console) -> Result<Calibration> {
    let specs = specs_of_model(model, args.normalize.as_ref());
    if let Some(normalization) = &args.normalize {
        for spec in &specs {
            normalization::check(normalization, spec.shape)?;
            if let Some(whole) = spec.whole {
                bail!("--normalize: input `{}` takes pixels as they are, {whole}", spec.name);
            }
        }
    }
    match &args.calibration {
        Some(path) => calibrate(path, model, &specs, console),
        None => {
            let pixels = args.normalize.as_ref().map(normalization::range);
            let declared = whole_numbers::shared_range(specs.iter().map(|spec| spec.whole))?;
            let (lo, hi) = args.input_range.or(pixels).or(declared).unwrap_or((0.0, 1.0));
            console.note(format!(
                "warning: no calibration data: inputs are taken to be uniform in [{}, {}]. Real inputs (--calibration) give \
                 better polynomials and safer ranges",
                units::number(lo),
                units::number(hi)
            ));
            Ok(Calibration::assumed(model, lo, hi))
        }
    }
}

fn calibrate(
    path: &Path,
    model: &Model,
    specs: &[crate::dataset::InputSpec<'_>],
    console: &Console,
) -> Result<Calibration> {
    let mut data = Dataset::read(path, specs, LabelSpec::of_model(model))?;
    let wanted = rows_wanted(model);
    if data.len() < 2 {
        bail!(
            "{}: one input is too few to calibrate on, expected at least {wanted}",
            path.display()
        );
    }
    let screened = screen(model, &data.inputs);
    report(&screened.findings, console);
    // Of a network for a fixed batch, rows are not images.
    if screened.n_rows == data.len() {
        data.keep(&screened.kept);
    }
    if data.len() < wanted {
        console.note(format!(
            "warning: calibrated on {} only; this network needs {wanted}: 64, and 64 for each layer with an activation",
            units::count(data.len(), "input")
        ));
    }
    Ok(Calibration { targets: data.targets, ..Calibration::from_data(data.inputs) })
}

/// Findings of one kind that are printed at most.
const MAX_FINDINGS: usize = 5;

/// Warns of what is wrong with calibration data.
fn report(findings: &[Finding], console: &Console) {
    let is_outlier = |finding: &&Finding| matches!(finding, Finding::Outlier { .. });
    let (outliers, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(is_outlier);
    for kind in [outliers, others] {
        kind.iter().take(MAX_FINDINGS).for_each(|finding| console.warn(finding));
        if kind.len() > MAX_FINDINGS {
            console.warn(format!("and {} more of the kind", kind.len() - MAX_FINDINGS));
        }
    }
}

fn text_of(stage: Stage, model: &Model, compiled: &Compiled) -> String {
    match stage {
        Stage::Model => model.to_string(),
        Stage::Approximate => compiled.approximated.to_string(),
        Stage::Graph => compiled.graph.to_string(),
        Stage::Pack => compiled.packing.to_string(),
        Stage::Plan => compiled.plan.to_string(),
    }
}

fn parse_range(text: &str) -> Result<(f64, f64), String> {
    let (lo, hi) = text.split_once(',').ok_or("expected LO,HI")?;
    let (lo, hi) =
        (normalization::parse_number(lo.trim())?, normalization::parse_number(hi.trim())?);
    if lo < hi { Ok((lo, hi)) } else { Err(format!("{lo} is not below {hi}")) }
}

/// What `--degrees` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Degrees {
    /// All that are usual up to this one.
    Highest(usize),
    /// These, ascending.
    From(Vec<usize>),
    /// One for each activation, in order.
    Each(Vec<usize>),
}

fn parse_degrees(text: &str) -> Result<Degrees, String> {
    let degree = |part: &str| match part.trim().parse::<usize>() {
        Ok(degree) if (1..=MAX_DEGREE).contains(&degree) => Ok(degree),
        _ => Err(format!("`{}` is not a degree from 1 to {MAX_DEGREE}", part.trim())),
    };
    if text.contains(':') {
        return text.split(':').map(degree).collect::<Result<_, _>>().map(Degrees::Each);
    }
    let mut list = text.split(',').map(degree).collect::<Result<Vec<usize>, String>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(if let [only] = list[..] { Degrees::Highest(only) } else { Degrees::From(list) })
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text.trim_end_matches('%').trim_end())? {
        percent if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        percent => Err(format!("{percent} % is not within 0 to 100")),
    }
}

fn parse_error(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    match normalization::parse_number(number.trim_end())? / unit {
        error if error > 0.0 => Ok(error),
        error => Err(format!("{error} is not a positive number")),
    }
}

fn parse_quantize(text: &str) -> Result<QuantizeBits, String> {
    let wrong = || format!("`{text}`, expected w=BITS,in=BITS with 2 to 16 and 1 to 16 bits");
    let (weights, inputs) = text.split_once(',').ok_or_else(wrong)?;
    let bits = |part: &str, name: &str, least: u32| {
        let bits = part.trim().strip_prefix(name).and_then(|bits| bits.parse::<u32>().ok());
        bits.filter(|bits| (least..=16).contains(bits)).ok_or_else(wrong)
    };
    Ok(QuantizeBits { weights: bits(weights, "w=", 2)?, inputs: bits(inputs, "in=", 1)? })
}

fn parse_margin(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text)? {
        bits if (0.0..=40.0).contains(&bits) => Ok(bits),
        bits => Err(format!("{bits} bits are not within 0 to 40")),
    }
}

fn parse_precision(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text)? {
        bits if (1.0..=40.0).contains(&bits) => Ok(bits),
        bits => Err(format!("{bits} bits are not within 1 to 40")),
    }
}
