//! Schemes: what ciphertexts mean.

pub mod bfv;
pub mod ckks;
mod encoder;

pub use encoder::{Encoder, Encoding, Use};
