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
use crate::lower::{Choice, Products};
use crate::primes::is_secure;

use super::integer_trial::{MAX_PRIME_BITS, NoiseModulus, Trial, choice};
use super::{Candidate, Found, OfScheme, Problem, Score, Stages};

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
    let rings: Vec<u32> = config.log_n.map_or(limits::INTEGER_RINGS.collect(), |log_n| vec![log_n]);
    let multiplies = graph.nodes.iter().any(|node| matches!(node.step, Step::Mul(..)));
    let kinds = [Products::ScaleInvariant, Products::Bgv];
    let kinds = if multiplies { &kinds[..] } else { &kinds[..1] };
    let mut explored = Explored { problem, candidates: vec![], best: None };
    let mut rings_left = limits::RINGS_COMPARED;
    let mut trials = vec![];
    for log_n in rings {
        let mut fits = false;
        for &products in kinds {
            let Some(trial) = Trial::new(problem, log_n, products)? else { continue };
            fits |= explored.search_ring(width, &trial)?;
            trials.push(trial);
        }
        rings_left -= usize::from(fits);
        if rings_left == 0 {
            break;
        }
    }
    let Explored { candidates, best, .. } = explored;
    let Some(Fitting { choice, stages, score, .. }) = best else {
        let log_n = config.log_n.unwrap_or(*limits::INTEGER_RINGS.end());
        return Err(CompileError::TooWide { width, log_n, security: config.security.bits() });
    };
    let worth_training_away = worth_training_away(&trials, width, &candidates[0], config);
    stages.show(&choice, problem.passes);
    let precision = f64::INFINITY;
    let found = Found { choice, stages, score, precision, candidates, bootstraps: None };
    Ok(FoundIntegers { found, worth_training_away })
}

/// What was considered so far.
struct Explored<'a> {
    problem: &'a Problem<'a>,
    /// The best one first.
    candidates: Vec<Candidate>,
    best: Option<Fitting>,
}

/// A choice whose noise fits, and how many bits more would.
struct Fitting {
    choice: Choice,
    stages: Stages,
    score: Score,
    room: f64,
}

impl Explored<'_> {
    /// Tries numbers of plaintext and special primes for one ring and kind of product; whether any do.
    fn search_ring(&mut self, width: f64, trial: &Trial) -> Result<bool, CompileError> {
        let config = self.problem.config;
        let mut least = f64::INFINITY;
        for n_primes in 1..=limits::PLAINTEXT_PRIMES {
            let Some(t) = plaintext_primes(width, n_primes, trial.log_n) else { continue };
            let Some(mut modulus) = trial.modulus(t) else { continue };
            // Seconds with the fewest special primes that are secure; infinite where noise does not fit after all.
            let mut first = None;
            for n_special in 1..=limits::INTEGER_SPECIAL_PRIMES {
                let promising = first.is_none_or(|first| first < limits::NOTABLY * self.seconds());
                let Some(params) = trial.params(&modulus, n_special, config.security) else {
                    continue;
                };
                let Some(candidate) = candidate(&params, trial.products) else { continue };
                if !(candidate.is_secure() && promising) {
                    self.candidates.push(candidate);
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
        let seconds = self.add(trial.products, fitting);
        let params = trial.params(&tight, n_special, problem.config.security);
        if let Some(params) = params.filter(|params| params.q.len() < n_limbs)
            && let Some(fitting) = fit(problem, trial, &mut tight, params)?
        {
            self.add(trial.products, fitting);
        }
        Ok(seconds)
    }

    /// Predicted seconds of the best plan.
    fn seconds(&self) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |best| best.score.seconds)
    }

    /// Adds a choice, and returns its predicted seconds.
    fn add(&mut self, products: Products, fitting: Fitting) -> f64 {
        let (score, seconds) = (fitting.score, fitting.score.seconds);
        let params = &fitting.choice.ladder.params;
        let Some(candidate) = candidate(params, products) else { return seconds };
        let candidate = Candidate { seconds: Some(seconds), ..candidate };
        // Larger rings take more memory.
        let is_larger = self.candidates.first().is_some_and(|best| best.log_n < candidate.log_n);
        let worthwhile = if is_larger { limits::WORTHWHILE } else { 1.0 };
        let weighed = Score { seconds: worthwhile * seconds, ..score };
        if self.best.as_ref().is_none_or(|best| weighed.is_better(&best.score)) {
            self.candidates.insert(0, candidate);
            self.best = Some(fitting);
        } else {
            self.candidates.push(candidate);
        }
        seconds
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
                return Ok(Some(Fitting { choice, stages, score, room: left }));
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
