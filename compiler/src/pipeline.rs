//! The compiler, read from the top: every pass, in order.

use hecc_grammar::cost;
use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Params, Scheme, VerifiedPlan};

use crate::calibrate::{Calibration, Stats};
use crate::config::{Config, SchemeChoice};
use crate::error::CompileError;
use crate::graph::Graph;
use crate::ladder::Ladder;
use crate::pass::approximate::{ApproximateReport, approximate};
use crate::pass::assign_levels::assign_levels;
use crate::pass::choose_precision::choose_precision;
use crate::pass::fidelity::{Fidelity, fidelity};
use crate::pass::integers::integers;
use crate::pass::lift_quantizers::{Lifted, Requantization, lift_quantizers};
use crate::pass::linearize::linearize;
use crate::pass::lower::{LowerConfig, Products};
use crate::pass::normalize::normalize;
use crate::pass::pack::Packing;
use crate::pass::quantize::quantize;
use crate::pass::record::{SeenInputs, record};
use crate::pass::search::{Candidate, Found, SearchInput, noisiest_layer, search};
use crate::pass::search_bootstrapped::{BootstrapReport, search_bootstrapped};
use crate::pass::search_integers::{FoundIntegers, IntegerCandidate, search_integers};
use crate::pass::widths::{Width, widths};

/// Without a wish, results may be less precise by so many bits where bootstrapping could make up for it, at a cost of minutes.
const SPARE_BITS: f64 = 4.0;

/// Results are never less precise than this, in bits, unless that is wished for.
const LEAST_BITS: f64 = 5.0;

/// A compiled network, with what every stage made of it.
pub struct Compiled {
    /// The plan.
    pub plan: VerifiedPlan,
    /// The model with its activations replaced by polynomials, and without rounding between layers.
    pub approximated: Model,
    /// Degrees chosen and considered.
    pub approximation: ApproximateReport,
    /// Affine maps, products and polynomials.
    pub graph: Graph,
    /// Layouts and schedules.
    pub packing: Packing,
    /// CKKS: parameters considered; the chosen ones first.
    pub candidates: Vec<Candidate>,
    /// Where values are refreshed, if the network is too deep to do without.
    pub bootstraps: Option<BootstrapReport>,
    /// What rounding weights and inputs, or dropping rounding between layers, changes on the calibration data, if any was.
    pub fidelity: Option<Fidelity>,
    /// Quantisers between layers that were dropped.
    pub dropped: Vec<Requantization>,
    /// BFV: how wide integers are, and what was chosen for it.
    pub integers: Option<IntegerReport>,
    /// What the other scheme would have cost, or why it cannot run the network; `None` if it was not asked for.
    pub other_scheme: Option<Result<f64, String>>,
}

/// What was decided for a network over integers.
#[derive(Clone, Debug)]
pub struct IntegerReport {
    /// Bits of every step's integers.
    pub widths: Vec<Width>,
    /// Bits that the product of the plaintext primes must have.
    pub required: f64,
    /// Whether that is for every input in range.
    pub certified: bool,
    /// Sums of elements whose steps have no integer ratio, with the relative error of rounding it.
    pub approximations: Vec<(String, f64)>,
    /// Parameters considered; the chosen ones first.
    pub candidates: Vec<IntegerCandidate>,
    /// How many bits fewer would make the plan notably cheaper, and with which parameters.
    pub worth_training_away: Option<(u32, IntegerCandidate)>,
}

/// Bits that the plaintext primes have beyond what results need so that a result which wraps around is seen: it comes out
/// within its limit with a probability of 2^-16.
const CHECK_BITS: f64 = 16.0;

