//! Promise 6: batches.

use super::PlanError;
use crate::plan::{Input, Key, KeyUse, Output, Params, Plan, Run, Runs};

pub(super) fn check(params: &Params, batch: usize, keys: &[KeyUse]) -> Result<(), PlanError> {
    let fail = |what: String| Err(PlanError::Params(what));
    let n_slots = params.n_slots();
    if batch == 1 {
        return Ok(());
    }
    if batch != n_slots {
        return fail(format!("a batch of {batch}, expected 1 or the {n_slots} slots"));
    }
    match keys.iter().find(|key_use| moves_slots(key_use.key)) {
        Some(key) => fail(format!("{:?} in a batch, whose inputs it would mix", key.key)),
        None => Ok(()),
    }
}

/// Maps of a batch name slot 0 only.
pub(super) fn check_slots<'a>(
    batch: usize,
    mut maps: impl Iterator<Item = &'a Runs>,
) -> Result<(), PlanError> {
    let is_elsewhere = |run: &Run| run.slot != 0 || !run.dims.is_empty();
    if batch > 1 && maps.any(|runs| runs.0.iter().any(is_elsewhere)) {
        return Err(PlanError::Params("a batch with an element outside slot 0".to_owned()));
    }
    Ok(())
}

/// The maps of inputs and outputs.
pub(super) fn ends<'a>(
    inputs: &'a [Input],
    outputs: &'a [Output],
) -> impl Iterator<Item = &'a Runs> {
    let of_outputs = outputs.iter().flat_map(|output| &output.slots).map(|(_, runs)| runs);
    inputs.iter().flat_map(|input| &input.slots).chain(of_outputs)
}

/// The maps of layers.
pub(super) fn layers(plan: &Plan) -> impl Iterator<Item = &Runs> {
    plan.layers.iter().flat_map(|layer| &layer.slots).map(|(_, runs)| runs)
}

fn moves_slots(key: Key) -> bool {
    match key {
        Key::Rotate(_) | Key::Conjugate => true,
        Key::Relinearize | Key::Encapsulate | Key::Decapsulate => false,
    }
}
