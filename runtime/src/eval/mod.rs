//! Evaluators of one plan: in the clear, in the clear with predicted noise, and encrypted.
//!
//! This module and all that it uses are what a server runs: the secret key's type is not visible from here.

mod approximate;
mod backend;
mod cache;
mod clear;
mod dots;
mod encrypted;
mod exact;
mod executor;
mod factors;
mod limbwise;
mod normal;
mod processors;
mod reused;
mod shared;
mod slots;
mod snapshot;
mod sums;

pub use approximate::Noise;
pub use backend::Backend;
pub use clear::{ClearEvaluator, run_clear};
pub use encrypted::{Evaluator, Options};
pub use executor::{Computed, Execution, Progress, Saver, execute};
pub use shared::Shared;
pub use snapshot::{Keeper, Snapshot, needed};
