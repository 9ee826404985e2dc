//! Chooses stages, prime sizes and special primes: the fastest secure bootstrapping parameters that are precise enough.

use hecc_grammar::cost::{Costs, key_bytes, plan_seconds};
use hecc_grammar::noise;
use hecc_grammar::plan::{Plan, TypeError, VerifiedPlan};
use hecc_grammar::security::{Security, max_log_qp};
use rayon::prelude::*;

use super::sine::Sine;
use super::{BootstrapParams, Chain, probe};

/// So many standard deviations are taken for the largest error among the slots.
const LARGEST_DEVIATIONS: f64 = 6.5;

/// Degree in 2y² − 1, doublings, and bits of q_0 over messages. The polynomials are exact to 18 and 22 bits; the sine differs
/// from the message by 2^-17.3 for 10 bits over messages, by 2^-16.3 for 9.5.
const SINES: [(usize, usize, f64); 3] = [(15, 3, 10.0), (25, 2, 10.0), (15, 3, 9.5)];

/// Primes of the sine are between these many bits.
const SINE_BITS: (f64, f64) = (42.0, 49.7);

/// log2 of the smallest primes of a transform over what its precision asks for.
const TRANSFORM_MARGIN: f64 = 16.0;

/// By how much the smallest scale may lower the precision.
const TOLERANCE: f64 = 0.1;

/// Most special primes considered.
const MAX_SPECIAL: usize = 12;

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
    /// Security to promise.
    pub security: Security,
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
    let considered = fastest_first(wish, costs).into_iter();
    considered.filter_map(|(chain, _)| consider(wish, chain, costs)).collect()
}

/// The fastest secure parameters with the wanted precision.
pub fn fastest(wish: &Wish, costs: &Costs) -> Option<Considered> {
    let mut considered = fastest_first(wish, costs).into_iter();
    considered.find_map(|(chain, _)| consider(wish, chain, costs))
}

/// Chains that the ring carries, with their predicted seconds.
fn fastest_first(wish: &Wish, costs: &Costs) -> Vec<(Chain, f64)> {
    let stages = (2..=5).flat_map(|to_slots| (2..=4).map(move |to_coeffs| (to_slots, to_coeffs)));
    let shapes: Vec<_> = stages.flat_map(|stages| SINES.map(|sine| (stages, sine))).collect();
    let found = shapes.par_iter().flat_map_iter(|&(stages, sine)| {
        let all = precise(wish, stages, sine, costs);
        all.into_iter().flat_map(|parameters| {
            (1..=MAX_SPECIAL).filter_map(move |n_special| {
                timed(wish, BootstrapParams { n_special, ..parameters.clone() }, costs)
            })
        })
    });
    let mut found: Vec<(Chain, f64)> = found.collect();
    found.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    found
}

/// The bootstrapping parameters with the smallest primes of the sine that give the precision: with the largest scale between
/// layers, and with the smallest.
fn precise(
    wish: &Wish,
    (to_slots, to_coeffs): (usize, usize),
    (degree, doublings, ratio_bits): (usize, usize, f64),
    costs: &Costs,
) -> Vec<BootstrapParams> {
    let params = |bits: f64| {
        let mut parameters = BootstrapParams::standard(wish.log_n, wish.levels, wish.security);
        parameters.coeffs_to_slots = to_slots;
        parameters.slots_to_coeffs = to_coeffs;
        parameters.sine_bits = bits;
        (parameters.degree, parameters.doublings) = (degree, doublings);
        parameters.ratio_bits = ratio_bits;
        parameters.slots_to_coeffs_bits = (wish.bits + TRANSFORM_MARGIN).ceil();
        parameters.coeffs_to_slots_bits = (bits - 1.5).min(48.0);
        parameters.scale_bits = parameters.max_scale();
        parameters
    };
    let gives =
        |parameters: &BootstrapParams| predicted_bits(wish, parameters, costs).unwrap_or(0.0);
    // Errors are proportional to 2^-bits until the sine's own remains.
    let trial = gives(&params(SINE_BITS.1));
    if trial < wish.bits {
        return vec![];
    }
    let mut bits = (SINE_BITS.1 - (trial - wish.bits)).max(SINE_BITS.0);
    while bits < SINE_BITS.1 && gives(&params(bits)) < wish.bits {
        bits += 0.25;
    }
    let largest = params(bits.min(SINE_BITS.1));
    let rounding = {
        let n = f64::from(wish.log_n).exp2();
        (n / 24.0 * (1.0 + n * 2.0 / 3.0)).sqrt()
    };
    let needed = (wish.bits + (LARGEST_DEVIATIONS * rounding).log2() + 1.0).ceil();
    let with_scale = |scale_bits: f64| BootstrapParams { scale_bits, ..largest.clone() };
    let mut scales = (0..8).map(|above| needed + f64::from(above));
    let enough = |&scale: &f64| {
        scale < largest.scale_bits && gives(&with_scale(scale)) >= wish.bits - TOLERANCE
    };
    let smallest = scales.find(enough).map(with_scale);
    std::iter::once(largest.clone()).chain(smallest).collect()
}

fn plan_of(wish: &Wish, chain: &Chain, costs: &Costs) -> Result<Plan, TypeError> {
    probe(chain, wish.log_slots, wish.n_values, wish.levels, costs)
}

fn predicted_bits(wish: &Wish, parameters: &BootstrapParams, costs: &Costs) -> Option<f64> {
    let chain = parameters.chain()?;
    let plan = plan_of(wish, &chain, costs).ok()?;
    Some(bits_of(&plan, &chain))
}

/// −log2 of the largest error of the results of a [`probe`].
pub fn bits_of(plan: &Plan, chain: &Chain) -> f64 {
    let errors = noise::analyze(plan);
    let deviations = plan.output_values().map(|value| errors[value.index()].total);
    let largest = deviations.fold(0.0, f64::max);
    -(LARGEST_DEVIATIONS * largest + Sine::error(&chain.parameters, chain.ratio())).log2()
}

/// The chain of a parameters with its predicted seconds, if the ring carries it.
fn timed(wish: &Wish, parameters: BootstrapParams, costs: &Costs) -> Option<(Chain, f64)> {
    let chain = parameters.chain()?;
    let params = &chain.ladder.params;
    let allowed = max_log_qp(params.log_n, params.security)?;
    if params.log_qp() > f64::from(allowed) {
        return None;
    }
    let seconds = plan_seconds(costs, &plan_of(wish, &chain, costs).ok()?);
    Some((chain, seconds))
}

/// All that is known of a chain, if plans for it keep their promises.
fn consider(wish: &Wish, chain: Chain, costs: &Costs) -> Option<Considered> {
    let plan = plan_of(wish, &chain, costs).ok()?;
    let (seconds, bits) = (plan_seconds(costs, &plan), bits_of(&plan, &chain));
    let key_bytes = key_bytes(&plan);
    VerifiedPlan::new(plan).ok()?;
    Some(Considered { chain, seconds, bits, key_bytes })
}
