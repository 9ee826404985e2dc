//! Chooses plaintext primes, ring, modulus and kind of products for a network over integers: the cheapest whose noise fits.
//!
//! Noise depends on the plaintext primes much more than on the modulus. So a packed network is lowered once for each ring
//! and kind of product with a modulus that is too large (see [`integer_trial`](super::integer_trial)), its noise is read off
//! for each number of plaintext primes, and the modulus that holds it follows.

use hecc_grammar::noise;
use hecc_grammar::plan::{Params, is_prime};

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::Step;
use crate::limits;
use crate::lower::Products;
use crate::primes::is_secure;

use super::best::{Best, Built, over_rings};
use super::integer_trial::{MAX_PRIME_BITS, NoiseModulus, Trial, choice};
use super::{Candidate, Found, OfScheme, Problem};

/// The chosen parameters, and what fewer bits would save.
pub struct FoundIntegers {
    /// The choice.
    pub found: Found,
    /// How many bits fewer would make the plan notably cheaper, and with which parameters.
    pub worth_training_away: Option<(u32, Candidate)>,
}

/// Finds the cheapest secure plan whose plaintext modulus has at least `width` bits.
///
/// # Errors
/// If there is none.
pub fn search(problem: &Problem<'_>, width: f64) -> Result<FoundIntegers, CompileError> {
    let Problem { graph, config, .. } = *problem;
    let multiplies = graph.nodes.iter().any(|node| matches!(node.step, Step::Mul(..)));
    let kinds = [Products::ScaleInvariant, Products::Bgv];
    let kinds = if multiplies { &kinds[..] } else { &kinds[..1] };
    let mut explorer = Explorer { problem, width, best: Best::default() };
    let mut trials = vec![];
    over_rings(config, limits::INTEGER_RINGS, |log_n| {
        let mut fits = false;
        for &products in kinds {
            let Some(trial) = Trial::new(problem, log_n, products)? else { continue };
            fits |= explorer.search_ring(&trial)?;
            trials.push(trial);
        }
        Ok(fits)
    })?;
    let log_n = config.log_n.unwrap_or(*limits::INTEGER_RINGS.end());
    let too_wide = |_| CompileError::TooWide { width, log_n, security: config.security.bits() };
    let found = explorer.best.found().map_err(too_wide)?;
    let worth_training_away = worth_training_away(&trials, width, &found.candidates[0], config);
    found.stages.show(&found.choice, problem.passes);
    Ok(FoundIntegers { found, worth_training_away })
}

struct Explorer<'a> {
    problem: &'a Problem<'a>,
    /// Bits of the plaintext modulus.
    width: f64,
    best: Best,
}

/// A plan whose noise fits, and how many bits more would.
struct Fitting {
    built: Built,
    room: f64,
}

impl Explorer<'_> {
    /// Tries numbers of plaintext and special primes for one ring and kind of product; whether any do.
    fn search_ring(&mut self, trial: &Trial) -> Result<bool, CompileError> {
        let config = self.problem.config;
        let mut least = f64::INFINITY;
        for n_primes in 1..=limits::PLAINTEXT_PRIMES {
            let Some(t) = plaintext_primes(self.width, n_primes, trial.log_n) else { continue };
            let Some(mut modulus) = trial.modulus(t) else { continue };
            // Seconds with the fewest special primes that are secure; infinite where noise does not fit after all.
            let mut first = None;
            for n_special in 1..=limits::INTEGER_SPECIAL_PRIMES {
                let promising =
                    first.is_none_or(|first| first < limits::NOTABLY * self.best.seconds());
                let Some(params) = trial.params(&modulus, n_special, config.security) else {
                    continue;
                };
                let Some(candidate) = candidate(&params, trial.products) else { continue };
                if !(candidate.is_secure() && promising) {
                    self.best.pass_over(candidate);
                    continue;
                }
                let seconds = self.try_params(trial, &mut modulus, params)?;
                first.get_or_insert(seconds);
            }
            let Some(first) = first.filter(|seconds| seconds.is_finite()) else { continue };
            if first > limits::NOTABLY * least {
                break;
            }
            least = least.min(first);
        }
        Ok(least < f64::INFINITY)
    }

    /// Builds the plan for some parameters, and where a prime is left over, that with one fewer; the former's predicted
    /// seconds, infinite if its noise does not fit.
    fn try_params(
        &mut self,
        trial: &Trial,
        modulus: &mut NoiseModulus,
        params: Params,
    ) -> Result<f64, CompileError> {
        let problem = self.problem;
        let (n_limbs, n_special) = (params.q.len(), params.p.len());
        let Some(fitting) = fit(problem, trial, modulus, params)? else { return Ok(f64::INFINITY) };
        let mut tight = modulus.tightened(fitting.room - limits::SLACK);
        let seconds = fitting.built.score.seconds;
        self.offer(trial.products, fitting.built);
        let params = trial.params(&tight, n_special, problem.config.security);
        if let Some(params) = params.filter(|params| params.q.len() < n_limbs)
            && let Some(fitting) = fit(problem, trial, &mut tight, params)?
        {
            self.offer(trial.products, fitting.built);
        }
        Ok(seconds)
    }

    fn offer(&mut self, products: Products, built: Built) {
        if let Some(candidate) = candidate(&built.choice.ladder.params, products) {
            let seconds = Some(built.score.seconds);
            self.best.offer(Candidate { seconds, ..candidate }, built);
        }
    }
}

