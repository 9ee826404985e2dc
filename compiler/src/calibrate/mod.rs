//! What a model does on real inputs: ranges of all tensors, distributions of the operands of activations.

mod data;
mod groups;
mod profile;
mod quantiles;
mod ranges;
mod screen;
mod split;
mod stats;
mod tail;
mod targets;

pub use data::{Calibration, example};
pub use profile::{input_profiles, profile};
pub use quantiles::{N_QUANTILES, Quantiles};
pub use ranges::input_ranges;
pub use screen::{Finding, Screened, rows_wanted, screen};
pub use split::Split;
pub use stats::{Stats, histograms};
pub use targets::Targets;
