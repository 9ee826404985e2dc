//! Polynomials modulo primes: arithmetic, transforms, bases, automorphisms, randomness.

use std::ops::Range;

use hecc_grammar::plan::{LimbSet, Params};
use rayon::prelude::*;

mod automorphism;
mod basis;
mod embedding_table;
mod mixed_radix;
mod modulus;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(dead_code, reason = "vector kernels read the rest of the tables")
)]
mod ntt;
mod pack;
mod sample;

pub use automorphism::{galois_element, permutation};
pub use basis::BaseConverter;
pub(crate) use embedding_table::reverse;
pub use embedding_table::{Complex, EmbeddingTable};
pub use mixed_radix::MixedRadix;
pub use modulus::Modulus;
pub(crate) use modulus::{reduce_once, sign_mask};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use ntt::LastTwiddles;
pub use ntt::NttTable;
pub(crate) use pack::{pack, packed_bytes, unpack};
pub use sample::{SecretRng, Seed, expand_uniform};

/// The primes of a plan with their tables: ciphertext-modulus primes first, then special primes.
pub struct Ring {
    /// The primes' roles.
    pub params: Params,
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// One table for each prime; its modulus is in it.
    pub tables: Vec<NttTable>,
    /// How many of them are ciphertext-modulus primes.
    pub n_q: usize,
}

impl Ring {
    /// Tables for all primes of verified parameters.
    pub fn new(params: &Params) -> Ring {
        let primes: Vec<u64> = params.q.iter().chain(&params.p).copied().collect();
        let n = params.ring_degree();
        let tables = primes.into_par_iter().map(|q| NttTable::new(Modulus::new(q), n)).collect();
        Ring { params: params.clone(), log_n: params.log_n, tables, n_q: params.q.len() }
    }

    /// The ring degree N.
    pub fn n(&self) -> usize {
        1 << self.log_n
    }

    /// The modulus of a limb.
    pub fn modulus(&self, limb: usize) -> &Modulus {
        self.tables[limb].modulus()
    }

    /// Indices of the special primes that a key switch on `limbs` uses.
    pub fn special(&self, limbs: LimbSet) -> Range<usize> {
        self.n_q..self.n_q + self.params.n_special(limbs)
    }

    /// The product of some primes modulo another.
    pub fn product(&self, limbs: impl IntoIterator<Item = usize>, modulus: &Modulus) -> u64 {
        limbs.into_iter().fold(1, |product, limb| {
            modulus.mul(product, modulus.reduce(self.modulus(limb).value()))
        })
    }
}
