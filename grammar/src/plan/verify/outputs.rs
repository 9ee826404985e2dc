//! Promise 5: outputs, and what is said of their errors.

use super::{MAX_CLIENT_OPS, PlanError};
use crate::plan::slot_check::ElementCheck;
use crate::plan::{Form, Output, Plan, Run};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    for output in &plan.outputs {
        let fail = |what| PlanError::Output { name: output.name.clone(), what };
        check_places(plan, output).map_err(fail)?;
        check_numbers(output).map_err(fail)?;
        check_client(output).map_err(fail)?;
    }
    let check = |validation: &crate::plan::Validation| validation.check(plan.outputs.len());
    plan.validation.as_ref().map_or(Ok(()), check).map_err(PlanError::Validation)
}

/// Every element is read from exactly one place, where the client can decrypt it.
fn check_places(plan: &Plan, output: &Output) -> Result<(), String> {
    let runs = output.slots.iter().flat_map(|(_, runs)| &runs.0);
    let positions: u64 = runs.filter_map(Run::n_positions).map(u64::from).sum();
    let n_elements: usize = output.shape.iter().product();
    if positions != n_elements as u64 {
        return Err("its maps have not one slot for each element".to_owned());
    }
    let mut seen = ElementCheck::new(n_elements);
    for (value, runs) in &output.slots {
        let ty = plan.ty(*value);
        if ty.form != Form::Q || ty.degree != 1 || ty.ephemeral {
            let what = "its value is not a ciphertext of degree 1 on the ciphertext-modulus primes";
            return Err(what.to_owned());
        }
        let twice = |element| format!("element {element} is in two slots");
        runs.0.iter().try_for_each(|run| seen.add(run)).map_err(twice)?;
    }
    Ok(())
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
            output.element_scales.iter().any(|step| !step.is_finite()),
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
