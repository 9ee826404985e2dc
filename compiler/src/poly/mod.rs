//! Polynomials: fitting them to functions, and evaluating them on ciphertexts.

mod circuit;
mod fit;

pub use circuit::{evaluate, multiplications};
pub use fit::{Fit, FitConfig, evaluate as evaluate_polynomial, fit};
