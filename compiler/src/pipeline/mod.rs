//! The compiler, read from the top: every pass, in order.

mod approximate;
mod curve;
mod integers;
mod order;

use hecc_grammar::model::Model;
use hecc_grammar::plan::{Plan, Validation, VerifiedPlan};

use crate::analysis::validate::HeldOut;
use crate::calibrate::{Calibration, Split, Stats};
use crate::config::{Config, SchemeChoice, Wishes};
use crate::error::CompileError;
use crate::graph::Graph;
use crate::judge::{Judge, output_kinds};
use crate::layout::Batch;
use crate::limits;
use crate::pack::Packing;
use crate::pass::approximate::{ApproximateConfig, ApproximateReport, Observed};
use crate::pass::lift_quantizers::{Lifted, Requantization, lift_quantizers};
use crate::pass::quantize::quantize;
use crate::pass::record::SeenInputs;
use crate::passes::Passes;
use crate::search::{BootstrapReport, Candidate, Objective, Score, Shipped, choose_degrees};
use crate::size;

pub use curve::CurvePoint;
pub use integers::IntegerReport;

use approximate::compile_ckks;
use curve::curve;
use integers::compile_bfv;

/// A compiled network, with what every stage made of it.
pub struct Compiled {
    /// The plan.
    pub plan: VerifiedPlan,
    /// The model with its activations replaced by polynomials, and without rounding between layers.
    pub approximated: Model,
    /// Degrees chosen and considered.
    pub approximation: ApproximateReport,
    /// Other choices of degrees with their plans, if they were asked for.
    pub curve: Vec<CurvePoint>,
    /// Affine maps, products and polynomials.
    pub graph: Graph,
    /// Layouts and schedules.
    pub packing: Packing,
    /// Parameters considered; the chosen ones first.
    pub candidates: Vec<Candidate>,
    /// How good the plan is.
    pub score: Score,
    /// Where values are bootstrapped, if the network is too deep to do without.
    pub bootstraps: Option<BootstrapReport>,
    /// Quantizers between layers that were dropped.
    pub dropped: Vec<Requantization>,
    /// BFV: how wide integers are, and what was chosen for it.
    pub integers: Option<IntegerReport>,
    /// What the other scheme would have cost, or why it cannot run the network; `None` if it was not asked for.
    pub other_scheme: Option<Result<f64, String>>,
}

/// Compiles a model that was observed on calibration inputs.
///
/// # Errors
/// If the network is too deep for the largest ring, cannot be approximated, or the calibration inputs do not fit it.
pub fn compile(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
) -> Result<Compiled, CompileError> {
    compile_observed(model, calibration, config, &Passes::unobserved())
}

/// As [`compile`], and tells of every pass.
///
/// # Errors
/// Those of [`compile`].
pub fn compile_observed(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
    passes: &Passes,
) -> Result<Compiled, CompileError> {
    with_task(model, calibration, config, passes, |task| {
        let is_quantized = task.lifted.inputs.iter().all(Option::is_some);
        let mut compiled = match config.scheme {
            SchemeChoice::Ckks => compile_ckks(task)?,
            SchemeChoice::Bfv => compile_bfv(task)?,
            SchemeChoice::Auto if !is_quantized => compile_ckks(task)?,
            SchemeChoice::Auto => cheaper(task)?,
        };
        compiled.dropped = task.lifted.dropped.clone();
        if config.explores {
            // Other points of it are plans that nobody gets.
            compiled.curve = task.passes.in_trial(|| curve(task, &compiled)).result;
        }
        check_memory(&compiled.score, config)?;
        Ok(compiled)
    })
}

/// Replaces the activations of a model by polynomials, as [`compile`] does for approximate numbers, and goes no further.
///
/// # Errors
/// Those of [`compile`].
pub fn approximate(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
) -> Result<Shipped, CompileError> {
    let passes = Passes::unobserved();
    with_task(model, calibration, config, &passes, |task| {
        shipped(task, &config.approximate, &config.wishes)
    })
}

fn check_batch(config: &Config) -> Result<(), CompileError> {
    let log_n = config.log_n.unwrap_or(*limits::LEVELED_RINGS.end());
    match config.batch {
        Batch::Log2(log) if !config.batch.fits(log_n - 1) => {
            Err(CompileError::BatchTooLarge { inputs: 1 << log, log_n, slots: 1 << (log_n - 1) })
        }
        Batch::Log2(_) | Batch::Slots => Ok(()),
    }
}

fn check_tiles(model: &Model, config: &Config) -> Result<(), CompileError> {
    let Some(tiles) = &config.tiles else { return Ok(()) };
    let numbers = tiles.log_sizes.len();
    for (_, input) in model.inputs() {
        let dimensions = input.shape.iter().filter(|&&n| n > 1).count();
        if numbers != dimensions && numbers != dimensions + 1 {
            let input = format!("`{}` {:?}", input.name, input.shape);
            return Err(CompileError::Tiles { numbers: numbers + 1, input, dimensions });
        }
    }
    Ok(())
}

