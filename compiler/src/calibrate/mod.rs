//! What a model does on real inputs: ranges of all tensors, distributions of the operands of activations.

mod groups;
mod histogram;
mod profile;
mod quantiles;
mod ranges;
mod screen;
mod split;
mod stats;
mod tail;
mod targets;

pub use histogram::Histogram;
pub use profile::{input_profiles, profile};
pub use quantiles::{N_QUANTILES, Quantiles};
pub use ranges::input_ranges;
pub use screen::{Finding, Screened, rows_wanted, screen};
pub use split::Split;
pub use stats::{Stats, histograms};
pub use targets::Targets;

use hecc_grammar::model::Model;
use ndarray::ArrayD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Inputs that a model is observed on.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// One array for each input of the model, with the number of images in place of its first dimension where that is 1,
    /// else before its shape.
    pub inputs: Vec<ArrayD<f64>>,
    /// What the results should be, if that is known.
    pub targets: Option<Targets>,
    /// The range that was assumed, if there was no data.
    pub assumed: Option<(f64, f64)>,
}

/// Images drawn where there are no data.
const ASSUMED_IMAGES: usize = 64;

impl Calibration {
    /// Real inputs.
    pub fn from_data(inputs: Vec<ArrayD<f64>>) -> Calibration {
        Calibration { inputs, targets: None, assumed: None }
    }

    /// Uniform inputs in `[lo, hi]`, where there are no data. Reproducible.
    pub fn assumed(model: &Model, lo: f64, hi: f64) -> Calibration {
        let mut rng = ChaCha20Rng::seed_from_u64(0);
        let mut draw = || lo + (hi - lo) * (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let batch = |shape: &[usize]| {
            // In place of a first dimension of 1, else before the shape.
            let rest = if shape.first() == Some(&1) { &shape[1..] } else { shape };
            ArrayD::from_shape_simple_fn([&[ASSUMED_IMAGES], rest].concat(), &mut draw)
        };
        let shapes: Vec<Vec<usize>> = model.inputs().map(|(_, node)| node.shape.clone()).collect();
        Calibration {
            inputs: shapes.iter().map(|shape| shape.as_slice()).map(batch).collect(),
            targets: None,
            assumed: Some((lo, hi)),
        }
    }
}
