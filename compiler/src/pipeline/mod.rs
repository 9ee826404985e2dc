//! The compiler, read from the top: every pass, in order.

mod curve;
mod integers;
mod order;

use hecc_grammar::model::{Model, Node, Op as ModelOp, Tensor};
use hecc_grammar::plan::{Better, Plan, Validation, VerifiedPlan};

use crate::analysis::precision::choose_precision;
use crate::analysis::validate::HeldOut;
use crate::calibrate::{Calibration, Split, Stats};
use crate::config::{Config, SchemeChoice, Wishes};
use crate::error::CompileError;
use crate::graph::Graph;
use crate::judge::{Judge, output_kinds};
use crate::limits;
use crate::lower::{Numbers, Source};
use crate::pack::Packing;
use crate::pass::approximate::{
    ApproximateConfig, ApproximateReport, Beyond, Observed, Recipe, Replaced,
};
use crate::pass::assign_levels::assign_levels;
use crate::pass::lift_quantizers::{Lifted, Requantization, lift_quantizers};
use crate::pass::linearize::linearize;
use crate::pass::normalize::normalize;
use crate::pass::quantize::quantize;
use crate::pass::record::{SeenInputs, record};
use crate::pass::remove_dead::Constants;
use crate::passes::{Decided, Made, Passes};
use crate::search::{
    self, BootstrapReport, Candidate, Found, Objective, OfScheme, Problem, Score, Shipped,
    choose_degrees,
};
use crate::size;

pub use curve::CurvePoint;
pub use integers::IntegerReport;

