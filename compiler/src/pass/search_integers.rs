//! Chooses plaintext primes, ring and modulus for a network over integers: the cheapest whose noise fits.
//!
//! Noise depends on the plaintext primes much more than on the modulus. So a packed network is lowered once for each ring
//! with a modulus that is too large, its noise is read off for each number of plaintext primes, and the modulus that
//! holds it follows. Where noise has outgrown the rounding of a switch by a prime, that prime is dropped on the way.

use hecc_grammar::cost;
use hecc_grammar::noise::{self, ConstantSizes, EXACT_TAIL, HEADROOM_BITS};
use hecc_grammar::plan::{Params, Plan, Scheme, is_prime};
use hecc_grammar::security::{Security, max_log_qp};

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::{Graph, Step};
use crate::ladder::Ladder;

use super::choose_params::prime_near;
use super::lower::{LowerConfig, lower};
use super::pack::{PackConfig, Packing, pack, pack_batch};
use super::search::optimise;

/// log2 of the ring degrees considered.
const LOG_N: std::ops::RangeInclusive<u32> = 12..=16;

/// Rings considered beyond the smallest that fits.
const MORE_RINGS: usize = 1;

/// Most bits that are looked for to be trained away.
const MOST_BITS_AWAY: u32 = 24;

/// Most plaintext primes.
const MAX_PLAINTEXT_PRIMES: usize = 8;

/// Largest primes.
const MAX_PRIME_BITS: f64 = 49.9;

/// Most special primes.
const MAX_SPECIAL: usize = 3;

/// Limbs of the modulus that noise is first analysed for.
const TRIAL_LIMBS: usize = 16;

/// More special primes change predictions by a tenth at most, more plaintext primes mostly for the worse: neither is tried
/// where the fewest take so much longer than the best.
const NOTABLY: f64 = 1.1;

/// A prime is dropped when the noise divided by it still exceeds rounding by so many bits.
const DROP_MARGIN: f64 = 3.0;

/// One set of parameters considered.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerCandidate {
    /// log2 of the ring degree.
    pub log_n: u32,
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

/// A ring with the network packed and lowered for it, to read its noise off.
struct Trial {
    log_n: u32,
    plan: Plan,
    sizes: ConstantSizes,
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
    let rings: Vec<u32> = config.log_n.map_or(LOG_N.collect(), |log_n| vec![log_n]);
    let mut found = Found { candidates: vec![], best: None };
    let mut rings_left = MORE_RINGS + 1;
    let mut trials = vec![];
    for log_n in rings {
        let mut trial = Trial::new(graph, config, lower_config, log_n)?;
        let mut least = f64::INFINITY;
        for n_primes in 1..=MAX_PLAINTEXT_PRIMES {
            let Some(t) = plaintext_primes(width, n_primes, log_n) else { continue };
            trial.plan.params.t = t;
            let noise = trial.noise();
            // Seconds with the fewest special primes that are secure; infinite where noise does not fit after all.
            let mut first = None;
            for n_special in 1..=MAX_SPECIAL {
                let Some((mut candidate, params)) = trial.candidate(&noise, n_special, config)
                else {
                    continue;
                };
                let promising = first.is_none_or(|first| first < NOTABLY * found.seconds());
                if !(candidate.is_secure() && promising) {
                    found.candidates.push(candidate);
                    continue;
                }
                let levels = levels(graph, &noise, &params);
                let built = build(graph, config, lower_config, (params, &levels))?;
                // Of one input: larger rings hold larger batches.
                let seconds =
                    |plan: &Plan| cost::plan_seconds(&config.costs, plan) / plan.batch as f64;
                candidate.seconds = built.as_ref().map(|(plan, _)| seconds(plan));
                first.get_or_insert(candidate.seconds.unwrap_or(f64::INFINITY));
                if let Some(built) = built {
                    found.add(candidate, built);
                }
            }
            let Some(first) = first.filter(|seconds| seconds.is_finite()) else { continue };
            if first > NOTABLY * least {
                break;
            }
            least = least.min(first);
        }
        trials.push(trial);
        rings_left -= usize::from(least < f64::INFINITY);
        if rings_left == 0 {
            break;
        }
    }
    let Found { candidates, best } = found;
    let Some((plan, packing)) = best else {
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
    best: Option<(Plan, Packing)>,
}

impl Found {
    /// Predicted seconds of the best plan.
    fn seconds(&self) -> f64 {
        let best = self.candidates.first().filter(|_| self.best.is_some());
        best.and_then(|candidate| candidate.seconds).unwrap_or(f64::INFINITY)
    }

