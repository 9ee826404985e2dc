//! Where the client's and the server's part of a plan meet: keys and ciphertexts.

use super::{Key, KeyUse, LimbSet, Params, VerifiedPlan};

/// All that the files of a plan's keys and ciphertexts depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// Ring, primes, scales.
    pub params: Params,
    /// How many inputs one run takes.
    pub batch: usize,
    /// Number of ciphertexts that the client sends for each plaintext prime.
    pub n_inputs: usize,
    /// The exact evaluation keys, in ascending order.
    pub keys: Vec<KeyUse>,
    /// The ciphertexts that come back for each plaintext prime, all on the ciphertext-modulus primes and of degree 1.
    pub results: Vec<ResultType>,
}

/// What a ciphertext of a result is like.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultType {
    /// The primes that it is on.
    pub limbs: LimbSet,
    /// log2 of its scale.
    pub scale: f64,
    /// BFV: what its message is multiplied by, modulo each plaintext prime.
    pub correction_factors: Vec<u64>,
}

impl Interface {
    /// How many runs some inputs take.
    pub fn n_runs(&self, n_examples: usize) -> usize {
        n_examples.div_ceil(self.batch)
    }

    /// log2 of the modulus of the key that is published under the sparse ephemeral secret, if the plan bootstraps.
    pub fn ephemeral_log_qp(&self) -> Option<f64> {
        ephemeral_log_qp(&self.params, &self.keys)
    }
}

/// See [`Interface::ephemeral_log_qp`].
pub(super) fn ephemeral_log_qp(params: &Params, keys: &[KeyUse]) -> Option<f64> {
    let key = keys.iter().find(|key_use| key_use.key == Key::Encapsulate)?;
    let log_q: f64 = key.limbs.iter().map(|limb| params.log_q(limb)).sum();
    let log_p: f64 = params.p[..key.n_special].iter().map(|&prime| (prime as f64).log2()).sum();
    Some(log_q + log_p)
}

impl VerifiedPlan {
    /// What both of its parts agree on.
    pub fn interface(&self) -> Interface {
        let factors = |&t: &u64| self.correction_factors(t).expect("a verified plan has them");
        let of_primes: Vec<Vec<u64>> = self.params.t().iter().map(factors).collect();
        let result = |value| {
            let ty = self.ty(value);
            let of_value = of_primes.iter().map(|of_values| of_values[value.index()]);
            ResultType { limbs: ty.limbs, scale: ty.scale, correction_factors: of_value.collect() }
        };
        Interface {
            params: self.params.clone(),
            batch: self.batch,
            n_inputs: self.n_input_ciphertexts(),
            keys: self.keys(),
            results: self.output_values().map(result).collect(),
        }
    }
}
