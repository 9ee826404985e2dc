//! Polynomials: fitting them to functions, and evaluating them on ciphertexts.

mod circuit;

pub use circuit::{evaluate, multiplications};
