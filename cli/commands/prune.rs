//! `hecc prune`: a network whose plan is shorter.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use hecc_compiler::config::Config;
use hecc_compiler::onnx::{self, NewVector, NewWeights, Rewritten};
use hecc_compiler::pipeline::{Compiled, compile};
use hecc_compiler::prune::{Method, PruneConfig, PrunedLayer};
use hecc_compiler::{prune, size};
use hecc_grammar::cost;
use hecc_grammar::model::{Model, Node, Op};
use hecc_grammar::plan::Normalization;
use ndarray::ArrayD;
use ndarray_npy::NpzWriter;

use super::compile::calibration;
use super::compile::slots::Slots;
use super::compile::values::parse_precision;
use crate::data::{model_file, normalization};
use crate::files::output::{Content, Output};
use crate::files::{bytes_file, costs, stream};
use crate::report::prune_report::{PlanSize, PruneReport};
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;
use crate::terminal::progress::Progress;

/// Remove weights that cost much time and matter little
///
/// A plaintext of a plan applies many weights at once, and saves time only if all of them are zero. So they are removed by the
/// plaintext, as `hecc compile` would lay them out; those that are left are fitted to make up for them. No training is needed,
/// but training the pruned network further gets back more: --mask says which weights may change then.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network, an .onnx file.
    model: PathBuf,
    /// The pruned network to write, an .onnx file.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Also write which weights training may change so that the plan stays as short: an .npz with an array of true and false for
    /// each pruned initializer, under its name and in its shape. False are the weights of plaintexts that went.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// Inputs like those that the network will see, as for `hecc compile`; a quarter of them tell how good the result is.
    #[arg(long, value_name = "DATA")]
    calibration: PathBuf,
    /// The part of the plaintexts of weights that is left, such as 0.4.
    #[arg(long, value_name = "PART", value_parser = parse_part)]
    keep: f64,
    /// How weights are chosen that go.
    #[arg(long, value_enum, default_value_t = Way::Hecc)]
    method: Way,
    /// Mean and standard deviation that pixels are normalized by, as for `hecc compile`.
    #[arg(long, value_name = "MEAN,STD", value_parser = normalization::parse, allow_hyphen_values = true)]
    normalize: Option<Normalization>,
    /// Bits of precision that the network is laid out for, as for `hecc compile`.
    #[arg(long, value_name = "BITS", value_parser = parse_precision)]
    precision: Option<f64>,
    #[command(flatten)]
    slots: Slots,
}

/// What `--method` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// By mean magnitude, in the whole network, the others left as they are: what HE-PEx compares itself with.
    P2t,
    /// The same, of each layer the same part.
    P2tByLayer,
    /// Those of nothing but the smallest weights of each layer, with units in an order that brings these together (balanced
    /// k-means), the others left as they are: HE-PEx, of which training is a part.
    P3e,
    /// As p3e, and those of which at most a sixteenth of the weights is among the others.
    P4e,
    /// By what they contribute on the calibration data for the time that they take, the others refitted.
    Hecc,
}

fn parse_part(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text)? {
        part if part > 0.0 && part <= 1.0 => Ok(part),
        part => Err(format!("{part} is not a part, above 0 and at most 1")),
    }
}