    fn add(&mut self, candidate: IntegerCandidate, built: (Plan, Packing)) {
        if candidate.seconds.is_some_and(|seconds| seconds < self.seconds()) {
            self.candidates.insert(0, candidate);
            self.best = Some(built);
        } else {
            self.candidates.push(candidate);
        }
    }
}

impl Trial {
    fn new(
        graph: &Graph,
        config: &Config,
        lower_config: &LowerConfig<'_>,
        log_n: u32,
    ) -> Result<Trial, CompileError> {
        let mut taken = vec![];
        let next = |_| prime_near(MAX_PRIME_BITS, log_n, &mut taken);
        let mut q: Vec<u64> = (0..=TRIAL_LIMBS).filter_map(next).collect();
        q.sort_unstable();
        // The largest is the special one: digits are of one message prime each.
        let p = vec![q.pop().expect("there are primes of 50 bits for every ring")];
        let params = Params {
            scheme: Scheme::Bfv,
            log_n,
            input_level: q.len() - 1,
            q,
            t: vec![2],
            p,
            top_scale: 0.0,
            security: Security::Insecure,
        };
        let levels = vec![params.input_level; graph.nodes.len()];
        let (plan, _) = lowered(graph, config, lower_config, (params, &levels))?;
        let sizes = ConstantSizes::new(&plan);
        Ok(Trial { log_n, plan, sizes })
    }

    /// For each step of the graph, log2 of the deviation of the noise of its result.
    fn noise(&self) -> Vec<f64> {
        let noise = self.sizes.analyse(&self.plan);
        let of_layer = |layer: &hecc_grammar::plan::Layer| {
            layer.slots.iter().map(|(v, _)| noise[v.index()]).fold(f64::NEG_INFINITY, f64::max)
        };
        self.plan.layers.iter().map(of_layer).collect()
    }