/// Compiles a model that was observed on calibration inputs.
///
/// # Errors
/// If the network is too deep for the largest ring, cannot be approximated, or the calibration inputs do not fit it.
pub fn compile(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
) -> Result<Compiled, CompileError> {
    let stats = observe(model, calibration)?;
    let quantized = config.quantize.map(|bits| quantize(model, &stats, bits)).transpose()?;
    let mut lifted = match &quantized {
        None => lift_quantizers(model, &stats),
        Some(quantized) => lift_quantizers(quantized, &observe(quantized, calibration)?),
    };
    let seen = SeenInputs::of(model, calibration, config.normalization.as_ref());
    for ((_, range), ranges) in lifted.ranges.iter_mut().zip(&seen.ranges) {
        *range = ranges.hull();
    }
    let given = (model, calibration);
    let calibration = lifted.quantized(calibration);
    let is_quantized = lifted.inputs.iter().all(Option::is_some);
    let observed = (&calibration, &seen);
    let mut compiled = match config.scheme {
        SchemeChoice::Ckks => compile_ckks(&lifted, observed, config)?,
        SchemeChoice::Bfv => compile_bfv(&lifted, observed, config)?,
        SchemeChoice::Auto if !is_quantized => compile_ckks(&lifted, observed, config)?,
        SchemeChoice::Auto => cheaper(
            compile_bfv(&lifted, observed, config),
            compile_ckks(&lifted, observed, config),
            config,
        )?,
    };
    if quantized.is_some() || !lifted.dropped.is_empty() {
        compiled.fidelity = Some(fidelity(given, (&lifted.model, &calibration))?);
    }
    compiled.dropped = lifted.dropped;
    check_memory(&compiled.plan, config)?;
    Ok(compiled)
}

/// The faster one of two compilations, with what the other would have cost.
fn cheaper(
    one: Result<Compiled, CompileError>,
    other: Result<Compiled, CompileError>,
    config: &Config,
) -> Result<Compiled, CompileError> {
    let seconds = |compiled: &Compiled| cost::plan_seconds(&config.costs, &compiled.plan);
    let (mut best, rejected) = match (one, other) {
        (Ok(one), Ok(other)) if seconds(&one) <= seconds(&other) => (one, Ok(other)),
        (Ok(one), Ok(other)) => (other, Ok(one)),
        (Ok(only), Err(error)) | (Err(error), Ok(only)) => (only, Err(error)),
        (Err(_), Err(error)) => return Err(error),
    };
    best.other_scheme = Some(match rejected {
        Ok(compiled) => Ok(seconds(&compiled)),
        Err(error) => Err(error.to_string()),
    });
    Ok(best)
}

fn observe(model: &Model, calibration: &Calibration) -> Result<Stats, CompileError> {
    let stats = Stats::collect(model, calibration);
    stats.map_err(|error| CompileError::Calibration(error.to_string()))
}

/// Compiles for approximate numbers.
fn compile_ckks(
    lifted: &Lifted,
    (calibration, seen): (&Calibration, &SeenInputs),
    config: &Config,
) -> Result<Compiled, CompileError> {
    let stats = observe(&lifted.model, calibration)?;
    let (approximated, approximation) =
        approximate(&lifted.model, &stats, calibration, &config.approximate)?;
    let observed = observe(&approximated, calibration)?;
    let range = |tensor: Tensor| lifted.range(&observed.ranges, tensor);
    let is_input = |tensor: Tensor| lifted.ranges.iter().any(|(input, _)| *input == tensor);
    let widened = |tensor: Tensor| {
        // Those of inputs have their margin already.
        let margin = if is_input(tensor) { 1.0 } else { config.margin };
        (range(tensor).0 * margin, range(tensor).1 * margin)
    };
    let graph = normalize(&approximated, &linearize(&approximated)?, &widened);
    let levels = assign_levels(&graph);
    let lower = LowerConfig {
        model: &approximated,
        ladder: Ladder::new(no_params(config), 1),
        levels: &levels,
        refresh: None,
        range: &range,
        quantiles: if config.certify { &[] } else { &observed.quantiles },
        normalization: config.normalization.clone(),
        quantizers: &lifted.inputs,
        limit: None,
        steps: &[],
        products: Products::Own,
    };
    let precision = match config.precision {
        Some(wish) => wish,
        None => choose_precision(&approximated, calibration)?,
    };
    let input = SearchInput { graph: &graph, levels: &levels, config, precision, lower };
    let (found, bootstraps) = search_all(input)?;
    let Found { mut plan, packing, candidates, .. } = found;
    record(&mut plan, seen, &observed);
    let plan = VerifiedPlan::new(plan)?;
    Ok(Compiled {
        plan,
        approximated,
        approximation,
        graph,
        packing,
        candidates,
        bootstraps,
        fidelity: None,
        dropped: vec![],
        integers: None,
        other_scheme: None,
    })
}