/// Prepares a network, and hands it on.
fn with_task<T>(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
    passes: &Passes,
    compile: impl FnOnce(&Task<'_>) -> Result<T, CompileError>,
) -> Result<T, CompileError> {
    size::check(model)?;
    check_batch(config)?;
    check_tiles(model, config)?;
    let observe = |model: &Model, calibration: &Calibration| observe(model, calibration, passes);
    let stats = observe(model, calibration)?;
    let split = Split::new(model, calibration);
    let kinds = output_kinds(model, config.outputs, calibration.targets.as_ref());
    let judge = Judge::new(kinds, &stats.results_over(&split.rows.kept));
    let mut lifted = match config.quantize {
        None => passes.run("lift_quantizers", || lift_quantizers(model, &stats)),
        Some(bits) => {
            let kept = observe(model, &split.kept)?;
            let quantized = passes.run("quantize", || quantize(model, &kept, bits))?;
            let stats = observe(&quantized, calibration)?;
            passes.run("lift_quantizers", || lift_quantizers(&quantized, &stats))
        }
    };
    let seen = SeenInputs::of(model, calibration, config.normalization.as_ref());
    for ((_, range), ranges) in lifted.ranges.iter_mut().zip(&seen.ranges) {
        *range = ranges.hull();
    }
    let hold_out =
        |part, rows: &[usize]| HeldOut::new(model, part, stats.results_over(rows), &lifted, &judge);
    let task = Task {
        calibration: lifted.quantized(calibration),
        chosen: hold_out(&split.chosen, &split.rows.chosen)?,
        held_out: hold_out(&split.held_out, &split.rows.held_out)?,
        ranges_kept: match *model == lifted.model {
            true => stats.ranges_over(&split.rows.kept),
            false => observe(&lifted.model, &split.map(|part| lifted.quantized(part)).kept)?.ranges,
        },
        split: split.map(|part| lifted.quantized(part)),
        seen,
        judge: &judge,
        lifted: &lifted,
        config,
        passes,
    };
    compile(&task)
}

/// A network on its way to a plan, with what it is compared by.
struct Task<'a> {
    lifted: &'a Lifted,
    /// All calibration inputs as the client sends them.
    calibration: Calibration,
    /// The same in parts.
    split: Split,
    /// The ranges of tensors over all inputs that are not held out.
    ranges_kept: Vec<(f64, f64)>,
    seen: SeenInputs,
    judge: &'a Judge,
    /// The inputs that degrees are chosen by.
    chosen: HeldOut<'a>,
    /// Those that nothing is fitted to or chosen by.
    held_out: HeldOut<'a>,
    config: &'a Config,
    passes: &'a Passes,
}

/// The better one of the plans over integers and over approximate numbers, with what the other would have cost.
fn cheaper(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let Task { passes, .. } = task;
    let integers = passes.in_trial(|| compile_bfv(task));
    let approximate = passes.in_trial(|| compile_ckks(task));
    let is_better = match (&integers.result, &approximate.result) {
        (Ok(integers), Ok(approximate)) => approximate.is_better(integers, 1.0),
        (integers, _) => integers.is_err(),
    };
    let (best, other) = if is_better { (approximate, integers) } else { (integers, approximate) };
    let mut best = passes.keep(best)?;
    best.other_scheme = Some(match other.result {
        Ok(compiled) => Ok(compiled.score.seconds),
        Err(error) => Err(error.to_string()),
    });
    Ok(best)
}

impl Compiled {
    /// Whether it is better than another plan that may take `favor` times as long. Precision was sought by both as far as it is
    /// wanted, or is that of integers.
    fn is_better(&self, other: &Compiled, favor: f64) -> bool {
        let score = |compiled: &Compiled, favor: f64| Score {
            precision: 0.0,
            seconds: favor * compiled.score.seconds,
            ..compiled.score
        };
        score(self, 1.0).is_better(&score(other, favor))
    }
}

fn observe(
    model: &Model,
    calibration: &Calibration,
    passes: &Passes,
) -> Result<Stats, CompileError> {
    let stats = passes.decide("observe", || Stats::collect(model, calibration));
    stats.map_err(|error| CompileError::Calibration(error.to_string()))
}

/// The model with polynomials, of degrees from a list.
fn shipped(
    task: &Task<'_>,
    approximate: &ApproximateConfig,
    wishes: &Wishes,
) -> Result<Shipped, CompileError> {
    let Task { lifted, split, ranges_kept: ranges, judge, chosen, held_out, passes, .. } = task;
    passes.run("approximate", || {
        let (model, expected) = (&lifted.model, chosen.before());
        let observed = Observed { model, ranges, split, expected, judge, passes };
        choose_degrees(observed, chosen, held_out, approximate, wishes)
    })
}

fn objective(config: &Config, precision: f64) -> Objective<'_> {
    let inputs = config.batch.inputs();
    Objective { costs: &config.costs, precision, inputs, max_memory: config.max_memory }
}

/// A plan with what its outputs are for and how good it is.
fn finished(
    mut plan: Plan,
    judge: &Judge,
    validation: Validation,
) -> Result<VerifiedPlan, CompileError> {
    for (output, kind) in plan.outputs.iter_mut().zip(&judge.kinds) {
        output.kind = *kind;
    }
    plan.validation = Some(validation);
    Ok(VerifiedPlan::new(plan)?)
}

/// Keys and values must fit the limit; plaintexts are cached in what is left.
fn check_memory(score: &Score, config: &Config) -> Result<(), CompileError> {
    match config.max_memory {
        Some(allowed) if !score.fits() => {
            Err(CompileError::Memory { needed: allowed + score.excess, allowed })
        }
        _ => Ok(()),
    }
}
