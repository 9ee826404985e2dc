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

/// Prepares a network, and hands it on.
fn with_task<T>(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
    passes: &Passes,
    compile: impl FnOnce(&Task<'_>) -> Result<T, CompileError>,
) -> Result<T, CompileError> {
    size::check(model)?;
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
        Ok(plain) if plain.bootstraps.is_some() => {
            let sines = task.passes.in_trial(with_sines);
            match &sines.result {
                Ok(found) if is_cheaper_and_good_enough(found, &plain) => task.passes.keep(sines),
                _ => Ok(plain),
            }
        }
        Err(error @ (CompileError::TooDeep { .. } | CompileError::Precision { .. })) => {
            with_sines().map_err(|_| error)
        }
        plain => plain,
    }
}

/// Whether the plan with sines is cheaper, or hardly dearer, and loses nothing: with sines no argument of a polynomial is out of
/// range, whatever the input.
fn is_cheaper_and_good_enough(sines: &Compiled, plain: &Compiled) -> bool {
    let loses = plain.approximation.is_good_enough() && !sines.approximation.is_good_enough();
    sines.is_better(plain, limits::SINES_FAVOR) && !loses
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
    let observed = observe(&approximated, calibration, passes)?;
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
        let levels = passes.run("assign_levels", || Decided(assign_levels(&graph))).0;
        let found = passes.decide("search", || search::approximate(&problem, &levels))?;
        Ok(Planned { graph, found, report: levels.into_iter().max().unwrap_or(0) })
    };
    let Planned { graph, found, report: depth } =
        ordered(task, &approximated, Constants::Fold, plan)?;
    let Found { choice, stages, score, candidates, bootstraps, .. } = found;
    let plan = passes.run("record", || record(stages.plan, seen, &observed));
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
