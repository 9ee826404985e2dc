//! Chooses ring, scale and special primes: the smallest that give the wanted precision, then the cheapest.
//!
//! For each ring that could carry the depth: pack, lower at a trial scale, read the error off the noise analysis.
//! Errors are proportional to 2^−scale, so the scale that gives the precision follows; the primes follow from it.

use hecc_grammar::noise;
use hecc_grammar::plan::{Layer, Params, Plan};
use hecc_grammar::security::max_log_qp;

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::Graph;
use crate::ladder::Ladder;

use super::choose_params::{MAX_SCALE, Request, is_secure, params_for};
use super::lower::{LowerConfig, lower};
use super::pack::{PackConfig, Packer, Packing, pack_batch};
use super::{eliminate_common::eliminate_common, eliminate_dead::eliminate_dead};

/// log2 of the smallest and largest ring degrees considered.
const LOG_N: std::ops::RangeInclusive<u32> = 11..=16;

/// The scale of the first noise analysis.
const TRIAL_SCALE: f64 = 40.0;

/// The smallest scale: primes any smaller are too few.
const MIN_SCALE: f64 = 24.0;

/// More special primes than these do not make the error of keys smaller than that of roundings.
const FEW_SPECIAL: usize = 2;

/// Most special primes considered.
const MAX_SPECIAL: usize = 6;

/// One set of parameters considered, for reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the scale.
    pub scale: f64,
    /// Number of special primes.
    pub n_special: usize,
    /// log2 of the whole modulus.
    pub log_qp: f64,
    /// The bound for the ring at the wanted security.
    pub max_log_qp: u32,
    /// Bits of precision that the scale gives.
    pub precision: f64,
    /// Predicted seconds on one core; `None` if not secure.
    pub seconds: Option<f64>,
}

/// The chosen plan with everything that was considered.
pub struct Found {
    /// Bits of precision of the results.
    pub precision: f64,
    /// The plan, optimised.
    pub plan: Plan,
    /// Its packing.
    pub packing: Packing,
    /// All parameters considered; the chosen one first.
    pub candidates: Vec<Candidate>,
}

impl Found {
    /// Predicted seconds on one core.
    pub fn seconds(&self) -> f64 {
        self.candidates.first().and_then(|chosen| chosen.seconds).unwrap_or(f64::INFINITY)
    }
}

/// What stays the same for every candidate.
#[derive(Clone)]
pub struct SearchInput<'a> {
    /// The normalized graph.
    pub graph: &'a Graph,
    /// Level of each step's result.
    pub levels: &'a [usize],
    /// User's wishes.
    pub config: &'a Config,
    /// Bits of precision that results are to have.
    pub precision: f64,
    /// What lowering takes; its levels are replaced.
    pub lower: LowerConfig<'a>,
}

/// The best parameters so far.
struct Best {
    packing: Packing,
    params: Params,
    seconds: f64,
    precision: f64,
}

/// Finds the cheapest secure parameters that give the precision and the plan for them; if none do, the most precise ones.
///
/// # Errors
/// If no ring carries the levels.
pub fn search(mut input: SearchInput<'_>, packer: &mut Packer<'_>) -> Result<Found, CompileError> {
    let depth = input.levels.iter().copied().max().unwrap_or(0);
    let rings: Vec<u32> = match input.config.log_n {
        Some(log_n) => vec![log_n],
        None => LOG_N.collect(),
    };
    let mut candidates = vec![];
    if input.config.max_levels.is_some_and(|most| depth > most) {
        return Err(too_deep(&input, depth, &candidates));
    }
    let mut best: Option<Best> = None;
    let mut rings_left = 2;
    for log_n in rings {
        let Some(allowed) = max_log_qp(log_n, input.config.security) else { continue };
        if (depth as f64 + 2.0) * MIN_SCALE > f64::from(allowed) {
            continue;
        }
        let mut feasible = false;
        let mut reached = None;
        for n_special in 1..=MAX_SPECIAL.min(depth + 1) {
            let mut packing = None;
            if n_special <= FEW_SPECIAL {
                let packed = pack_for(&input, packer, (log_n, n_special))?;
                reached = scale_for(&mut input, &packed, (log_n, n_special), depth)?;
                packing = Some(packed);
            }
            let Some((scale, precision)) = reached else { continue };
            let request =
                Request { log_n, depth, scale, n_special, security: input.config.security };
            let Some(params) = params_for(&request) else { continue };
            let mut candidate = Candidate {
                log_n,
                scale,
                n_special,
                log_qp: params.log_qp(),
                max_log_qp: allowed,
                precision,
                seconds: None,
            };
            if is_secure(&params) {
                feasible |= precision >= input.precision;
                let mut packed = || pack_for(&input, packer, (log_n, n_special));
                let packing = packing.map_or_else(&mut packed, Ok)?;
                let seconds = packing.seconds;
                candidate.seconds = Some(seconds);
                let found = Best { packing, params, seconds, precision };
                if best.as_ref().is_none_or(|best| found.is_better(best, input.precision)) {
                    best = Some(found);
                    candidates.insert(0, candidate);
                    continue;
                }
            }
            candidates.push(candidate);
        }
        if feasible {
            rings_left -= 1;
        }
        if rings_left == 0 {
            break;
        }
    }
    let Some(Best { packing, params, precision, .. }) = best else {
        return Err(too_deep(&input, depth, &candidates));
    };
    input.lower.ladder = Ladder::new(params, 1);
    let plan = optimise(&lower(input.graph, &packing, &input.lower)?)?;
    Ok(Found { precision, plan, packing, candidates })
}