/// Parameters not tried yet.
fn candidate(params: &Params, products: Products) -> Option<Candidate> {
    Candidate::new(params, OfScheme::Bfv { t: params.t().to_vec(), products })
}

/// The fewest bits by which results must be narrower for parameters that cost at least a fifth less.
fn worth_training_away(
    trials: &[Trial],
    width: f64,
    chosen: &Candidate,
    config: &Config,
) -> Option<(u32, Candidate)> {
    let OfScheme::Bfv { t: chosen_t, products } = &chosen.scheme else { return None };
    (1..=limits::BITS_TRAINED_AWAY).find_map(|bits| {
        let alike = trials.iter().filter(|trial| trial.products == *products);
        let narrower = alike.flat_map(|trial| {
            let primes = 1..=chosen_t.len();
            primes
                .filter_map(|n_primes| {
                    let t = plaintext_primes(width - f64::from(bits), n_primes, trial.log_n)?;
                    let modulus = trial.modulus(t)?;
                    let params = trial.params(&modulus, chosen.n_special, config.security)?;
                    let candidate = candidate(&params, trial.products)?;
                    (candidate.is_secure()
                        && candidate.work() < limits::WORTH_TRAINING * chosen.work())
                    .then_some(candidate)
                })
                .collect::<Vec<_>>()
        });
        let cheapest = narrower.min_by(|a, b| a.work().total_cmp(&b.work()));
        cheapest.map(|candidate| (bits, candidate))
    })
}

/// A choice with some parameters. Where the noise does not fit after all, since with fewer primes other layouts are best, it is
/// given the room that it lacks, or more where primes are still dropped too early; `None` if that is not enough, or not
/// secure.
fn fit(
    problem: &Problem<'_>,
    trial: &Trial,
    modulus: &mut NoiseModulus,
    mut params: Params,
) -> Result<Option<Fitting>, CompileError> {
    let (mut levels, mut lacking) = (vec![], 0.0);
    for attempt in 0..=limits::MAKE_ROOM {
        let next = trial.levels(problem.graph, modulus, &params);
        if next != levels {
            levels = next;
            let choice = choice(problem, params.clone(), trial.products, &levels)?;
            let stages = problem.try_out(&choice)?;
            let plan = &stages.plan;
            let noise = noise::analyze_exact(plan);
            let left = plan.output_values().map(|v| noise::budget(plan, v, noise[v.index()]));
            let left = left.fold(f64::INFINITY, f64::min);
            if left >= 0.0 {
                let score = problem.objective.score(plan, f64::INFINITY);
                let built =
                    Built { choice, stages, score, precision: f64::INFINITY, bootstraps: None };
                return Ok(Some(Fitting { built, room: left }));
            }
            lacking = -left;
        }
        modulus.add_room(lacking * f64::from(attempt).exp2(), trial.products);
        // Keeping primes for longer is cheaper than larger ones, but does not help where none are dropped.
        if attempt > 0 && trial.products == Products::ScaleInvariant {
            modulus.widen(lacking.max(limits::LEAST_ROOM));
        }
        let wider = trial.params(modulus, params.p.len(), problem.config.security);
        let Some(wider) = wider.filter(is_secure) else { return Ok(None) };
        if wider != params {
            levels.clear();
            params = wider;
        }
    }
    Ok(None)
}

/// The smallest `count` primes ≡ 1 mod 2N of nearly equal size whose product has `width` bits; `None` if they would be too
/// large, or fewer of the smallest do.
fn plaintext_primes(width: f64, count: usize, log_n: u32) -> Option<Vec<u64>> {
    let step = 2u64 << log_n;
    let from = |first: u64| (first..).map(move |k| k * step + 1).filter(|&n| is_prime(n));
    let bits = width / count as f64;
    let fewer: f64 = from(1).take(count - 1).map(|t| (t as f64).log2()).sum();
    if bits > MAX_PRIME_BITS - 1.0 || (count > 1 && fewer >= width) {
        return None;
    }
    Some(from((bits.exp2() as u64).div_ceil(step).max(1)).take(count).collect())
}
