//! The two languages of hecc and the facts that every pass cites.
//!
//! - [`model`]: the tensor graph that a trained network is imported into.
//! - [`plan`]: the ciphertext program that a model is compiled to and that the runtime executes.
//! - [`envelope`]: the container of all files.
//! - [`security`], [`noise`], [`cost`]: tables and formulas, each stated once and used by the compiler, the
//!   verifier, the simulator and the documentation alike.

pub mod cost;
pub mod envelope;
pub mod model;
pub mod plan;
pub mod security;
mod text;

pub use plan::noise;
pub use text::TextError;
