//! Chooses stages, prime sizes and special primes: the fastest secure bootstrapping parameters that are precise enough.

use hecc_grammar::cost::{Costs, key_bytes, plan_seconds};
use hecc_grammar::noise;
use hecc_grammar::plan::{Plan, TypeError, VerifiedPlan};
use hecc_grammar::security::{Security, max_log_qp};
use rayon::prelude::*;

use super::failure::least_bound;
use super::sine::Sine;
use super::{BootstrapParams, Chain, Recovered, probe};

/// So many standard deviations are taken for the largest error among the slots.
const LARGEST_DEVIATIONS: f64 = 6.5;

/// Degree in 2y² − 1 and doublings, in the order of levels: 7, 7 and 8. Where q_0 is taken away 13 times the sine is exact to 12, 24 and
/// 39 bits.
const SINES: [(usize, usize); 3] = [(15, 2), (31, 1), (15, 3)];

/// Primes of the sine are between these many bits.
const SINE_BITS: (f64, f64) = (30.0, 49.7);

/// Primes of the sine may give so many bits more than are wanted.
const SINE_STEP: f64 = 0.25;

/// log2 of q_0 over messages, less half the bits of precision: the sine's distortion, 6.6/ratio², is a third of the error then. Of
/// the rest, noise in proportion to the ratio, most is left then.
const RATIO_MARGIN: f64 = 2.15;

/// log2 of the smallest primes of a transform over what its precision asks for.
const TRANSFORM_MARGIN: f64 = 17.0;

/// By how many bits primes of CoeffsToSlots are smaller than those of the sine, and where that does.
const SMALLER_TRANSFORM: (f64, f64) = (1.5, 3.0);

/// What takes up to so many times as long as the fastest is as good.
const NEARLY: f64 = 1.01;

/// By how many bits scales that are tried are above the smallest that is enough for bootstrapping.
const LARGER_SCALES: [f64; 3] = [1.0, 2.0, 4.0];

/// log2 of the largest primes of CoeffsToSlots.
const MOST_TRANSFORM_BITS: f64 = 48.0;

/// By how much the smallest scale, and smaller primes of CoeffsToSlots, may lower the precision.
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
    let considered = fastest_first(wish, costs).into_iter();
    considered.filter_map(|(chain, _)| consider(wish, chain, costs)).collect()
}

/// The fastest secure parameters with the wanted precision.
pub fn fastest(wish: &Wish, costs: &Costs) -> Option<Considered> {
    let mut considered = fastest_first(wish, costs).into_iter();
    considered.find_map(|(chain, _)| consider(wish, chain, costs))
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
        None => (Recovered::Message, wish.bits / 2.0 + RATIO_MARGIN),
        Some(ratio) => (Recovered::Sine, ratio.log2()),
    };
    let sine = |(degree, doublings)| {
        let parameters = BootstrapParams {
            degree,
            doublings,
            overflow_bound: least_bound(wish.failure, wish.log_coefficients()),
            ratio_bits,
            recovered,
            slots_to_coeffs_bits: (wish.bits + TRANSFORM_MARGIN).ceil(),
            ..BootstrapParams::standard(wish.log_n, wish.levels, wish.security)
        };
        let sine = Sine::new(&parameters);
        (parameters, sine)
    };
    let is_exact = |(_, sine): &(_, Sine)| sine.error() < (-wish.bits).exp2();
    SINES.map(sine).into_iter().filter(is_exact).collect()
}

