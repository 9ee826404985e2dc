//! The sizes of moduli.

use crate::plan::{LimbSet, Params, fewest_special};

/// What noise depends on of parameters: the ring degree, and how large moduli are. They are a plan's primes, or what primes are
/// yet to be chosen for.
#[derive(Clone, Debug)]
pub struct Moduli {
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// log2 of the modulus of each limb.
    pub log_q: Vec<f64>,
    /// log2 of each special modulus. A digit holds as many limbs.
    pub log_p: Vec<f64>,
    /// The least plaintext prime; 1 in CKKS.
    pub least_t: f64,
    /// The largest plaintext prime, what noise is judged by; 1 in CKKS.
    pub largest_t: f64,
}

impl Moduli {
    /// Those of a plan's primes.
    pub fn of(params: &Params) -> Moduli {
        let moduli = Moduli {
            log_n: params.log_n,
            log_q: (0..params.q.len()).map(|limb| params.log_q(limb)).collect(),
            log_p: params.p.iter().map(|&prime| (prime as f64).log2()).collect(),
            least_t: 1.0,
            largest_t: 1.0,
        };
        moduli.with_plaintext_primes(params.t())
    }

    /// The same with other plaintext primes.
    pub fn with_plaintext_primes(self, t: &[u64]) -> Moduli {
        let [least_t, largest_t] = [t.iter().min(), t.iter().max()];
        let size = |t: Option<&u64>| t.map_or(1.0, |&t| t as f64);
        Moduli { least_t: size(least_t), largest_t: size(largest_t), ..self }
    }

    /// The ring degree N.
    pub(super) fn n(&self) -> f64 {
        f64::from(self.log_n).exp2()
    }

    /// log2 of the product of some limbs.
    pub(super) fn log_product(&self, limbs: LimbSet) -> f64 {
        limbs.iter().map(|limb| self.log_q[limb]).sum()
    }

    /// log2 of each digit on `limbs`.
    pub(super) fn log_digits(&self, limbs: LimbSet) -> Vec<f64> {
        let width = self.log_p.len();
        let count = if width == 0 { 0 } else { self.log_q.len().div_ceil(width) };
        let digit = |digit: usize| {
            let end = ((digit + 1) * width).min(self.log_q.len());
            LimbSet::range(digit * width, end).intersection(limbs)
        };
        let digits = (0..count).map(digit).filter(|digit| !digit.is_empty());
        digits.map(|digit| self.log_product(digit)).collect()
    }

    /// log2 of the product of the special moduli that a key switch of such digits uses.
    pub(super) fn log_special(&self, log_digits: &[f64]) -> f64 {
        let largest = log_digits.iter().copied().fold(0.0, f64::max);
        self.log_p[..fewest_special(&self.log_p, largest)].iter().sum()
    }
}
