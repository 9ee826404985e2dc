//! Chooses ring, scale and special primes of plans without bootstraps: the smallest scale that gives the wanted precision, then
//! the cheapest parameters.
//!
//! For each ring that could carry the depth: pack, lower at a trial scale, read the error off the noise analysis.
//! Errors are proportional to 2^−scale, so the scale that gives the precision follows; the primes follow from it.

use hecc_grammar::plan::Params;
use hecc_grammar::security::max_log_qp;

use crate::error::CompileError;
use crate::ladder::Ladder;
use crate::limits;
use crate::lower::{Choice, Method};
use crate::pack::{PackConfig, Packing};
use crate::primes::{MAX_SCALE, Request, is_secure, params_for};

use super::best::{Best, Built, Promise, over_rings};
use super::{Candidate, Found, OfScheme, Problem, Score, precision_of};

/// Finds the cheapest secure parameters that give the precision and the plan for them; if none do, the most precise ones.
///
/// # Errors
/// If no ring carries the levels.
pub(super) fn search(problem: &Problem<'_>, levels: &[usize]) -> Result<Found, CompileError> {
    let leveled = Leveled { problem, levels, depth: levels.iter().copied().max().unwrap_or(0) };
    let config = problem.config;
    let (mut promises, mut rejected) = (vec![], vec![]);
    if config.max_levels.is_none_or(|most| leveled.depth <= most) {
        over_rings(config, limits::LEVELED_RINGS, |log_n| {
            let before = promises.len();
            leveled.consider_ring(log_n, &mut promises, &mut rejected)?;
            let enough =
                |promise: &Promised| promise.option.precision >= problem.objective.precision;
            Ok(promises[before..].iter().any(enough))
        })?;
    }
    let mut best = Best::default();
    best.build(promises, |Packed { choice, precision }| {
        let stages = problem.try_out(&choice)?;
        let score = problem.objective.score(&stages.plan, precision);
        Ok(Built { choice, stages, score, precision, bootstraps: None })
    })?;
    rejected.into_iter().for_each(|candidate| best.pass_over(candidate));
    best.found().map_err(|rejected| leveled.too_deep(&rejected))
}

/// A packed network, and the precision that its scale gives.
struct Packed {
    choice: Choice,
    precision: f64,
}

type Promised = Promise<Packed>;

struct Leveled<'a> {
    problem: &'a Problem<'a>,
    levels: &'a [usize],
    depth: usize,
}

impl Leveled<'_> {
    /// All numbers of special primes for one ring.
    fn consider_ring(
        &self,
        log_n: u32,
        promises: &mut Vec<Promised>,
        rejected: &mut Vec<Candidate>,
    ) -> Result<(), CompileError> {
        let config = self.problem.config;
        let Some(allowed) = max_log_qp(log_n, config.security) else { return Ok(()) };
        if (self.depth as f64 + 2.0) * limits::MIN_SCALE > f64::from(allowed) {
            return Ok(());
        }
        let mut reached = None;
        for n_special in 1..=limits::LEVELED_SPECIAL_PRIMES.min(self.depth + 1) {
            let mut packing = None;
            // More special primes do not make the error of keys smaller than that of roundings.
            if n_special <= limits::SPECIAL_PRIMES_OF_PRECISION {
                let packed = self.pack(log_n, n_special)?;
                reached = self.scale_for(log_n, n_special, &packed)?;
                packing = Some(packed);
            }
            let Some((scale, precision)) = reached else { continue };
            let Some(params) = self.params(log_n, n_special, scale) else { continue };
            let of_scheme = OfScheme::Ckks { scale, precision, levels: None };
            let Some(mut candidate) = Candidate::new(&params, of_scheme) else { continue };
            if !is_secure(&params) {
                rejected.push(candidate);
                continue;
            }
            let packing = packing.map_or_else(|| self.pack(log_n, n_special), Ok)?;
            let inputs = packing.n_inputs().min(config.batch.inputs());
            let seconds = packing.seconds / inputs as f64;
            candidate.seconds = Some(seconds);
            let wanted = self.problem.objective.precision;
            let score = Score { excess: 0, precision: precision.min(wanted), seconds };
            let option = Packed { choice: self.choice(params, packing), precision };
            promises.push(Promise { candidate, score, option });
        }
        Ok(())
    }

    fn params(&self, log_n: u32, n_special: usize, scale: f64) -> Option<Params> {
        let security = self.problem.config.security;
        params_for(&Request { log_n, depth: self.depth, scale, n_special, security })
    }

    fn pack(&self, log_n: u32, n_special: usize) -> Result<Packing, CompileError> {
        self.problem.pack(PackConfig {
            log_n,
            two_rows: false,
            batch: self.problem.config.batch,
            tiles: self.problem.config.tiles.as_ref(),
            n_special,
            levels: self.levels,
            n_lowest: 1,
            costs: &self.problem.config.costs,
            encodes: false,
        })
    }

    fn choice(&self, params: Params, packing: Packing) -> Choice {
        let (ladder, levels) = (Ladder::new(params, 1), self.levels.to_vec());
        Choice { ladder, levels, packing, method: Method::Leveled }
    }

    /// The smallest scale at which the results' error is within the wanted precision, or the largest scale that there is, and
    /// the precision that it gives; `None` if the ring cannot have so many levels.
    fn scale_for(
        &self,
        log_n: u32,
        n_special: usize,
        packing: &Packing,
    ) -> Result<Option<(f64, f64)>, CompileError> {
        let trial = limits::TRIAL_SCALE;
        let Some(params) = self.params(log_n, n_special, trial) else { return Ok(None) };
        let choice = self.choice(params, packing.clone());
        // Errors are proportional to 2^−scale.
        let loss = trial - precision_of(&self.problem.try_out(&choice)?.plan);
        let wanted = loss + self.problem.objective.precision;
        let scale = wanted.ceil().clamp(limits::MIN_SCALE, MAX_SCALE);
        Ok(Some((scale, scale - loss)))
    }

    fn too_deep(&self, candidates: &[Candidate]) -> CompileError {
        let config = self.problem.config;
        let log_n = config.log_n.unwrap_or(*limits::LEVELED_RINGS.end());
        let allowed_bits = max_log_qp(log_n, config.security).unwrap_or(0);
        let of_ring = candidates.iter().filter(|candidate| candidate.log_n == log_n);
        let least = of_ring.map(|candidate| candidate.log_qp).fold(f64::INFINITY, f64::min);
        let scale = candidates.iter().rev().find_map(|candidate| match candidate.scheme {
            OfScheme::Ckks { scale, .. } => Some(scale),
            OfScheme::Bfv { .. } => None,
        });
        let scale = scale.unwrap_or(limits::MIN_SCALE);
        let needed_bits = if least.is_finite() { least } else { (self.depth as f64 + 2.0) * scale };
        let over = ((needed_bits - f64::from(allowed_bits)) / scale).ceil().max(1.0) as usize;
        CompileError::TooDeep {
            needed: self.depth,
            needed_bits,
            log_n,
            allowed_bits,
            available: self.depth.saturating_sub(over),
            security: config.security.bits(),
        }
    }
}
