//! Schemes: what ciphertexts mean.

pub mod ckks;
