//! The inputs that a model is observed on.

use hecc_grammar::model::Model;
use ndarray::{ArrayD, Axis};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::screen::{Finding, Screened, screen};
use super::targets::Targets;
use crate::interpret::most_alive;

/// Inputs that a model is observed on.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// One array for each input of the model, with the number of examples in place of its first dimension where that is 1,
    /// else before its shape.
    pub inputs: Vec<ArrayD<f64>>,
    /// What the results should be, if that is known.
    pub targets: Option<Targets>,
    /// The range that was assumed, if there was no data.
    pub assumed: Option<(f64, f64)>,
}

/// Examples drawn where there are no data.
const ASSUMED_EXAMPLES: usize = 64;

/// Most numbers that are kept at a time.
const MOST_NUMBERS: usize = 1 << 27;

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
            ArrayD::from_shape_simple_fn([&[ASSUMED_EXAMPLES], rest].concat(), &mut draw)
        };
        let shapes: Vec<Vec<usize>> = model.inputs().map(|(_, node)| node.shape.clone()).collect();
        Calibration {
            inputs: shapes.iter().map(|shape| shape.as_slice()).map(batch).collect(),
            targets: None,
            assumed: Some((lo, hi)),
        }
    }

    /// The number of inputs of a model.
    pub fn len(&self, model: &Model) -> usize {
        let fits = model.inputs().zip(&self.inputs).all(|((_, node), x)| node.shape == x.shape());
        let first = self.inputs.first().and_then(|x| x.shape().first());
        if fits { 1 } else { first.copied().unwrap_or(1).max(1) }
    }

    /// Some inputs of a model.
    pub fn rows(&self, model: &Model, rows: &[usize]) -> Calibration {
        if self.len(model) == 1 {
            return self.clone();
        }
        Calibration {
            inputs: self.inputs.iter().map(|x| x.select(Axis(0), rows)).collect(),
            targets: self.targets.as_ref().map(|targets| targets.select(rows)),
            assumed: self.assumed,
        }
    }

    /// The same without outliers, and what is wrong with the inputs, outliers included.
    pub fn screened(self, model: &Model) -> (Calibration, Vec<Finding>) {
        let Screened { n_rows, kept, findings } = screen(model, &self.inputs);
        // Of a network for a fixed batch, rows are not images.
        let kept = if n_rows == self.len(model) { self.rows(model, &kept) } else { self };
        (kept, findings)
    }

    /// The first inputs, as many as memory is for where two networks are at the same node.
    pub fn in_lockstep(&self, model: &Model) -> Vec<ArrayD<f64>> {
        let rows: Vec<usize> = (0..self.n_in_lockstep(model)).collect();
        self.rows(model, &rows).inputs
    }

    /// How many these are.
    pub fn n_in_lockstep(&self, model: &Model) -> usize {
        let most = MOST_NUMBERS / (2 * most_alive(model)).max(1);
        self.len(model).min(most.max(1))
    }
}

/// Example `index` of `n_examples`, each input flattened.
pub fn example(inputs: &[ArrayD<f64>], index: usize, n_examples: usize) -> Vec<Vec<f64>> {
    let part = |array: &ArrayD<f64>| {
        let len = array.len() / n_examples;
        array.iter().skip(index * len).take(len).copied().collect()
    };
    inputs.iter().map(part).collect()
}
