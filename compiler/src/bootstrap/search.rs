//! Chooses stages, prime sizes and special primes: the fastest secure bootstrapping parameters that are precise enough.

use hecc_grammar::cost::{Costs, key_bytes, plan_seconds};
use hecc_grammar::noise;
use hecc_grammar::plan::{Plan, TypeError, VerifiedPlan};
use hecc_grammar::security::{Security, max_log_qp};
use rayon::prelude::*;

use super::failure::least_bound;
use super::sine::Sine;
use super::{BootstrapParams, Chain, Recovered, probe};
use crate::limits;

/// What a bootstrap is wanted for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the number of slots that hold different values.
    pub log_slots: u32,
    /// How many values are bootstrapped together, one or two.
    pub n_values: usize,
    /// Levels of the result.
    pub levels: usize,
    /// −log2 of the largest error.
    pub bits: f64,
    /// If results are to be sines, the period of messages.
    pub sine: Option<f64>,
    /// log2 of the probability that it may fail with.
    pub failure: f64,
    /// Security to promise.
    pub security: Security,
}

impl Wish {
    /// Coefficients that are raised in one bootstrap, log2.
    fn log_coefficients(&self) -> f64 {
        f64::from(self.log_slots) + (self.n_values as f64).log2()
    }
}

/// Bootstrapping parameters that were considered.
#[derive(Clone, Debug)]
pub struct Considered {
    /// Primes and scales.
    pub chain: Chain,
    /// Predicted seconds on one core.
    pub seconds: f64,
    /// Predicted bits of precision.
    pub bits: f64,
    /// Bytes of the evaluation keys in memory.
    pub key_bytes: u64,
}

/// Secure bootstrapping parameters with the wanted precision, the fastest first.
pub fn search(wish: &Wish, costs: &Costs) -> Vec<Considered> {
    let promised = fastest_first(wish, costs).into_iter();
    promised.filter_map(|promise| consider(wish, promise, costs)).collect()
}

/// The fastest secure parameters with the wanted precision.
pub fn fastest(wish: &Wish, costs: &Costs) -> Option<Considered> {
    let mut promised = fastest_first(wish, costs).into_iter();
    promised.find_map(|promise| consider(wish, promise, costs))
}

/// Secure bootstrapping parameters with the wanted precision of which no faster ones have keys as small, the fastest first: more
/// stages of transforms have fewer rotations, more special primes fewer digits.
pub fn efficient(wish: &Wish, costs: &Costs) -> Vec<Considered> {
    let mut least = u64::MAX;
    let mut found = vec![];
    for promise in fastest_first(wish, costs) {
        if promise.key_bytes < least
            && let Some(considered) = consider(wish, promise, costs)
        {
            least = considered.key_bytes;
            found.push(considered);
        }
    }
    found
}

/// A chain that the ring carries, with what plans for it take.
struct Promise {
    chain: Chain,
    seconds: f64,
    key_bytes: u64,
}

/// The form of a bootstrap: stages of CoeffsToSlots and of SlotsToCoeffs, and the sine.
#[derive(Clone, Copy)]
struct Form<'a> {
    to_slots: usize,
    to_coeffs: usize,
    sine: &'a (BootstrapParams, Sine),
}

/// Parameters of the sines for a wish, no primes yet.
fn sines(wish: &Wish) -> Vec<(BootstrapParams, Sine)> {
    let (recovered, ratio_bits) = match wish.sine {
        None => (Recovered::Message, wish.bits / 2.0 + limits::RATIO_MARGIN),
        Some(ratio) => (Recovered::Sine, ratio.log2()),
    };
    let sine = |(degree, doublings)| {
        let parameters = BootstrapParams {
            degree,
            doublings,
            overflow_bound: least_bound(wish.failure, wish.log_coefficients()),
            ratio_bits,
            recovered,
            slots_to_coeffs_bits: (wish.bits + limits::TRANSFORM_MARGIN).ceil(),
            ..BootstrapParams::standard(wish.log_n, wish.levels, wish.security)
        };
        let sine = Sine::new(&parameters);
        (parameters, sine)
    };
    let is_exact = |(_, sine): &(_, Sine)| sine.error() < (-wish.bits).exp2();
    limits::BOOTSTRAP_SINES.map(sine).into_iter().filter(is_exact).collect()
}

/// Chains that the ring carries, by their predicted seconds.
fn fastest_first(wish: &Wish, costs: &Costs) -> Vec<Promise> {
    let sines = sines(wish);
    let stages = (2..=5).flat_map(|to_slots| (2..=4).map(move |to_coeffs| (to_slots, to_coeffs)));
    let stages: Vec<(usize, usize)> = stages.collect();
    let found = stages.par_iter().flat_map_iter(|&(to_slots, to_coeffs)| {
        let mut forms = sines.iter().map(|sine| Form { to_slots, to_coeffs, sine });
        // The first sine that is precise enough takes the fewest levels.
        let found = forms.find_map(|form| Some((form, precise(wish, form, costs)?)));
        found.into_iter().flat_map(|(form, parameters)| {
            parameters.into_iter().flat_map(move |parameters| {
                (1..=limits::BOOTSTRAP_SPECIAL_PRIMES).filter_map(move |n_special| {
                    let parameters = BootstrapParams { n_special, ..parameters.clone() };
                    timed(wish, parameters.chain_with(&form.sine.1)?, costs)
                })
            })
        })
    });
    let mut found: Vec<Promise> = found.collect();
    found.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    // Among those that take the same time, keys are smallest with the fewest primes, and layers are most precise with the largest
    // scale.
    let fastest = found.first().map_or(0.0, |first| first.seconds);
    let n_nearly = found.partition_point(|one| one.seconds <= limits::AS_FAST * fastest);
    let n_primes = |chain: &Chain| chain.ladder.params.q.len() + chain.ladder.params.p.len();
    let scale = |chain: &Chain| chain.parameters.scale_bits;
    found[..n_nearly].sort_by(|Promise { chain: a, .. }, Promise { chain: b, .. }| {
        n_primes(a).cmp(&n_primes(b)).then_with(|| scale(b).total_cmp(&scale(a)))
    });
    found
}

