//! Evaluators of one plan: in the clear, in the clear with predicted noise, and encrypted.
//!
//! This module and all that it uses are what a server runs: the secret key's type is not visible from here.

mod approximate;
mod cache;
mod clear;
mod dots;
mod encrypted;
mod exact;
mod executor;
mod factors;
mod limbwise;
mod normal;
mod reused;
mod shared;
mod slots;
mod snapshot;
mod sums;
mod units;

pub use approximate::Noise;
pub use clear::{ClearEvaluator, run_clear};
pub use encrypted::{Evaluator, Options};
pub use executor::Progress;
pub use shared::Shared;
pub use snapshot::{Keeper, Snapshot, needed};
