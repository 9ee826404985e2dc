//! Encodes the constants of a plan, whatever its scheme.

use hecc_grammar::plan::{Constant, ConstantId, Form, LimbSet, Params, Plan, Scheme, View};
use rayon::prelude::*;

use crate::ring::Ring;
use crate::rlwe::{Blocks, Plaintext, limb_indices};

use super::bfv::Batch;
use super::ckks::{Embedding, encode_real_pair, encode_slots, encode_splat};

/// What a plaintext is to a ciphertext. In CKKS all are encoded alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// It is added to a ciphertext whose message is multiplied by this, modulo t.
    Summand(u64),
    /// It is multiplied by.
    Factor,
}

/// What an encoded constant depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The constant of the plan.
    pub constant: ConstantId,
    /// The ciphertext-modulus primes that it is encoded on.
    pub limbs: LimbSet,
    /// Whether it is on the special primes too.
    pub form: Form,
    /// What it is to a ciphertext.
    pub used_as: Use,
    /// The index of the plaintext prime.
    pub instance: usize,
}

/// Tables for encoding.
pub enum Encoder {
    /// For real numbers.
    Ckks(Embedding),
    /// For integers modulo each plaintext prime.
    Bfv(Vec<Batch>),
}

impl Encoder {
    /// The tables for a plan's parameters.
    pub fn new(params: &Params) -> Encoder {
        let n = params.ring_degree();
        match params.scheme() {
            Scheme::Ckks => Encoder::Ckks(Embedding::new(params.n_slots())),
            Scheme::Bfv => Encoder::Bfv(params.t().par_iter().map(|&t| Batch::new(n, t)).collect()),
        }
    }

    /// Encodes two constants that [`takes_pairs`](Self::takes_pairs) of, of one scale and on the same primes, in the time of one.
    pub fn pair(&self, plan: &Plan, ring: &Ring, encodings: [Encoding; 2]) -> [Plaintext; 2] {
        let Encoder::Ckks(embedding) = self else {
            unreachable!("integers are not encoded in pairs");
        };
        let [Encoding { constant, limbs, form, .. }, _] = encodings;
        let limbs = limb_indices(ring, limbs, form);
        let scale = plan.constants[constant.index()].scale;
        let slots = encodings.map(|encoding| plan.real_slots(encoding.constant, |x| x));
        encode_real_pair(ring, embedding, slots, scale, &limbs)
            .map(|poly| Plaintext::Full(Blocks::new(poly)))
    }

    /// Whether a constant may be one of a pair: its slots are real, and there are such pairs.
    pub fn takes_pairs(&self, constant: &Constant) -> bool {
        match self {
            Encoder::Ckks(_) => matches!(constant.view, View::Table { .. }),
            Encoder::Bfv(_) => false,
        }
    }

    /// Encodes a constant.
    pub fn plaintext(&self, plan: &Plan, ring: &Ring, encoding: Encoding) -> Plaintext {
        let Encoding { constant, limbs, form, used_as, instance } = encoding;
        let limbs = limb_indices(ring, limbs, form);
        let Constant { view, scale } = &plan.constants[constant.index()];
        match (self, view) {
            (Encoder::Ckks(_), View::Splat(x)) => {
                Plaintext::Scalar(encode_splat(ring, *x, *scale, &limbs))
            }
            (Encoder::Ckks(embedding), _) => {
                let slots = plan.slots_of(constant);
                if slots.im.is_some() {
                    let poly = encode_slots(ring, embedding, slots, *scale, &limbs);
                    return Plaintext::Full(Blocks::new(poly));
                }
                let pair = [slots.re, vec![0.0; embedding.n_slots()]];
                let [poly, _] = encode_real_pair(ring, embedding, pair, *scale, &limbs);
                Plaintext::Full(Blocks::new(poly))
            }
            (Encoder::Bfv(batches), View::Splat(x)) => {
                let batch = &batches[instance];
                let x = batch.modulus().from_integer(*x);
                Plaintext::Scalar(match used_as {
                    Use::Summand(factor) => {
                        batch.scalar_summand(ring, batch.modulus().mul(x, factor), &limbs)
                    }
                    Use::Factor => {
                        let x = batch.modulus().centered(x);
                        limbs.iter().map(|&limb| ring.modulus(limb).from_signed(x)).collect()
                    }
                })
            }
            (Encoder::Bfv(batches), _) => {
                let batch = &batches[instance];
                let slots = plan.real_slots(constant, |x| batch.modulus().from_integer(x));
                let coefficients = batch.to_coefficients(&slots);
                let poly = match used_as {
                    Use::Summand(factor) => batch.as_summand(ring, &coefficients, factor, &limbs),
                    Use::Factor => batch.as_factor(ring, &coefficients, &limbs),
                };
                Plaintext::Full(Blocks::new(poly))
            }
        }
    }
}