pub(crate) fn prune(args: &Args, console: &Console) -> Result<()> {
    stream::check_inputs(&[&args.model, &args.calibration])?;
    if args.model.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("onnx")) {
        return Err(hinted(
            format!("`{}` does not end in .onnx", stream::name(&args.model)),
            "the pruned network is written as ONNX, from a network in ONNX",
        ));
    }
    let read: [(&Path, &str); 2] =
        [(&args.model, "the network that is read"), (&args.calibration, "the calibration data")];
    let output = Output::new(&args.output, Content::Network, &read)?;
    let mask =
        args.mask.as_deref().map(|path| mask_output(path, &read, &args.output)).transpose()?;
    let console = &output.console(console);
    let model = model_file::read(&args.model, console)?;
    size::check(&model)?;
    let calibration =
        calibration::read(&args.calibration, args.normalize.as_ref(), &model, console)?;
    let config = args.slots.of(Config {
        costs: costs::load()?,
        normalization: args.normalize.clone(),
        precision: args.precision,
        ..Config::standard()
    });
    let working = Progress::spinner(console, "compiling the network as it is");
    // Groups are those of the weights in the order that they are written in.
    let before = compile(&model, &calibration, &Config { permute: None, ..config.clone() })?;
    working.say("pruning".to_owned());
    let method = match args.method {
        Way::P2t => Method::P2t,
        Way::P2tByLayer => Method::P2tByLayer,
        Way::P3e => Method::P3e,
        Way::P4e => Method::P4e,
        Way::Hecc => Method::Hecc,
    };
    let wanted = PruneConfig { keep: args.keep, method };
    let pruned = prune::prune(&model, &calibration, &before, &config, wanted)?;
    let Rewritten { file, may_change } = written(args, &model, &pruned.model, &pruned.layers)?;
    working.say("compiling the pruned network".to_owned());
    let wish = PlanWish::of(&before);
    let after = compile(&pruned.model, &calibration, &wish.config(&config))?;
    drop(working);
    output.write(&file)?;
    if let Some(mask) = mask {
        mask.write(&archive(may_change)?)?;
    }
    let report = PruneReport {
        pruned: &pruned,
        before: size_of(&before, &config),
        after: size_of(&after, &config),
        options: [args.slots.options(), Some(wish.options())]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    };
    console.summary(report.text(), report.json())
}

/// Where the mask goes, checked.
fn mask_output(path: &Path, read: &[(&Path, &str)], network: &Path) -> Result<Output> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npz")) {
        return Err(hinted(
            format!("`{}` does not end in .npz", stream::name(path)),
            "--mask writes several arrays under the names of what they are for",
        ));
    }
    let network = [(network, "the pruned network")];
    Output::named("--mask", path, Content::Arrays, &[read, &network].concat())
}

/// An .npz of arrays.
fn archive(arrays: Vec<(String, ArrayD<bool>)>) -> Result<Vec<u8>> {
    let mut npz = NpzWriter::new_compressed(Cursor::new(vec![]));
    for (name, array) in arrays {
        npz.add_array(name, &array)?;
    }
    Ok(npz.finish()?.into_inner())
}

/// What the plan of the pruned network has in common with the one before. Left to itself the compiler would approximate it more
/// finely: its decisions are closer, and it is not known that they were not those of the network to begin with.
struct PlanWish {
    degrees: Vec<usize>,
    /// In tenths of a bit; `None` where results are exact, or bootstraps are made as precise as results need.
    precision: Option<f64>,
}

impl PlanWish {
    fn of(compiled: &Compiled) -> PlanWish {
        let precision = compiled.score.precision;
        let is_wished = precision.is_finite() && precision > 0.0 && compiled.bootstraps.is_none();
        PlanWish {
            degrees: compiled.approximation.degrees(),
            precision: is_wished.then(|| (10.0 * precision).floor() / 10.0),
        }
    }

    fn config(&self, config: &Config) -> Config {
        let mut config = Config { precision: self.precision, ..config.clone() };
        config.approximate.degree_of_layers =
            (!self.degrees.is_empty()).then(|| self.degrees.clone());
        config
    }