/// Chains that the ring carries, with their predicted seconds.
fn fastest_first(wish: &Wish, costs: &Costs) -> Vec<(Chain, f64)> {
    let sines = sines(wish);
    let stages = (2..=5).flat_map(|to_slots| (2..=4).map(move |to_coeffs| (to_slots, to_coeffs)));
    let stages: Vec<(usize, usize)> = stages.collect();
    let found = stages.par_iter().flat_map_iter(|&(to_slots, to_coeffs)| {
        let mut forms = sines.iter().map(|sine| Form { to_slots, to_coeffs, sine });
        // The first sine that is precise enough takes the fewest levels.
        let found = forms.find_map(|form| Some((form, precise(wish, form, costs)?)));
        found.into_iter().flat_map(|(form, parameters)| {
            parameters.into_iter().flat_map(move |parameters| {
                (1..=MAX_SPECIAL).filter_map(move |n_special| {
                    let parameters = BootstrapParams { n_special, ..parameters.clone() };
                    timed(wish, parameters.chain_with(&form.sine.1)?, costs)
                })
            })
        })
    });
    let mut found: Vec<(Chain, f64)> = found.collect();
    found.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    // Among those that take the same time, keys are smallest with the fewest primes, and layers are most precise with the largest
    // scale.
    let fastest = found.first().map_or(0.0, |(_, seconds)| *seconds);
    let n_nearly = found.partition_point(|(_, seconds)| *seconds <= NEARLY * fastest);
    let n_primes = |chain: &Chain| chain.ladder.params.q.len() + chain.ladder.params.p.len();
    let scale = |chain: &Chain| chain.parameters.scale_bits;
    found[..n_nearly].sort_by(|(a, _), (b, _)| {
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
    let mut bits = SINE_BITS.1;
    let mut spare = gives(&form.parameters(bits)) - wish.bits;
    if spare < 0.0 {
        return None;
    }
    // Errors fall by one bit for each bit of the primes at most, so that this comes from above.
    while spare > SINE_STEP && bits > SINE_BITS.0 {
        bits = (bits - spare).max(SINE_BITS.0);
        spare = gives(&form.parameters(bits)) - wish.bits;
    }
    let is_enough = |parameters: &BootstrapParams| gives(parameters) >= wish.bits - TOLERANCE;
    let first = form.parameters(bits);
    let smaller = BootstrapParams {
        coeffs_to_slots_bits: (bits - SMALLER_TRANSFORM.1).min(MOST_TRANSFORM_BITS),
        ..first.clone()
    };
    let smaller = is_enough(&smaller).then_some(smaller);
    let with_scales = |parameters: BootstrapParams| {
        let scaled = |scale_bits| BootstrapParams { scale_bits, ..parameters.clone() };
        let below = |scale: &f64| *scale < parameters.scale_bits;
        let smallest = scales(wish).take_while(below).map(scaled).find(is_enough);
        let larger =
            smallest.iter().flat_map(|one| LARGER_SCALES.map(|more| one.scale_bits + more));
        let larger: Vec<_> = larger.filter(below).map(scaled).collect();
        std::iter::once(parameters.clone()).chain(smallest).chain(larger).collect::<Vec<_>>()
    };
    Some(std::iter::once(first).chain(smaller).flat_map(with_scales).collect())
}

/// Scales between layers from the smallest on that may be enough.
fn scales(wish: &Wish) -> impl Iterator<Item = f64> + use<> {
    let n = f64::from(wish.log_n).exp2();
    let rounding = (n / 24.0 * (1.0 + n * 2.0 / 3.0)).sqrt();
    let needed = (wish.bits + (LARGEST_DEVIATIONS * rounding).log2() + 1.0).ceil();
    (0..8).map(move |above| needed + f64::from(above))
}

impl Form<'_> {
    /// Parameters with primes of the sine of so many bits, and the largest scale.
    fn parameters(&self, bits: f64) -> BootstrapParams {
        let parameters = BootstrapParams {
            coeffs_to_slots: self.to_slots,
            slots_to_coeffs: self.to_coeffs,
            sine_bits: bits,
            coeffs_to_slots_bits: (bits - SMALLER_TRANSFORM.0).min(MOST_TRANSFORM_BITS),
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
    -(LARGEST_DEVIATIONS * largest + chain.sine.error()).log2()
}

/// The chain with its predicted seconds, if the ring carries it.
fn timed(wish: &Wish, chain: Chain, costs: &Costs) -> Option<(Chain, f64)> {
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

#[cfg(test)]
mod tests {
    use hecc_grammar::cost::DEFAULT;

    use super::*;

    fn wish(levels: usize) -> Wish {
        Wish {
            log_n: 15,
            log_slots: 14,
            n_values: 1,
            levels,
            bits: 10.0,
            sine: None,
            failure: -52.0,
            security: Security::Bits128,
        }
    }

    #[test]
    fn few_bits_take_few_levels_and_small_primes() {
        let find = |sine| fastest(&Wish { sine, ..wish(4) }, &DEFAULT).expect("there are some");
        let (message, sine) = (find(None), find(Some(4.0)));
        for (found, degree, most_bits) in [(&message, 31, 42.0), (&sine, 15, 37.5)] {
            let BootstrapParams { degree: chosen, overflow_bound, sine_bits, .. } =
                found.chain.parameters;
            assert_eq!((chosen, overflow_bound), (degree, 13));
            assert!(sine_bits < most_bits && found.bits > 10.0 - TOLERANCE, "{found:?}");
            assert!(found.chain.log2_failure(wish(4).log_coefficients()) <= wish(4).failure);
        }
        assert!(sine.seconds < 0.95 * message.seconds, "{}, {}", sine.seconds, message.seconds);
    }
}
