//! The primes of plans with bootstrapping, and what they are for.

use hecc_grammar::plan::{LimbSet, Params, Plaintexts, log2_of};
use hecc_grammar::security::Security;

use crate::ladder::Ladder;
use crate::primes::{prime_near, rescaling_primes};

use super::failure::{NEVER_EXCEEDED, log2_failure};
use super::sine::Sine;

/// log2 of the special primes, the largest: they are around it and above q_0.
const LARGEST_PRIME: f64 = 49.95;

/// What a bootstrap makes of a message m.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// The message: sines of small angles are nearly the angles.
    Message,
    /// `sin(2π·m/ratio)`, for what is fitted through it.
    Sine,
}

/// What a chain of primes with bootstrapping is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct BootstrapParams {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Levels between two bootstraps.
    pub levels: usize,
    /// log2 of the primes that the sine is evaluated with.
    pub sine_bits: f64,
    /// log2 of q_0 over the scale of level 0: how far messages stay below the multiples of q_0.
    pub ratio_bits: f64,
    /// What results are.
    pub recovered: Recovered,
    /// log2 of the scale between layers; at most [`BootstrapParams::max_scale`].
    pub scale_bits: f64,
    /// Degree of the polynomial of the sine, in 2y² − 1.
    pub degree: usize,
    /// How often its angle is doubled.
    pub doublings: usize,
    /// Largest multiple of q_0 that the sine takes away.
    pub overflow_bound: u32,
    /// Stages of SlotsToCoeffs.
    pub slots_to_coeffs: usize,
    /// log2 of their primes.
    pub slots_to_coeffs_bits: f64,
    /// Stages of CoeffsToSlots.
    pub coeffs_to_slots: usize,
    /// log2 of their primes.
    pub coeffs_to_slots_bits: f64,
    /// Number of special primes.
    pub n_special: usize,
    /// Security to promise.
    pub security: Security,
}

/// Primes in their order: q_0, SlotsToCoeffs, levels, sine, CoeffsToSlots.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// What it was made from.
    pub parameters: BootstrapParams,
    /// All primes, and what the levels between bootstraps mean.
    pub ladder: Ladder,
    pub(super) sine: Sine,
    sine_scale: f64,
}

impl Recovered {
    /// What the sine is multiplied by.
    pub(super) fn gain(self, ratio: f64) -> f64 {
        match self {
            Recovered::Message => ratio / (2.0 * std::f64::consts::PI),
            Recovered::Sine => 1.0,
        }
    }
}

impl BootstrapParams {
    /// Parameters to start from: primes of the sine of 47 bits.
    pub fn standard(log_n: u32, levels: usize, security: Security) -> BootstrapParams {
        let parameters = BootstrapParams {
            log_n,
            levels,
            sine_bits: 47.0,
            ratio_bits: 10.0,
            recovered: Recovered::Message,
            scale_bits: 0.0,
            degree: 15,
            doublings: 3,
            overflow_bound: NEVER_EXCEEDED,
            slots_to_coeffs: 3,
            slots_to_coeffs_bits: 30.0,
            coeffs_to_slots: 3,
            coeffs_to_slots_bits: 46.0,
            n_special: 4,
            security,
        };
        BootstrapParams { scale_bits: parameters.max_scale(), ..parameters }
    }

    /// log2 of the scale that the sine leaves of its own; less where that would make q_0 larger than one prime.
    pub fn max_scale(&self) -> f64 {
        let left = self.sine_bits - self.recovered.gain(self.ratio_bits.exp2()).log2();
        left.min(LARGEST_PRIME - 0.03 - self.ratio_bits)
    }

    /// The chain; `None` if there are too few primes of some size, or too many in all. Security is not judged.
    pub fn chain(&self) -> Option<Chain> {
        self.chain_with(&Sine::new(self))
    }

    /// The chain, where the polynomial of the sine is known.
    pub(super) fn chain_with(&self, sine: &Sine) -> Option<Chain> {
        let (mut taken, log_n) = (vec![], self.log_n);
        let scale = hecc_grammar::plan::round_scale(self.scale_bits);
        let mut primes = |bits: f64, count: usize| -> Option<Vec<u64>> {
            (0..count).map(|_| prime_near(bits, log_n, &mut taken)).collect()
        };
        let mut q = primes(scale + self.ratio_bits, 1)?;
        q.extend(primes(self.slots_to_coeffs_bits, self.slots_to_coeffs)?);
        let of_sine = primes(self.sine_bits, Sine::depth(self))?;
        let transform = primes(self.coeffs_to_slots_bits, self.coeffs_to_slots)?;
        let special = LARGEST_PRIME;
        let mut p = primes(special, self.n_special)?;
        p.sort_unstable();
        q.extend(rescaling_primes(scale, self.levels, log_n, &mut taken)?);
        let input_level = q.len() - 1;
        q.extend(of_sine);
        q.extend(transform);
        if q.len() > LimbSet::MOST {
            return None;
        }
        let (plaintexts, security) = (Plaintexts::Ckks { top_scale: scale }, self.security);
        let params = Params { plaintexts, log_n, q, p, input_level, security };
        let ladder = Ladder::new(params, 1 + self.slots_to_coeffs);
        let (sine, sine_scale) = (sine.clone(), log2_of(self.sine_bits.exp2()));
        Some(Chain { parameters: self.clone(), ladder, sine, sine_scale })
    }
}

impl Chain {
    /// q_0 over the scale of level 0.
    pub fn ratio(&self) -> f64 {
        (self.ladder.params.log_q(0) - self.ladder.scale(0)).exp2()
    }

    /// What messages are multiplied by so that sines of them have the period that was asked for: no prime is q_0 exactly.
    pub(super) fn to_period(&self) -> f64 {
        match self.parameters.recovered {
            Recovered::Message => 1.0,
            Recovered::Sine => self.ratio() / self.parameters.ratio_bits.exp2(),
        }
    }

    /// Largest argument of the sine before it is divided to be within [−1, 1], in message units.
    pub fn argument_range(&self) -> f64 {
        self.ratio() * self.sine.range()
    }

    /// By how much a message changes where the result does by 1, near 0.
    pub(super) fn unit(&self) -> f64 {
        let ratio = self.ratio();
        ratio / (2.0 * std::f64::consts::PI) / self.parameters.recovered.gain(ratio)
    }

    /// log2 of the probability that bootstraps of so many coefficients in all (log2) fail.
    pub fn log2_failure(&self, log_coefficients: f64) -> f64 {
        log2_failure(self.parameters.overflow_bound, log_coefficients)
    }

    /// log2 of the scale that the sine starts at.
    pub fn sine_scale(&self) -> f64 {
        self.sine_scale
    }
}
