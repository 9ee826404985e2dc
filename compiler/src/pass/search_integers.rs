//! Chooses plaintext primes, ring, modulus and kind of products for a network over integers: the cheapest whose noise fits.
//!
//! Noise depends on the plaintext primes much more than on the modulus. So a packed network is lowered once for each ring
//! and kind of product with a modulus that is too large (see [`integer_trial`](super::integer_trial)), its noise is read off
//! for each number of plaintext primes, and the modulus that holds it follows.

use std::cell::RefCell;

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::noise;
use hecc_grammar::plan::{Params, Plan, is_prime};
use hecc_grammar::security::max_log_qp;

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::{Graph, Step};

use super::choose_params;
use super::integer_trial::{Chain, MAX_PRIME_BITS, Network, Trial};
use super::lower::{LowerConfig, Products};
use super::pack::{Packer, Packing};

/// log2 of the ring degrees considered.
const LOG_N: std::ops::RangeInclusive<u32> = 12..=16;

/// Rings considered beyond the smallest that fits.
const MORE_RINGS: usize = 1;

/// Most bits that are looked for to be trained away.
const MOST_BITS_AWAY: u32 = 24;

/// Most plaintext primes.
const MAX_PLAINTEXT_PRIMES: usize = 8;

/// Most special primes.
const MAX_SPECIAL: usize = 3;

/// More special primes change predictions by a tenth at most, more plaintext primes mostly for the worse: neither is tried
/// where the fewest take so much longer than the best.
const NOTABLY: f64 = 1.1;

/// Bits of room for noise that are kept where a modulus is made smaller.
const SLACK: f64 = 0.5;

/// A larger ring must be so much faster to be chosen.
const WORTHWHILE: f64 = 1.03;

/// One set of parameters considered.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerCandidate {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// How ciphertexts are multiplied.
    pub products: Products,
    /// The plaintext primes.
    pub t: Vec<u64>,
    /// Number of message primes.
    pub n_limbs: usize,
    /// Number of special primes.
    pub n_special: usize,
    /// log2 of the whole modulus.
    pub log_qp: f64,
    /// What the ring carries.
    pub max_log_qp: u32,
    /// Predicted seconds for one input on one core; `None` if not secure or not tried.
    pub seconds: Option<f64>,
}

/// The chosen plan with everything that was considered.
pub struct FoundIntegers {
    /// The plan, optimised.
    pub plan: Plan,
    /// Its packing.
    pub packing: Packing,
    /// Parameters considered; the chosen ones first.
    pub candidates: Vec<IntegerCandidate>,
    /// How many bits fewer would make the plan notably cheaper, and with which parameters.
    pub worth_training_away: Option<(u32, IntegerCandidate)>,
}

/// Finds the cheapest secure plan whose plaintext modulus has at least `width` bits.
///
/// # Errors
/// If there is none.
pub fn search_integers(
    graph: &Graph,
    width: f64,
    config: &Config,
    lower_config: &LowerConfig<'_>,
) -> Result<FoundIntegers, CompileError> {
    let packer = RefCell::new(Packer::new(graph));
    let network = Network { graph, config, lower_config, packer: &packer };
    let rings: Vec<u32> = config.log_n.map_or(LOG_N.collect(), |log_n| vec![log_n]);
    let multiplies = graph.nodes.iter().any(|node| matches!(node.step, Step::Mul(..)));
    let kinds = if multiplies { &[Products::Own, Products::Bgv][..] } else { &[Products::Own] };
    let mut found = Found { candidates: vec![], best: None };
    let mut rings_left = MORE_RINGS + 1;
    let mut trials = vec![];
    for log_n in rings {
        let mut fits = false;
        for &products in kinds {
            let Some(mut trial) = Trial::new(network, (log_n, products))? else { continue };
            fits |= found.search_ring(network, width, &mut trial)?;
            trials.push(trial);
        }
        rings_left -= usize::from(fits);
        if rings_left == 0 {
            break;
        }
    }
    let Found { candidates, best } = found;
    let Some(Built { plan, packing, .. }) = best else {
        let log_n = config.log_n.unwrap_or(*LOG_N.end());
        return Err(CompileError::TooWide { width, log_n, security: config.security.bits() });
    };
    let worth_training_away = worth_training_away(&mut trials, width, &candidates[0], config);
    Ok(FoundIntegers { plan, packing, candidates, worth_training_away })
}

