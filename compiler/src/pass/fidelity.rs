//! How faithful a network without rounding, or with rounded weights, is to the one that was given.

use hecc_grammar::model::Model;
use ndarray::{ArrayD, Axis};

use crate::calibrate::Calibration;
use crate::error::CompileError;
use crate::interpret;

/// Inputs that are compared at most.
const MOST_INPUTS: usize = 1024;

/// Two networks on the calibration inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// Share of inputs whose largest result is the same one.
    pub agreement: f64,
    /// Largest difference of a result.
    pub largest_difference: f64,
    /// Largest magnitude of a result of the network that was given.
    pub largest_result: f64,
    /// Inputs compared.
    pub n_inputs: usize,
}

/// Compares the first results of a network on inputs with those of another on inputs of its own.
pub fn fidelity(
    (original, inputs): (&Model, &Calibration),
    (changed, changed_inputs): (&Model, &Calibration),
) -> Result<Fidelity, CompileError> {
    let run = |model: &Model, calibration: &Calibration| {
        let first = |array: &ArrayD<f64>| {
            let count = array.len_of(Axis(0)).min(MOST_INPUTS);
            array.slice_axis(Axis(0), (0..count).into()).to_owned()
        };
        let inputs: Vec<ArrayD<f64>> = calibration.inputs.iter().map(first).collect();
        let results = interpret::run(model, &inputs);
        results.map_err(|error| CompileError::Calibration(error.to_string()))
    };
    let (expected, found) =
        (run(original, inputs)?.remove(0), run(changed, changed_inputs)?.remove(0));
    let n_inputs = expected.len_of(Axis(0));
    let rows = || expected.axis_iter(Axis(0)).zip(found.axis_iter(Axis(0)));
    let largest = |row: ndarray::ArrayViewD<'_, f64>| {
        row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class)
    };
    let same = rows().filter(|(a, b)| largest(a.view()) == largest(b.view())).count();
    let differences = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
    Ok(Fidelity {
        agreement: same as f64 / n_inputs as f64,
        largest_difference: differences.fold(0.0, f64::max),
        largest_result: expected.iter().fold(0.0, |most: f64, x| most.max(x.abs())),
        n_inputs,
    })
}