    /// As options of `hecc compile`.
    fn options(&self) -> String {
        let degrees: Vec<String> = self.degrees.iter().map(usize::to_string).collect();
        let degrees = match &degrees[..] {
            [] => None,
            // A single degree would be the highest of several.
            [only] => Some(format!("--degrees {only}:")),
            all => Some(format!("--degrees {}", all.join(":"))),
        };
        let precision = self.precision.map(|bits| format!("--precision {bits:.1}"));
        [degrees, precision].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

fn size_of(compiled: &Compiled, config: &Config) -> PlanSize {
    let schedules = compiled.packing.schedules.iter().flatten();
    let plan = &compiled.plan;
    PlanSize {
        n_plaintexts: schedules.map(|schedule| schedule.n_products).sum(),
        seconds: cost::repeated_seconds(&config.costs, plan),
        key_bytes: cost::stored_key_bytes(plan),
        run_bytes: cost::key_bytes(plan) + cost::peak_value_bytes(plan),
    }
}

/// Numbers of a node that became others, or the same in another order.
struct Changed<'a> {
    node: &'a str,
    old: &'a ArrayD<f64>,
    new: &'a ArrayD<f64>,
    /// Where they may change once more, if they are weights.
    may_change: Option<ArrayD<bool>>,
}

impl Changed<'_> {
    fn weights(&self) -> Option<NewWeights<'_>> {
        let Changed { node, old, new, may_change } = self;
        Some(NewWeights { node, old, new, may_change: may_change.as_ref()? })
    }

    fn vector(&self) -> Option<NewVector<'_>> {
        let Changed { node, old, new, may_change } = self;
        may_change.is_none().then_some(NewVector { node, old, new })
    }
}

/// All weights of pruned layers, and what else changed.
fn changed<'a>(model: &'a Model, pruned: &'a Model, layers: &[PrunedLayer]) -> Vec<Changed<'a>> {
    let mut found = vec![];
    for ((tensor, node), after) in model.tensors().zip(&pruned.nodes) {
        let layer = layers.iter().find(|layer| layer.tensor == tensor);
        let is_layer = matches!(node.op, Op::Conv { .. } | Op::MatMul { .. });
        let pairs = node.op.constants().into_iter().zip(after.op.constants());
        for (position, (own, other)) in pairs.enumerate() {
            let (old, new) = (model.array(own), pruned.array(other));
            let are_weights = is_layer && position == 0;
            let free = || layer.map_or_else(|| new.mapv(|_| true), |l| l.may_change.clone());
            if old != new || are_weights && layer.is_some() {
                let may_change = are_weights.then(free);
                found.push(Changed { node: &node.name, old, new, may_change });
            }
        }
    }
    found
}

/// The file with the weights of pruned layers, read back to see that they are what they should be.
fn written(
    args: &Args,
    model: &Model,
    pruned: &Model,
    layers: &[PrunedLayer],
) -> Result<Rewritten> {
    let changed = changed(model, pruned, layers);
    let weights: Vec<NewWeights<'_>> = changed.iter().filter_map(Changed::weights).collect();
    let vectors: Vec<NewVector<'_>> = changed.iter().filter_map(Changed::vector).collect();
    let folder = args.model.parent().filter(|folder| *folder != Path::new(""));
    let folder = Some(folder.unwrap_or(Path::new(".")));
    let write = || {
        let written =
            onnx::with_weights(bytes_file::read(&args.model)?, folder, &weights, &vectors)?;
        let again = onnx::import(written.file.clone().into(), folder)?;
        ensure!(
            is_close(&again, pruned),
            "the file would not hold the pruned network, which is a fault of hecc"
        );
        Ok(written)
    };
    write().with_context(|| stream::name(&args.model))
}

/// Whether networks differ by no more than rounding of their weights to 32 bits explains.
fn is_close(a: &Model, b: &Model) -> bool {
    let is_same = |(a, b): (&Node, &Node)| a.name == b.name && a.shape == b.shape;
    let constants = |model: &Model| -> Vec<ArrayD<f64>> {
        let all = model.nodes.iter().flat_map(|node| node.op.constants());
        all.map(|constant| model.array(constant).clone()).collect()
    };
    let (of_a, of_b) = (constants(a), constants(b));
    a.nodes.len() == b.nodes.len()
        && a.nodes.iter().zip(&b.nodes).all(is_same)
        && of_a.len() == of_b.len()
        && of_a.iter().zip(&of_b).all(|(a, b)| are_close(a, b))
}

fn are_close(a: &ArrayD<f64>, b: &ArrayD<f64>) -> bool {
    let largest = b.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * largest)
}
