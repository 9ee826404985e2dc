//! Ring, primes and scales of a plan, all fixed by the compiler.

use crate::security::Security;

use super::LimbSet;

/// Scales are multiples of this, so that sums of them are exact in `f64` (see [`log2_of`]).
const SCALE_STEP: f64 = 1.0 / (1u64 << 44) as f64;

/// The scheme that a plan's instructions mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Approximate arithmetic on real slots (Cheon, Kim, Kim, Song, ASIACRYPT 2017), in RNS form.
    Ckks,
}

/// Parameters of a plan. `q` and `p` are distinct primes of at most 50 bits, ≡ 1 mod 2N.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// The scheme.
    pub scheme: Scheme,
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// Message primes q_0, q_1, ..; a ciphertext lives on a subset of them.
    pub q: Vec<u64>,
    /// Special primes of key switching. A digit of the gadget decomposition holds as many message primes.
    pub p: Vec<u64>,
    /// log2 of the scale of a fresh ciphertext on all of `q`.
    pub top_scale: f64,
    /// The security that the modulus was chosen for; the verifier holds the plan to it.
    pub security: Security,
}

/// log2 of a positive number, rounded to a multiple of 2^-44: below 256 such numbers add without rounding, which
/// is what lets scales be compared exactly. The rounding is a relative error of 2^-45 in the message.
pub fn log2_of(x: f64) -> f64 {
    round_scale(x.log2())
}

/// Rounds a log2 scale to the grid on which scales are compared.
pub fn round_scale(scale: f64) -> f64 {
    (scale / SCALE_STEP).round() * SCALE_STEP
}

impl Params {
    /// The ring degree N.
    pub fn ring_degree(&self) -> usize {
        1 << self.log_n
    }

    /// The number of slots, N/2.
    pub fn n_slots(&self) -> usize {
        self.ring_degree() / 2
    }

    /// All message primes.
    pub fn all_limbs(&self) -> LimbSet {
        LimbSet::first(self.q.len())
    }

    /// The first `level + 1` message primes: what a ciphertext with `level` levels left lives on.
    pub fn limbs_at(&self, level: usize) -> LimbSet {
        LimbSet::first(level + 1)
    }

    /// Message primes in one digit of the gadget decomposition (α).
    pub fn digit_width(&self) -> usize {
        self.p.len()
    }

    /// The limbs of digit `digit` among `limbs`; may be empty.
    pub fn digit(&self, limbs: LimbSet, digit: usize) -> LimbSet {
        let width = self.digit_width();
        LimbSet::range(digit * width, ((digit + 1) * width).min(self.q.len())).intersection(limbs)
    }

    /// The indices of the digits that are not empty on `limbs` (their count is β).
    pub fn digits(&self, limbs: LimbSet) -> Vec<usize> {
        let count = if self.p.is_empty() { 0 } else { self.q.len().div_ceil(self.digit_width()) };
        (0..count).filter(|&digit| !self.digit(limbs, digit).is_empty()).collect()
    }

    /// log2 of one message prime, on the scale grid.
    pub fn log_q(&self, limb: usize) -> f64 {
        log2_of(self.q[limb] as f64)
    }

    /// The scale of a level: that of inputs which were squared and rescaled down to it. Results of linear maps have it too,
    /// so that what follows meets the primes that were chosen for it.
    pub fn scale_at(&self, level: usize) -> f64 {
        let dropped = (level + 1..self.q.len()).rev();
        dropped.fold(self.top_scale, |scale, limb| 2.0 * scale - self.log_q(limb))
    }

    /// log2 of the product of all message and special primes: what security is judged by.
    pub fn log_qp(&self) -> f64 {
        self.q.iter().chain(&self.p).map(|&prime| (prime as f64).log2()).sum()
    }

    /// log2 of the product of the message primes.
    pub fn log_total_q(&self) -> f64 {
        self.q.iter().map(|&prime| (prime as f64).log2()).sum()
    }
}