/// Finds parameters with or without bootstraps: those without where they are precise enough.
fn search_all(input: SearchInput<'_>) -> Result<(Found, Option<BootstrapReport>), CompileError> {
    let (wanted, wish) = (input.precision, input.config.precision);
    let enough = wish.unwrap_or((wanted - SPARE_BITS).max(LEAST_BITS));
    let leveled = match search(input.clone()) {
        Ok(found) if found.precision >= enough => return Ok((found, None)),
        found @ (Ok(_) | Err(CompileError::TooDeep { .. })) => found,
        Err(error) => return Err(error),
    };
    let deep = search_bootstrapped(&input);
    let most = |found: &Found| found.precision;
    let best = match (leveled, deep) {
        (Ok(one), Ok(Some(deep))) if most(&one) >= most(&deep.found) => (one, None),
        (_, Ok(Some(deep))) => (deep.found, Some(deep.bootstraps)),
        (Ok(one), Ok(None)) => (one, None),
        (Err(error), Ok(None)) | (_, Err(error)) => return Err(error),
    };
    if best.0.precision >= wish.unwrap_or(LEAST_BITS) {
        return Ok(best);
    }
    Err(too_imprecise(&best.0, wish))
}

fn too_imprecise(best: &Found, wish: Option<f64>) -> CompileError {
    let reached = best.precision;
    let hint = if reached >= LEAST_BITS {
        format!("--precision {:.0} is possible", reached.floor())
    } else {
        "lower degrees of activations (--degrees) let errors grow less".to_owned()
    };
    let node = noisiest_layer(&best.plan);
    CompileError::Precision { wanted: wish.unwrap_or(LEAST_BITS), reached, node, hint }
}

/// Compiles for exact integers.
fn compile_bfv(
    lifted: &Lifted,
    (calibration, seen): (&Calibration, &SeenInputs),
    config: &Config,
) -> Result<Compiled, CompileError> {
    let integers = integers(&lifted.model, &lifted.inputs)?;
    let computed = observe(&lifted.model, calibration)?;
    let range = |tensor: Tensor| lifted.range(&computed.ranges, tensor);
    let widths = widths(&integers, &lifted.inputs, &range);
    let outputs = || integers.graph.outputs.iter().map(|output| &widths[output.node.0]);
    let calibrated = outputs().map(|width| width.calibrated).fold(0.0, f64::max);
    let certified = outputs().map(|width| width.certified).fold(0.0, f64::max);
    let checked = if config.check_wrap { CHECK_BITS } else { 0.0 };
    let wanted = calibrated + config.margin_bits + checked;
    let is_certified = config.certify || wanted >= certified;
    let required = if is_certified { certified } else { wanted };
    // Beyond the calibrated range there is room for a quarter of the margin: the rest tells overflow from results.
    let limit = (calibrated - 1.0 + config.margin_bits / 4.0).exp2();
    let lower = LowerConfig {
        model: &lifted.model,
        ladder: Ladder::new(no_params(config), 1),
        levels: &[],
        refresh: None,
        range: &range,
        quantiles: &[],
        normalization: config.normalization.clone(),
        quantizers: &lifted.inputs,
        limit: (!is_certified).then_some(limit),
        steps: &integers.steps,
        products: Products::Own,
    };
    let FoundIntegers { mut plan, packing, candidates, worth_training_away } =
        search_integers(&integers.graph, required, config, &lower)?;
    record(&mut plan, seen, &computed);
    for (output, width) in plan.outputs.iter_mut().zip(outputs()) {
        output.magnitude = Some(width.magnitude());
    }
    let report = IntegerReport {
        widths,
        required,
        certified: is_certified,
        approximations: integers.approximations,
        candidates,
        worth_training_away,
    };
    Ok(Compiled {
        plan: VerifiedPlan::new(plan)?,
        approximated: lifted.model.clone(),
        approximation: ApproximateReport { agreement: 1.0, ..ApproximateReport::default() },
        graph: integers.graph,
        packing,
        candidates: vec![],
        bootstraps: None,
        fidelity: None,
        dropped: vec![],
        integers: Some(report),
        other_scheme: None,
    })
}

/// Parameters before any are chosen.
fn no_params(config: &Config) -> Params {
    let security = config.security;
    Params {
        scheme: Scheme::Ckks,
        log_n: 3,
        q: vec![2],
        t: vec![],
        p: vec![],
        input_level: 0,
        top_scale: 1.0,
        security,
    }
}

/// Keys and values must fit the limit; plaintexts are cached in what is left.
fn check_memory(plan: &VerifiedPlan, config: &Config) -> Result<(), CompileError> {
    let needed = hecc_grammar::cost::key_bytes(plan) + hecc_grammar::cost::peak_value_bytes(plan);
    match config.max_memory {
        Some(allowed) if needed > allowed => Err(CompileError::Memory { needed, allowed }),
        _ => Ok(()),
    }
}
