//! Polynomials: fitting them to functions, and evaluating them on ciphertexts.

mod circuit;
mod coefficients;
mod fit;
mod minimax;
mod series;

pub use circuit::{Target, evaluate, multiplications, one_number, polynomial_depth};
pub use coefficients::{Coefficients, Row};
pub use fit::{Fit, FitConfig, Observed, Point, Variable, fit};
pub use minimax::CompositeSign;
pub use series::{apply, chebyshev, value};
