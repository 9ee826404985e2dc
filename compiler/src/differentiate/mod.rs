//! Networks with the derivatives of what they compute, in 32-bit numbers: by how much a sum over its values changes with the
//! coefficients of the polynomials that its activations were replaced by. Weights stay what they are.
//!
//! Derivatives are taken backwards from the results (reverse mode): through a linear map by its transpose, through a polynomial by
//! its derivative. Convolutions are matrix products, as in `interpret`; all other linear operations the rows of their maps.

mod curve;
mod network;
mod operation;

pub use curve::{Channel, Curve};
pub use network::Network;
