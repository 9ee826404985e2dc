//! Promise 5: outputs, and what is said of their errors.

use super::{MAX_CLIENT_OPS, PlanError};
use crate::plan::slot_check::ElementCheck;
use crate::plan::{Form, Output, Plan, Run, Runs, Value};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    for output in &plan.outputs {
        check_output(output)?;
        check_values(plan, output)?;
    }
    let check = |validation: &crate::plan::Validation| validation.check(plan.outputs.len());
    plan.validation.as_ref().map_or(Ok(()), check).map_err(PlanError::Validation)
}

/// What the client knows of an output.
pub(super) fn check_output(output: &Output) -> Result<(), PlanError> {
    let fail = |what| PlanError::Output { name: output.name.clone(), what };
    check_places(output).map_err(fail)?;
    check_numbers(output).map_err(fail)?;
    check_client(output).map_err(fail)
}

/// The client can decrypt what it reads.
fn check_values(plan: &Plan, output: &Output) -> Result<(), PlanError> {
    let is_readable = |(value, _): &(Value, Runs)| {
        let ty = plan.ty(*value);
        ty.form == Form::Q && ty.degree == 1 && !ty.ephemeral
    };
    if output.slots.iter().all(is_readable) {
        return Ok(());
    }
    let what = "its value is not a ciphertext of degree 1 on the ciphertext-modulus primes";
    Err(PlanError::Output { name: output.name.clone(), what: what.to_owned() })
}

/// Every element is read from exactly one place.
fn check_places(output: &Output) -> Result<(), String> {
    let runs = || output.slots.iter().flat_map(|(_, runs)| &runs.0);
    let positions: u64 = runs().filter_map(Run::n_positions).map(u64::from).sum();
    let n_elements: usize = output.shape.iter().product();
    if positions != n_elements as u64 {
        return Err("its maps have not one slot for each element".to_owned());
    }
    let mut seen = ElementCheck::new(n_elements);
    let twice = |element| format!("element {element} is in two slots");
    runs().try_for_each(|run| seen.add(run)).map_err(twice)
}

fn check_numbers(output: &Output) -> Result<(), String> {
    let n_elements: usize = output.shape.iter().product();
    let is_number = output.magnitude.map(|m| m.calibrated.is_finite() && !m.certified.is_nan());
    let broken = [
        (!output.kind.fits(&output.shape), "its kind does not fit its shape"),
        (!output.factor.is_finite(), "factor is not finite"),
        (
            !output.element_scales.is_empty() && output.element_scales.len() != n_elements,
            "it has neither no quantization scale nor one for each element",
        ),
        (
            output.element_scales.iter().any(|scale| !scale.is_finite()),
            "a quantization scale is not finite",
        ),
        (
            output.limit.is_some_and(|limit| limit.is_nan() || limit < 0.0),
            "its limit is no magnitude",
        ),
        (is_number == Some(false), "the magnitude of its integers is not a number"),
    ];
    if let Some((_, what)) = broken.iter().find(|(is_broken, _)| *is_broken) {
        return Err((*what).to_owned());
    }
    output.seen.check(n_elements).map_err(str::to_owned)
}

fn check_client(output: &Output) -> Result<(), String> {
    let mut client = output.client.iter();
    let shape = client.try_fold(output.shape.clone(), |shape, op| op.shape(&shape));
    if let Err(error) = shape {
        return Err(format!("what the client applies does not fit: {error}"));
    }
    match output.client.len() {
        0..=MAX_CLIENT_OPS => Ok(()),
        count => Err(format!("{count} operations of the client")),
    }
}
