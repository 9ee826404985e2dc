//! Polynomials modulo primes: arithmetic, transforms, bases, automorphisms, randomness.

mod automorphism;
mod basis;
mod modulus;
mod ntt;
mod sample;

pub use automorphism::{galois_element, permutation};
pub use basis::BaseConverter;
pub use modulus::Modulus;
pub(crate) use ntt::LastTwiddles;
pub use ntt::NttTable;
pub use sample::{SecretRng, Seed, expand_uniform};

/// The primes of a plan with their tables: message primes first, then special primes.
pub struct Ring {
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// One table for each prime; its modulus is in it.
    pub tables: Vec<NttTable>,
    /// How many of them are message primes.
    pub n_message: usize,
}

impl Ring {
    /// Tables for all primes of verified parameters.
    pub fn new(params: &hecc_grammar::plan::Params) -> Ring {
        let primes: Vec<u64> = params.q.iter().chain(&params.p).copied().collect();
        let n = params.ring_degree();
        let tables = primes.into_par_iter().map(|q| NttTable::new(Modulus::new(q), n)).collect();
        Ring { log_n: params.log_n, tables, n_message: params.q.len() }
    }

    /// The ring degree N.
    pub fn n(&self) -> usize {
        1 << self.log_n
    }

    /// The modulus of a limb.
    pub fn modulus(&self, limb: usize) -> &Modulus {
        self.tables[limb].modulus()
    }

    /// Indices of the special primes.
    pub fn special(&self) -> std::ops::Range<usize> {
        self.n_message..self.tables.len()
    }
}

use rayon::prelude::*;
