//! Every compiled plan is run in the clear on calibration inputs and compared with the network that it was made from, before
//! anything is written: a defect of the compiler must not become a wrong answer.

use anyhow::{Result, bail};
use hecc_compiler::calibrate::Calibration;
use hecc_compiler::pipeline::Compiled;
use hecc_grammar::plan::{Layer, Op};
use hecc_runtime::eval::Noise;

use crate::dataset;
use crate::twin::Twin;

/// Largest difference accepted, as a share of the layer's range: weights are 32-bit floats, and deep polynomials make the
/// most of that. What a wrong plan computes is off by more.
const TOLERANCE: f64 = 1.0 / 128.0;

/// As [`TOLERANCE`], over integers, where biases and ratios of steps are rounded.
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
/// If they differ; the first layer that does is named.
pub(crate) fn check(compiled: &Compiled, calibration: &Calibration) -> Result<()> {
    let plan = &compiled.plan;
    let twin = Twin::new(plan, Some(&compiled.approximated));
    let lengths = plan.inputs.iter().map(|input| input.shape.iter().product::<usize>().max(1));
    let n_images = calibration.inputs[0].len() / lengths.clone().next().unwrap_or(1);
    let tolerance = match &compiled.integers {
        Some(report) => {
            let ratios = report.approximations.iter().map(|(_, error)| error);
            INTEGER_TOLERANCE + 4.0 * ratios.sum::<f64>()
        }
        None => TOLERANCE,
    };
    for image in chosen(calibration, n_images, is_large(compiled)) {
        let tensors = dataset::image(&calibration.inputs, image, n_images);
        let rounded: Vec<Vec<f64>> = tensors
            .iter()
            .zip(&plan.inputs)
            .map(|(tensor, input)| match input.quantizer {
                Some(quantizer) => tensor.iter().map(|&x| quantizer.apply(x)).collect(),
                None => tensor.clone(),
            })
            .collect();
        let found = twin.run(&tensors, Noise::None)?;
        let Some(expected) = twin.original(&rounded)? else { continue };
        for ((layer, found), expected) in
            plan.layers.iter().zip(&found.layers).zip(&expected.layers)
        {
            let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let range = layer.range.0.abs().max(layer.range.1.abs());
            if compiled.bootstraps.is_some() && range < HIDDEN {
                // And so is all that follows from it.
                return Ok(());
            }
            // What slots hold near 1 is computed as exactly as what they hold near 0.
            let size = largest.max(range).max(layer.factor.abs());
            // What nothing reads is not computed.
            let mut expected = expected.clone();
            let computed = computed(layer, expected.len());
            let left_out = expected.iter_mut().zip(found).zip(computed).filter(|(_, is)| !is);
            left_out.for_each(|((expected, found), _)| *expected = *found);
            compare(&layer.name, (found.as_slice(), expected.as_slice()), tolerance * size)?;
        }
        for ((output, found), expected) in
            plan.outputs.iter().zip(&found.outputs).zip(&expected.outputs)
        {
            let size = expected.iter().fold(output.factor.abs(), |most, x| most.max(x.abs()));
            compare(&output.name, (found.as_slice(), expected.as_slice()), tolerance * size)?;
        }
    }
    Ok(())
}

/// Which elements of a layer's result are in some slot.
fn computed(layer: &Layer, n_elements: usize) -> Vec<bool> {
    let mut computed = vec![false; n_elements];
    for (_, element) in layer.slots.iter().flat_map(|(_, runs)| runs.pairs()) {
        if let Some(computed) = computed.get_mut(element as usize) {
            *computed = true;
        }
    }
    computed
}

/// Whether running the plan in the clear takes long.
fn is_large(compiled: &Compiled) -> bool {
    let terms = |op: &Op| if let Op::DotPlain(terms) = op { terms.len() } else { 1 };
    let n_terms: usize = compiled.plan.ops.iter().map(terms).sum();
    n_terms * compiled.plan.params.n_slots() > LARGE_PLAN
}

/// The inputs to check on.
fn chosen(calibration: &Calibration, n_images: usize, few: bool) -> Vec<usize> {
    let size = |image: usize| -> f64 {
        dataset::image(&calibration.inputs, image, n_images).iter().flatten().map(|x| x.abs()).sum()
    };
    let mut by_size: Vec<(usize, f64)> = (0..n_images).map(|image| (image, size(image))).collect();
    by_size.sort_by(|a, b| b.1.total_cmp(&a.1));
    let largest = by_size.first().map(|(image, _)| *image);
    let smallest = by_size.last().map(|(image, _)| *image);
    let mut images: Vec<usize> = [largest, smallest, Some(0)].into_iter().flatten().collect();
    images.dedup();
    images.truncate(if few { 1 } else { INPUTS });
    images
}

/// A layer that is no tensor of the network has nothing to be compared with.
fn compare(name: &str, (found, expected): (&[f64], &[f64]), tolerance: f64) -> Result<()> {
    if expected.is_empty() {
        return Ok(());
    }
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        if difference.is_nan() || difference > tolerance {
            bail!(
                "the compiled plan does not compute the network: element {i} after `{name}` is {found}, expected {expected}. \
                 Nothing was written. This is a defect of hecc: please report it with the model"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_layer_and_the_element() {
        assert!(compare("fc", (&[1.0, 2.0], &[1.0, 2.001]), 0.01).is_ok());
        let error = compare("fc", (&[1.0, 2.0], &[1.0, 4.0]), 0.01).unwrap_err().to_string();
        assert!(error.contains("element 1 after `fc` is 2, expected 4"), "{error}");
        assert!(compare("fc", (&[f64::NAN], &[1.0]), 0.01).is_err());
        assert!(compare("fc", (&[1.0], &[]), 0.0).is_ok());
    }
}
