//! How far results move when one layer alone is replaced.

use hecc_grammar::model::{Model, Tensor};
use ndarray::{ArrayD, Axis, Slice};

use super::LayerFit;
use super::degree_search::Layer;
use crate::calibrate::Calibration;
use crate::error::CompileError;
use crate::interpret;
use crate::judge::{Distance, Judge, Results, merge};

/// Inputs that are looked at, at most.
const MAX_INPUTS: usize = 64;

/// Inputs that are looked at in any case, if there are as many.
const LEAST_INPUTS: usize = 32;

/// Times that a part of the network is run, at most, but for [`LEAST_INPUTS`].
const MAX_RUNS: usize = 1 << 12;

/// The distances of the outputs for each layer and fit, over inputs. Only what depends on the layer is computed again.
pub(super) fn measure(
    model: &Model,
    layers: &[Layer],
    fits: &[Vec<LayerFit>],
    inputs: &Calibration,
    judge: &Judge,
) -> Result<Vec<Vec<Vec<Distance>>>, CompileError> {
    let n = inputs.len(model);
    let n_fits: usize = fits.iter().map(Vec::len).sum();
    let most = (MAX_RUNS / n_fits.max(1)).clamp(LEAST_INPUTS, MAX_INPUTS);
    let few = |x: &ArrayD<f64>| match n {
        1 => x.clone(),
        _ => x.slice_axis(Axis(0), Slice::from(0..n.min(most))).to_owned(),
    };
    let few: Vec<ArrayD<f64>> = inputs.inputs.iter().map(few).collect();
    let per_input = interpret::visit(model, &few, |_, values| {
        let expected: Results =
            model.outputs.iter().map(|o| values[o.tensor.index()].clone()).collect();
        let distances = |tensor: Tensor, x: Tensor, fit: &LayerFit| {
            let value = fit.apply(&values[x.index()]);
            judge.compare(&expected, &interpret::resume(model, values, tensor, value))
        };
        let layer = |(&Layer { tensor, x, .. }, fits): (&Layer, &Vec<LayerFit>)| {
            fits.iter().map(|fit| distances(tensor, x, fit)).collect::<Vec<_>>()
        };
        layers.iter().zip(fits).map(layer).collect::<Vec<_>>()
    })
    .map_err(|error| CompileError::Calibration(error.to_string()))?;
    let both = |a: Vec<Vec<Vec<Distance>>>, b: Vec<Vec<Vec<Distance>>>| {
        let layers = a.into_iter().zip(b);
        layers.map(|(a, b)| a.into_iter().zip(b).map(|(a, b)| merge(a, b)).collect()).collect()
    };
    Ok(per_input.into_iter().reduce(both).unwrap_or_default())
}