/// The bootstrapping parameters with the smallest primes of the sine that give the precision: with the largest scale between
/// layers, with the smallest and some above it; with primes of CoeffsToSlots that are smaller yet, if these do.
fn precise(wish: &Wish, form: Form<'_>, costs: &Costs) -> Option<Vec<BootstrapParams>> {
    let gives = |parameters: &BootstrapParams| {
        let chain = parameters.chain_with(&form.sine.1);
        chain.and_then(|chain| predicted_bits(wish, &chain, costs)).unwrap_or(0.0)
    };
    let mut bits = limits::BOOTSTRAP_SINE_BITS.1;
    let mut spare = gives(&form.parameters(bits)) - wish.bits;
    if spare < 0.0 {
        return None;
    }
    // Errors fall by one bit for each bit of the primes at most, so that this comes from above.
    while spare > limits::SPARE_SINE_BITS && bits > limits::BOOTSTRAP_SINE_BITS.0 {
        bits = (bits - spare).max(limits::BOOTSTRAP_SINE_BITS.0);
        spare = gives(&form.parameters(bits)) - wish.bits;
    }
    let is_enough =
        |parameters: &BootstrapParams| gives(parameters) >= wish.bits - limits::BOOTSTRAP_TOLERANCE;
    let first = form.parameters(bits);
    let smaller = BootstrapParams {
        coeffs_to_slots_bits: (bits - limits::SMALLER_TRANSFORM.1).min(limits::MOST_TRANSFORM_BITS),
        ..first.clone()
    };
    let smaller = is_enough(&smaller).then_some(smaller);
    let with_scales = |parameters: BootstrapParams| {
        let scaled = |scale_bits| BootstrapParams { scale_bits, ..parameters.clone() };
        let below = |scale: &f64| *scale < parameters.scale_bits;
        let smallest = scales(wish).take_while(below).map(scaled).find(is_enough);
        let larger =
            smallest.iter().flat_map(|one| limits::LARGER_SCALES.map(|more| one.scale_bits + more));
        let larger: Vec<_> = larger.filter(below).map(scaled).collect();
        std::iter::once(parameters.clone()).chain(smallest).chain(larger).collect::<Vec<_>>()
    };
    Some(std::iter::once(first).chain(smaller).flat_map(with_scales).collect())
}

/// Scales between layers from the smallest on that may be enough.
fn scales(wish: &Wish) -> impl Iterator<Item = f64> + use<> {
    let n = f64::from(wish.log_n).exp2();
    let rounding = (n / 24.0 * (1.0 + n * 2.0 / 3.0)).sqrt();
    let needed = (wish.bits + (limits::DEVIATIONS_OF_BOOTSTRAPS * rounding).log2() + 1.0).ceil();
    (0..8).map(move |above| needed + f64::from(above))
}

impl Form<'_> {
    /// Parameters with primes of the sine of so many bits, and the largest scale.
    fn parameters(&self, bits: f64) -> BootstrapParams {
        let parameters = BootstrapParams {
            coeffs_to_slots: self.to_slots,
            slots_to_coeffs: self.to_coeffs,
            sine_bits: bits,
            coeffs_to_slots_bits: (bits - limits::SMALLER_TRANSFORM.0)
                .min(limits::MOST_TRANSFORM_BITS),
            ..self.sine.0.clone()
        };
        BootstrapParams { scale_bits: parameters.max_scale(), ..parameters }
    }
}

fn plan_of(wish: &Wish, chain: &Chain, costs: &Costs) -> Result<Plan, TypeError> {
    probe(chain, wish.log_slots, wish.n_values, wish.levels, costs)
}

fn predicted_bits(wish: &Wish, chain: &Chain, costs: &Costs) -> Option<f64> {
    let plan = plan_of(wish, chain, costs).ok()?;
    Some(bits_of(&plan, chain))
}

/// −log2 of the largest error of the results of a [`probe`], in message units.
pub fn bits_of(plan: &Plan, chain: &Chain) -> f64 {
    let errors = noise::analyze(plan);
    let deviations = plan.output_values().map(|value| errors[value.index()].total);
    let largest = deviations.fold(0.0, f64::max) * chain.unit();
    -(limits::DEVIATIONS_OF_BOOTSTRAPS * largest + chain.sine.error()).log2()
}

/// The chain with what it takes, if the ring carries it.
fn timed(wish: &Wish, chain: Chain, costs: &Costs) -> Option<Promise> {
    let params = &chain.ladder.params;
    let allowed = max_log_qp(params.log_n, params.security)?;
    if params.log_qp() > f64::from(allowed) {
        return None;
    }
    let plan = plan_of(wish, &chain, costs).ok()?;
    let (seconds, key_bytes) = (plan_seconds(costs, &plan), key_bytes(&plan));
    Some(Promise { chain, seconds, key_bytes })
}

/// All that is known of a chain, if plans for it keep their promises.
fn consider(wish: &Wish, promise: Promise, costs: &Costs) -> Option<Considered> {
    let Promise { chain, seconds, key_bytes } = promise;
    let plan = plan_of(wish, &chain, costs).ok()?;
    let bits = bits_of(&plan, &chain);
    VerifiedPlan::new(plan).ok()?;
    Some(Considered { chain, seconds, bits, key_bytes })
}