    /// The modulus that holds the noise, in as few primes as can be.
    fn candidate(
        &self,
        noise: &[f64],
        n_special: usize,
        config: &Config,
    ) -> Option<(IntegerCandidate, Params)> {
        let (log_n, t) = (self.log_n, self.plan.params.t.clone());
        let log_t = self.plan.params.largest_t().log2();
        let largest = noise.iter().copied().fold(0.0, f64::max);
        let needed = largest + log_t + HEADROOM_BITS + EXACT_TAIL.log2() + 1.0;
        let n_limbs = (needed / MAX_PRIME_BITS).ceil().max(2.0) as usize;
        if n_special > n_limbs {
            return None;
        }
        let bits = (needed / n_limbs as f64).max(f64::from(log_n) + 6.0);
        let mut taken = t.clone();
        let mut near = |count: usize, bits: f64| -> Option<Vec<u64>> {
            (0..count).map(|_| prime_near(bits, log_n, &mut taken)).collect()
        };
        let q = near(n_limbs, bits)?;
        // A little larger than message primes, so that every digit is smaller than their product.
        let p = near(n_special, (bits + 0.3).min(49.99))?;
        let params = Params {
            scheme: Scheme::Bfv,
            log_n,
            input_level: n_limbs - 1,
            q,
            t: t.clone(),
            p,
            top_scale: 0.0,
            security: config.security,
        };
        let max_log_qp = max_log_qp(log_n, config.security)?;
        let log_qp = params.log_qp();
        let seconds = None;
        let candidate =
            IntegerCandidate { log_n, t, n_limbs, n_special, log_qp, max_log_qp, seconds };
        Some((candidate, params))
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
        let narrower = trials.iter_mut().flat_map(|trial| {
            let primes = 1..=chosen.t.len();
            primes
                .filter_map(|n_primes| {
                    trial.plan.params.t =
                        plaintext_primes(width - f64::from(bits), n_primes, trial.log_n)?;
                    let (candidate, _) =
                        trial.candidate(&trial.noise(), chosen.n_special, config)?;
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

/// The level of each step's result: primes are dropped as soon as noise allows.
fn levels(graph: &Graph, noise: &[f64], params: &Params) -> Vec<usize> {
    let floor = noise::rounding_variance(params, 1).log2() / 2.0 + DROP_MARGIN;
    let dropped =
        |level: usize| -> f64 { (level + 1..params.q.len()).map(|limb| params.log_q(limb)).sum() };
    let mut levels: Vec<usize> = vec![];
    for id in graph.ids() {
        let step = &graph.node(id).step;
        let operands = step.operands();
        let mut level = operands.iter().map(|x| levels[x.0]).min().unwrap_or(params.input_level);
        let drops = !matches!(step, Step::Input(_));
        while drops && level > 0 && noise[id.0] - dropped(level - 1) > floor {
            level -= 1;
        }
        levels.push(level);
    }
    levels
}

/// The plan for some parameters; `None` if its noise does not fit after all.
fn build(
    graph: &Graph,
    config: &Config,
    lower_config: &LowerConfig<'_>,
    (params, levels): (Params, &[usize]),
) -> Result<Option<(Plan, Packing)>, CompileError> {
    let (plan, packing) = lowered(graph, config, lower_config, (params, levels))?;
    let noise = noise::analyse_exact(&plan);
    let fits = plan.output_values().all(|v| noise::budget(&plan, v, noise[v.index()]) >= 0.0);
    Ok(fits.then_some((plan, packing)))
}

fn lowered(
    graph: &Graph,
    config: &Config,
    lower_config: &LowerConfig<'_>,
    (params, levels): (Params, &[usize]),
) -> Result<(Plan, Packing), CompileError> {
    // The packing counts levels of results that are one below where they are computed.
    let below = |id: crate::graph::NodeId| {
        let operands = graph.node(id).step.operands();
        operands.iter().map(|x| levels[x.0]).min().unwrap_or(levels[id.0]).saturating_sub(1)
    };
    let packed_levels: Vec<usize> = graph.ids().map(below).collect();
    let pack_config = PackConfig {
        log_n: params.log_n,
        n_special: params.p.len(),
        levels: &packed_levels,
        n_lowest: 1,
        costs: &config.costs,
    };
    let packing = if config.batch { pack_batch(graph) } else { pack(graph, pack_config)? };
    let ladder = Ladder::new(params, 1);
    let lower_config = LowerConfig { ladder, levels, ..lower_config.clone() };
    let plan = optimise(&lower(graph, &packing, &lower_config)?)?;
    Ok((plan, packing))
}

/// The smallest `count` primes ≡ 1 mod 2N of nearly equal size whose product has `width` bits; `None` if they would be too
/// large, or too small to be of use.
fn plaintext_primes(width: f64, count: usize, log_n: u32) -> Option<Vec<u64>> {
    let step = 2u64 << log_n;
    let bits = width / count as f64;
    if bits > MAX_PRIME_BITS - 1.0 || (count > 1 && bits < f64::from(log_n) + 1.0) {
        return None;
    }
    let first = (bits.exp2() as u64).div_ceil(step).max(1);
    let candidates = (first..).map(|k| k * step + 1).filter(|&n| is_prime(n));
    Some(candidates.take(count).collect())
}