use curve::curve;
use integers::compile_bfv;
use order::{Planned, ordered};

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
            SchemeChoice::Auto => cheaper(compile_bfv(task), compile_ckks(task))?,
        };
        compiled.dropped = task.lifted.dropped.clone();
        if config.explores {
            compiled.curve = curve(task, &compiled);
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

/// Prepares a network, and hands it on.
fn with_task<T>(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
    passes: &Passes,
    compile: impl FnOnce(&Task<'_>) -> Result<T, CompileError>,
) -> Result<T, CompileError> {
    size::check(model)?;
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
    let with_results = |part, rows: &[usize]| (part, stats.results_over(rows));
    let task = Task {
        calibration: lifted.quantized(calibration),
        chosen: HeldOut::new(
            model,
            with_results(&split.chosen, &split.rows.chosen),
            &lifted,
            &judge,
        )?,
        held_out: HeldOut::new(
            model,
            with_results(&split.held_out, &split.rows.held_out),
            &lifted,
            &judge,
        )?,
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

/// The better one of two compilations, with what the other would have cost.
fn cheaper(
    one: Result<Compiled, CompileError>,
    other: Result<Compiled, CompileError>,
) -> Result<Compiled, CompileError> {
    // Integers have no precision that could be compared.
    let score = |compiled: &Compiled| Score { precision: 0.0, ..compiled.score };
    let (mut best, rejected) = match (one, other) {
        (Ok(one), Ok(other)) if score(&other).is_better(&score(&one)) => (other, Ok(one)),
        (Ok(one), Ok(other)) => (one, Ok(other)),
        (Ok(only), Err(error)) | (Err(error), Ok(only)) => (only, Err(error)),
        (Err(_), Err(error)) => return Err(error),
    };
    best.other_scheme = Some(match rejected {
        Ok(compiled) => Ok(compiled.score.seconds),
        Err(error) => Err(error.to_string()),
    });
    Ok(best)
}

fn observe(model: &Model, calibration: &Calibration) -> Result<Stats, CompileError> {
    let stats = Stats::collect(model, calibration);
    stats.map_err(|error| CompileError::Calibration(error.to_string()))
}

/// Compiles for approximate numbers. Where bootstraps are needed, they may leave sines that polynomials are in. Networks so deep that
/// nothing else is to be expected are compiled that way at once; of others what is cheaper is taken, unless its polynomials are not good
/// enough and the others are.
fn compile_ckks(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let (model, config) = (&task.lifted.model, task.config);
    let through_sines = config.approximate.through_sines();
    let is_activation = |node: &Node| matches!(node.op, ModelOp::Activation { .. });
    // Bootstrapping moves slots, which the inputs of a batch must not.
    let has_sines = model.nodes.iter().any(is_activation)
        && !config.batch
        && config.approximate.recipe != Recipe::Minimax
        && config.approximate != through_sines;
    if !has_sines {
        return compile_plain(task);
    }
    let with_sines = || {
        task.passes.show("through_sines", Made::Decision);
        compile_with(task, &through_sines, &config.wishes)
    };
    if size::least_levels(model) > limits::LEVELS_WITHOUT_BOOTSTRAPS {
        // If nothing does, what keeps from the plan that was to be expected is of interest.
        return with_sines().or_else(|error| compile_plain(task).map_err(|_| error));
    }
    match compile_plain(task) {
        Ok(plain) if plain.bootstraps.is_some() => Ok(match with_sines() {
            Ok(sines) => cheaper_and_good_enough(plain, sines),
            Err(_) => plain,
        }),
        Err(error @ (CompileError::TooDeep { .. } | CompileError::Precision { .. })) => {
            with_sines().map_err(|_| error)
        }
        plain => plain,
    }
}

/// The one with sines if it is cheaper, or hardly dearer, and loses nothing: with sines no argument of a polynomial is out of
/// range, whatever the input.
fn cheaper_and_good_enough(plain: Compiled, sines: Compiled) -> Compiled {
    let is_cheaper = sines.score.excess <= plain.score.excess
        && sines.score.seconds < limits::SINES_FAVOR * plain.score.seconds;
    let loses = plain.approximation.is_good_enough() && !sines.approximation.is_good_enough();
    if is_cheaper && !loses { sines } else { plain }
}

/// Compiles for approximate numbers. Where nobody asked for degrees, and those that the network's behavior asks for let errors grow
/// beyond what any parameters hold, polynomials of half the depth are tried.
fn compile_plain(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let Config { approximate, wishes, .. } = task.config;
    let is_free = approximate.is_free() && *wishes == Wishes::default();
    match compile_with(task, approximate, wishes) {
        Err(error @ CompileError::Precision { .. }) if is_free => {
            let Some(shallower) = approximate.of_half_depth() else { return Err(error) };
            task.passes.show("halve_depth", Made::Decision);
            compile_with(task, &shallower, wishes)
        }
        result => result,
    }
}

/// Compiles for approximate numbers, with degrees from a list.
fn compile_with(
    task: &Task<'_>,
    approximate: &ApproximateConfig,
    wishes: &Wishes,
) -> Result<Compiled, CompileError> {
    let Task { lifted, calibration, seen, judge, config, passes, .. } = task;
    let Shipped { replaced, report: approximation, mut validation, beyond } =
        shipped(task, approximate, wishes)?;
    let Replaced { model: approximated, origins } = replaced;
    let observed = observe(&approximated, calibration)?;
    let inputs: Vec<Tensor> = approximated.inputs().map(|(input, _)| input).collect();
    let range = |tensor: Tensor| match inputs.iter().position(|&input| input == tensor) {
        Some(input) => lifted.ranges[input].1,
        None => observed.ranges[tensor.index()],
    };
    let is_input = |tensor: Tensor| inputs.contains(&tensor);
    let widened = |tensor: Tensor| {
        // Those of inputs have their margin already.
        let margin = if is_input(tensor) { 1.0 } else { config.margin };
        (range(tensor).0 * margin, range(tensor).1 * margin)
    };
    let quantiles = if config.certify { &[][..] } else { &observed.quantiles };
    let precision = match config.precision {
        Some(wish) => wish,
        None => {
            let choose = || Decided(choose_precision(&observed.results, judge));
            passes.run("choose_precision", choose).0
        }
    };
    // Ranges and quantiles are those of all elements of a tensor, whatever their order.
    let plan = |model: &Model| {
        let linear = passes.run("linearize", || linearize(model))?;
        let graph = passes.run("normalize", || normalize(model, &linear, &widened));
        let source = Source {
            model,
            range: &range,
            origin: &|tensor| origins[tensor.index()],
            normalization: config.normalization.as_ref(),
            quantizers: &lifted.inputs,
            numbers: Numbers::Approximate { quantiles },
        };
        let problem = Problem::new(&graph, &source, config, objective(config, precision), passes);
        let levels = assign_levels(&graph);
        let found = passes.decide("search", || search::approximate(&problem, &levels))?;
        Ok(Planned { linear: Some(linear), graph, found, report: () })
    };
    let Planned { graph, found, .. } = ordered(task, &approximated, Constants::Fold, plan)?;
    let Found { choice, stages, score, candidates, bootstraps, .. } = found;
    let mut plan = stages.plan;
    record(&mut plan, seen, &observed);
    let depth = assign_levels(&graph).into_iter().max().unwrap_or(0);
    let before = candidates.first().filter(|_| bootstraps.is_none());
    validation.better = beyond.map(|beyond| better(beyond, depth, before));
    let plan = finished(plan, judge, validation)?;
    Ok(Compiled {
        plan,
        approximated,
        approximation,
        curve: vec![],
        graph,
        packing: choice.packing,
        candidates,
        score,
        bootstraps,
        dropped: vec![],
        integers: None,
        other_scheme: None,
    })
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
    Objective { costs: &config.costs, precision, max_memory: config.max_memory }
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

/// What the next better choice of degrees would do and cost, from the levels that it takes more than the plan, `depth` levels
/// deep, with these parameters.
fn better(beyond: Beyond, depth: usize, candidate: Option<&Candidate>) -> Better {
    let distances = &beyond.distances;
    let shares = distances.iter().filter_map(|distance| distance.agreement());
    let time = candidate.map_or(beyond.cost, |candidate| {
        let old = depth as f64 + 2.0;
        let more = beyond.levels as f64;
        let scale = match candidate.scheme {
            OfScheme::Ckks { scale, .. } => scale,
            OfScheme::Bfv { .. } => 0.0,
        };
        let is_too_long = candidate.log_qp + more * scale > f64::from(candidate.max_log_qp);
        let longer = ((old + more) / old).powi(2).max(1.0);
        longer * if is_too_long { limits::DOUBLE_RING } else { 1.0 }
    });
    Better {
        degrees: beyond.degrees.iter().map(|&degree| degree as u32).collect(),
        time,
        agreement: shares.map(|share| share.ratio()).reduce(f64::min),
        rms: distances.iter().map(|distance| distance.size().rms).fold(0.0, f64::max),
    }
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
