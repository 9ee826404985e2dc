//! Every compiled plan is run in the clear on calibration inputs and compared with the network that it was made from, before
//! anything is written: a defect of the compiler must not become a wrong answer.

use std::fmt::Display;

use hecc_compiler::calibrate::{Calibration, example};
use hecc_compiler::error::CompileError;
use hecc_compiler::limits;
use hecc_compiler::pipeline::Compiled;
use hecc_grammar::plan::{Input, Op, Plan};
use hecc_runtime::eval::Noise;

use super::Tracer;

/// Largest difference accepted, as a share of the layer's range: weights are 32-bit floats, and deep polynomials make the
/// most of that. What a wrong plan computes is off by more.
const TOLERANCE: f64 = 1.0 / 128.0;

/// As [`TOLERANCE`], over integers, where biases and ratios of quantization scales are rounded.
const INTEGER_TOLERANCE: f64 = 1.0 / 16.0;

/// Bootstrapping has an error of its own that hides values so small.
const HIDDEN: f64 = 1e-3;

/// Inputs that a plan is checked on: the first, that with the largest elements, that with the smallest.
const INPUTS: usize = 3;

/// Larger plans, in slots computed, are checked on the input with the largest elements only.
const LARGE_PLAN: usize = 1 << 30;

/// Compares a plan in the clear with its network, layer by layer.
///
/// # Errors
/// If they differ; the first layer that does is named. If the network cannot compute the inputs.
pub fn check(compiled: &Compiled, calibration: &Calibration) -> Result<(), CompileError> {
    let plan = &compiled.plan;
    let tracer = Tracer::of_approximated(compiled);
    let n_examples = calibration.len(&compiled.approximated);
    let tolerance = tolerance(compiled);
    for index in chosen(calibration, n_examples, is_large(compiled)) {
        let tensors = example(&calibration.inputs, index, n_examples);
        let found = tracer.run(&tensors, Noise::None).map_err(unfit)?;
        let original = tracer.original(&rounded(&tensors, plan)).map_err(unfit)?;
        let Some(expected) = original else { continue };
        for (k, layer) in plan.layers.iter().enumerate() {
            let range = layer.range.0.abs().max(layer.range.1.abs());
            if compiled.bootstraps.is_some() && range < HIDDEN {
                continue;
            }
            // What slots hold near 1 is computed as exactly as what they hold near 0.
            let size = largest(&expected.layers[k]).max(range).max(layer.factor.abs());
            // What nothing reads is not computed, and what is no tensor of the network has nothing to be compared with.
            let n_elements = expected.layers[k].len();
            let pairs = layer.slots.iter().flat_map(|(_, runs)| runs.pairs());
            let elements = pairs.map(|(_, element)| element as usize).filter(|&i| i < n_elements);
            let (found, expected) = (&found.layers[k], &expected.layers[k]);
            compare(&layer.name, found, expected, elements, tolerance * size)?;
        }
        for (k, output) in plan.outputs.iter().enumerate() {
            let size = largest(&expected.outputs[k]).max(output.factor.abs());
            let (found, expected) = (&found.outputs[k], &expected.outputs[k]);
            compare(&output.name, found, expected, 0..expected.len(), tolerance * size)?;
        }
    }
    Ok(())
}

fn unfit(error: impl Display) -> CompileError {
    CompileError::Calibration(error.to_string())
}

/// Sines of bootstraps are as far off as the precision allows, in the clear as well; but no further than results may be at all, also
/// where no bound on them is known.
fn tolerance(compiled: &Compiled) -> f64 {
    let Some(report) = &compiled.integers else {
        let bits = compiled.score.precision.max(limits::LEAST_BITS);
        let of_sines = compiled.bootstraps.as_ref().map_or(0.0, |_| (-bits).exp2());
        return TOLERANCE.max(of_sines);
    };
    let ratios = report.approximations.iter().map(|(_, error)| error);
    INTEGER_TOLERANCE + 4.0 * ratios.sum::<f64>()
}

/// Inputs as the client rounds them.
fn rounded(tensors: &[Vec<f64>], plan: &Plan) -> Vec<Vec<f64>> {
    let round = |(tensor, input): (&Vec<f64>, &Input)| match input.quantizer {
        Some(quantizer) => tensor.iter().map(|&x| quantizer.apply(x)).collect(),
        None => tensor.clone(),
    };
    tensors.iter().zip(&plan.inputs).map(round).collect()
}

fn largest(tensor: &[f64]) -> f64 {
    tensor.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// Whether running the plan in the clear takes long.
fn is_large(compiled: &Compiled) -> bool {
    let terms = |op: &Op| if let Op::DotPlain(terms) = op { terms.len() } else { 1 };
    let n_terms: usize = compiled.plan.ops.iter().map(terms).sum();
    n_terms * compiled.plan.params.n_slots() > LARGE_PLAN
}

/// The inputs to check on.
fn chosen(calibration: &Calibration, n_examples: usize, few: bool) -> Vec<usize> {
    let size = |index: usize| -> f64 {
        example(&calibration.inputs, index, n_examples).iter().flatten().map(|x| x.abs()).sum()
    };
    let mut by_size: Vec<(usize, f64)> =
        (0..n_examples).map(|index| (index, size(index))).collect();
    by_size.sort_by(|a, b| b.1.total_cmp(&a.1));
    let largest = by_size.first().map(|(example, _)| *example);
    let smallest = by_size.last().map(|(example, _)| *example);
    let mut examples: Vec<usize> = [largest, smallest, Some(0)].into_iter().flatten().collect();
    examples.dedup();
    examples.truncate(if few { 1 } else { INPUTS });
    examples
}

/// Compares some elements of a tensor.
fn compare(
    name: &str,
    found: &[f64],
    expected: &[f64],
    elements: impl Iterator<Item = usize>,
    tolerance: f64,
) -> Result<(), CompileError> {
    for i in elements {
        let (found, expected) = (found[i], expected[i]);
        let difference = (found - expected).abs();
        if difference.is_nan() || difference > tolerance {
            let layer = name.to_owned();
            return Err(CompileError::Differs { layer, element: i, found, expected });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_layer_and_the_element() {
        let compare = |found: &[f64], expected: &[f64], elements: std::ops::Range<usize>| {
            compare("fc", found, expected, elements, 0.01).map_err(|error| error.to_string())
        };
        assert!(compare(&[1.0, 2.0], &[1.0, 2.001], 0..2).is_ok());
        let error = compare(&[1.0, 2.0], &[1.0, 4.0], 0..2).unwrap_err();
        assert!(error.contains("element 1 after `fc` is 2, expected 4"), "{error}");
        assert!(compare(&[1.0, 2.0], &[1.0, 4.0], 0..1).is_ok());
        assert!(compare(&[f64::NAN], &[1.0], 0..1).is_err());
    }
}