impl Best {
    /// Whether it is to be chosen rather than another one: precision as far as it is wanted comes first.
    fn is_better(&self, other: &Best, wanted: f64) -> bool {
        let (this, that) = (self.precision.min(wanted), other.precision.min(wanted));
        this > that || (this == that && self.seconds < other.seconds)
    }
}

/// All optimisations of a lowered plan, in order.
pub(super) fn optimise(plan: &Plan) -> Result<Plan, CompileError> {
    Ok(eliminate_dead(&eliminate_common(plan)?)?)
}

fn pack_for(
    input: &SearchInput<'_>,
    packer: &mut Packer<'_>,
    (log_n, n_special): (u32, usize),
) -> Result<Packing, CompileError> {
    if input.config.batch {
        return Ok(pack_batch(input.graph));
    }
    packer.pack(PackConfig {
        log_n,
        two_rows: false,
        n_special,
        levels: input.levels,
        n_lowest: 1,
        costs: &input.config.costs,
    })
}

/// The smallest scale at which the results' error is within the wanted precision on a ring with so many special primes, or the largest scale that there
/// is, and the precision that it gives; `None` if the ring cannot have so many levels.
fn scale_for(
    input: &mut SearchInput<'_>,
    packing: &Packing,
    (log_n, n_special): (u32, usize),
    depth: usize,
) -> Result<Option<(f64, f64)>, CompileError> {
    let request =
        Request { log_n, depth, scale: TRIAL_SCALE, n_special, security: input.config.security };
    let Some(params) = params_for(&request) else { return Ok(None) };
    input.lower.ladder = Ladder::new(params, 1);
    let plan = optimise(&lower(input.graph, packing, &input.lower)?)?;
    // Errors are proportional to 2^−scale.
    let loss = TRIAL_SCALE - precision_of(&plan);
    let scale = (loss + input.precision).ceil().clamp(MIN_SCALE, MAX_SCALE);
    Ok(Some((scale, scale - loss)))
}

/// −log2 of the bound on the error of the results of a plan, as a fraction of their range.
pub fn precision_of(plan: &Plan) -> f64 {
    let errors = noise::analyse(plan);
    let bounds = plan.output_values().map(|value| errors[value.index()].bound);
    -bounds.fold(0.0, f64::max).log2()
}

/// The node after which the error of encryption is largest.
pub fn noisiest_layer(plan: &Plan) -> String {
    let errors = noise::analyse(plan);
    let error = |layer: &Layer| {
        layer.slots.iter().map(|(value, _)| errors[value.index()].total).fold(0.0, f64::max)
    };
    let worst = plan.layers.iter().max_by(|a, b| error(a).total_cmp(&error(b)));
    worst.map(|layer| layer.name.clone()).unwrap_or_default()
}

fn too_deep(input: &SearchInput<'_>, depth: usize, candidates: &[Candidate]) -> CompileError {
    let security = input.config.security;
    let log_n = input.config.log_n.unwrap_or(*LOG_N.end());
    let allowed_bits = max_log_qp(log_n, security).unwrap_or(0);
    let least = candidates
        .iter()
        .filter(|c| c.log_n == log_n)
        .map(|c| c.log_qp)
        .fold(f64::INFINITY, f64::min);
    let scale = candidates.last().map_or(MIN_SCALE, |candidate| candidate.scale);
    let needed_bits = if least.is_finite() { least } else { (depth as f64 + 2.0) * scale };
    let over = ((needed_bits - f64::from(allowed_bits)) / scale).ceil().max(1.0) as usize;
    CompileError::TooDeep {
        needed: depth,
        needed_bits,
        log_n,
        allowed_bits,
        available: depth.saturating_sub(over),
        security: security.bits(),
    }
}