/// What was considered so far.
struct Found {
    /// The best one first.
    candidates: Vec<IntegerCandidate>,
    best: Option<Built>,
}

/// A plan, and how many bits more of noise would fit.
struct Built {
    plan: Plan,
    packing: Packing,
    room: f64,
}

impl Found {
    /// Tries numbers of plaintext and special primes for one ring and kind of product; whether any do.
    fn search_ring(
        &mut self,
        network: Network<'_>,
        width: f64,
        trial: &mut Trial,
    ) -> Result<bool, CompileError> {
        let config = network.config;
        let mut least = f64::INFINITY;
        for n_primes in 1..=MAX_PLAINTEXT_PRIMES {
            let Some(t) = plaintext_primes(width, n_primes, trial.log_n) else { continue };
            let Some(mut chain) = trial.chain(t) else { continue };
            // Seconds with the fewest special primes that are secure; infinite where noise does not fit after all.
            let mut first = None;
            for n_special in 1..=MAX_SPECIAL {
                let promising = first.is_none_or(|first| first < NOTABLY * self.seconds());
                let Some(params) = trial.params(&chain, n_special, config.security) else {
                    continue;
                };
                let Some(candidate) = IntegerCandidate::new(&params, trial.products) else {
                    continue;
                };
                if !(candidate.is_secure() && promising) {
                    self.candidates.push(candidate);
                    continue;
                }
                let seconds = self.try_params(network, trial, &mut chain, params)?;
                first.get_or_insert(seconds);
            }
            let Some(first) = first.filter(|seconds| seconds.is_finite()) else { continue };
            if first > NOTABLY * least {
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
        network: Network<'_>,
        trial: &Trial,
        chain: &mut Chain,
        params: Params,
    ) -> Result<f64, CompileError> {
        let (n_limbs, n_special) = (params.q.len(), params.p.len());
        let Some(built) = build(network, trial, chain, params)? else {
            return Ok(f64::INFINITY);
        };
        let costs = &network.config.costs;
        let mut tight = chain.tightened(built.room - SLACK);
        let seconds = self.add(trial.products, costs, built);
        let params = trial.params(&tight, n_special, network.config.security);
        if let Some(params) = params.filter(|params| params.q.len() < n_limbs)
            && let Some(built) = build(network, trial, &mut tight, params)?
        {
            self.add(trial.products, costs, built);
        }
        Ok(seconds)
    }

    /// Predicted seconds of the best plan.
    fn seconds(&self) -> f64 {
        let best = self.candidates.first().filter(|_| self.best.is_some());
        best.and_then(|candidate| candidate.seconds).unwrap_or(f64::INFINITY)
    }

    /// Adds a plan, and returns its predicted seconds.
    fn add(&mut self, products: Products, costs: &Costs, built: Built) -> f64 {
        let plan = &built.plan;
        // Of one input: larger rings hold larger batches.
        let seconds = cost::repeated_seconds(costs, plan) / plan.batch as f64;
        let Some(candidate) = IntegerCandidate::new(&plan.params, products) else { return seconds };
        let candidate = IntegerCandidate { seconds: Some(seconds), ..candidate };
        // Larger rings take more memory.
        let is_larger = self.candidates.first().is_some_and(|best| best.log_n < candidate.log_n);
        let worthwhile = if is_larger { WORTHWHILE } else { 1.0 };
        if worthwhile * seconds < self.seconds() {
            self.candidates.insert(0, candidate);
            self.best = Some(built);
        } else {
            self.candidates.push(candidate);
        }
        seconds
    }
}

/// The fewest bits by which results must be narrower for parameters that cost at least a fifth less.
fn worth_training_away(
    trials: &mut [Trial],
    width: f64,
    chosen: &IntegerCandidate,
    config: &Config,
) -> Option<(u32, IntegerCandidate)> {
    (1..=MOST_BITS_AWAY).find_map(|bits| {
        let alike = trials.iter_mut().filter(|trial| trial.products == chosen.products);
        let narrower = alike.flat_map(|trial| {
            let primes = 1..=chosen.t.len();
            primes
                .filter_map(|n_primes| {
                    let t = plaintext_primes(width - f64::from(bits), n_primes, trial.log_n)?;
                    let chain = trial.chain(t)?;
                    let params = trial.params(&chain, chosen.n_special, config.security)?;
                    let candidate = IntegerCandidate::new(&params, trial.products)?;
                    (candidate.is_secure() && candidate.work() < 0.8 * chosen.work())
                        .then_some(candidate)
                })
                .collect::<Vec<_>>()
        });
        let cheapest = narrower.min_by(|a, b| a.work().total_cmp(&b.work()));
        cheapest.map(|candidate| (bits, candidate))
    })
}

impl IntegerCandidate {
    /// Parameters not tried yet; `None` for rings that the security table does not know.
    fn new(params: &Params, products: Products) -> Option<IntegerCandidate> {
        Some(IntegerCandidate {
            log_n: params.log_n,
            products,
            t: params.t.clone(),
            n_limbs: params.q.len(),
            n_special: params.p.len(),
            log_qp: params.log_qp(),
            max_log_qp: max_log_qp(params.log_n, params.security)?,
            seconds: None,
        })
    }

    /// Whether the ring carries the modulus at the security wanted.
    pub fn is_secure(&self) -> bool {
        self.log_qp <= f64::from(self.max_log_qp)
    }

    /// What costs are nearly proportional to: limbs times digits of all plaintext primes.
    fn work(&self) -> f64 {
        let limbs = self.n_limbs as f64;
        let digits = (limbs / self.n_special as f64).ceil();
        f64::from(self.log_n).exp2() * self.t.len() as f64 * (limbs + 1.0) * (digits + 1.0)
    }
}

/// Bits that a modulus is widened by at least: primes have no smaller steps.
const LEAST_ROOM: f64 = 0.25;

/// Times that room is made for noise that does not fit, twice as much each time.
const MAKE_ROOM: i32 = 6;

/// The plan for some parameters. Where the noise does not fit after all, since with fewer primes other layouts are best, it is
/// given the room that it lacks, or more where primes are still dropped too early; `None` if that is not enough, or not
/// secure.
fn build(
    network: Network<'_>,
    trial: &Trial,
    chain: &mut Chain,
    mut params: Params,
) -> Result<Option<Built>, CompileError> {
    let (mut levels, mut lacking) = (vec![], 0.0);
    for attempt in 0..=MAKE_ROOM {
        let next = trial.levels(network.graph, chain, &params);
        if next != levels {
            levels = next;
            let (plan, packing) = network.lowered((params.clone(), trial.products), &levels)?;
            let noise = noise::analyse_exact(&plan);
            let left = plan.output_values().map(|v| noise::budget(&plan, v, noise[v.index()]));
            let left = left.fold(f64::INFINITY, f64::min);
            if left >= 0.0 {
                return Ok(Some(Built { plan, packing, room: left }));
            }
            lacking = -left;
        }
        chain.add_room(lacking * f64::from(attempt).exp2(), trial.products);
        // Keeping primes for longer is cheaper than larger ones, but does not help where none are dropped.
        if attempt > 0 && trial.products == Products::Own {
            chain.widen(lacking.max(LEAST_ROOM));
        }
        let wider = trial.params(chain, params.p.len(), network.config.security);
        let Some(wider) = wider.filter(choose_params::is_secure) else { return Ok(None) };
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
