//! Promise 4: inputs, outputs and layers, and where their elements are.

use super::runs::{self, fail};
use super::{MAX_TENSORS, PlanError};
use crate::noise::MOST_CLASSES;
use crate::plan::profile::summary_len;
use crate::plan::{
    Input, Layer, MOST_QUANTILES, Normalization, Output, Plan, QUANTILES_OF_CLASS, Runs, Value,
};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let n_slots = plan.params.n_slots();
    check_ends(&plan.inputs, &plan.outputs, n_slots)?;
    for output in &plan.outputs {
        check_values(&format!("output {}", output.name), &output.slots, plan)?;
    }
    for layer in &plan.layers {
        let place = format!("layer {}", layer.name);
        check_layer(&place, layer)?;
        check_values(&place, &layer.slots, plan)?;
        check_places(&place, &layer.shape, &layer.slots, n_slots)?;
    }
    Ok(())
}

/// What the client knows of.
pub(super) fn check_ends(
    inputs: &[Input],
    outputs: &[Output],
    n_slots: usize,
) -> Result<(), PlanError> {
    for (place, count) in [("inputs", inputs.len()), ("outputs", outputs.len())] {
        if count > MAX_TENSORS {
            return fail(place, format!("{count}, expected at most {MAX_TENSORS}"));
        }
    }
    for input in inputs {
        check_input(&format!("input {}", input.name), input, n_slots)?;
    }
    for output in outputs {
        let place = format!("output {}", output.name);
        check_places(&place, &output.shape, &output.slots, n_slots)?;
    }
    Ok(())
}

fn check_input(place: &str, input: &Input, n_slots: usize) -> Result<(), PlanError> {
    let n_elements = runs::count(place, &input.shape)?;
    if !input.factor.is_finite() {
        return fail(place, "factor is not finite");
    }
    input.ranges.check(&input.shape).or_else(|what| fail(place, what))?;
    input.seen.check(summary_len(&input.shape)).or_else(|what| fail(place, what))?;
    if let Some(quantizer) = input.quantizer {
        quantizer.check().or_else(|error| fail(place, error.to_string()))?;
    }
    if !input.normalization.as_ref().is_none_or(|by| is_usable(by, input)) {
        let what = "normalization is not one finite mean and positive deviation per channel";
        return fail(place, what);
    }
    input.slots.iter().try_for_each(|map| runs::check(place, map, n_slots, n_elements))
}

fn is_usable(by: &Normalization, input: &Input) -> bool {
    // Channels are the first dimension of an image, or the last.
    let is_list = |list: &[f64]| list.len() == 1 || input.shape.contains(&list.len());
    let numbers = |list: &[f64]| is_list(list) && list.iter().all(|x| x.is_finite());
    let same = by.mean.len() == by.std.len() || by.mean.len() == 1 || by.std.len() == 1;
    same && numbers(&by.mean) && numbers(&by.std) && by.std.iter().all(|&std| std > 0.0)
}

fn check_layer(place: &str, layer: &Layer) -> Result<(), PlanError> {
    let numbers = [layer.factor, layer.offset, layer.range.0, layer.range.1];
    if numbers.iter().any(|x| !x.is_finite()) {
        return fail(place, "factor, offset or range is not finite");
    }
    if !are_quantiles(&layer.quantiles) {
        return fail(
            place,
            "quantiles are not none or some, at most 64 or 33 a class, finite and ascending",
        );
    }
    Ok(())
}

fn are_quantiles(quantiles: &[f64]) -> bool {
    let is_ascending = |list: &[f64]| list.is_sorted() && list.iter().all(|x| x.is_finite());
    match quantiles.len() {
        0 => true,
        1 => false,
        2..=MOST_QUANTILES => is_ascending(quantiles),
        n => {
            n % QUANTILES_OF_CLASS == 0
                && n <= MOST_CLASSES * QUANTILES_OF_CLASS
                && quantiles.chunks(QUANTILES_OF_CLASS).all(is_ascending)
        }
    }
}

fn check_values(place: &str, slots: &[(Value, Runs)], plan: &Plan) -> Result<(), PlanError> {
    match slots.iter().all(|(value, _)| value.index() < plan.ops.len()) {
        true => Ok(()),
        false => fail(place, "value does not exist"),
    }
}

fn check_places(
    place: &str,
    shape: &[usize],
    slots: &[(Value, Runs)],
    n_slots: usize,
) -> Result<(), PlanError> {
    let n_elements = runs::count(place, shape)?;
    slots.iter().try_for_each(|(_, map)| runs::check(place, map, n_slots, n_elements))
}
