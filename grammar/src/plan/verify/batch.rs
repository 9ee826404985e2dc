//! Promise 6: batches.

use super::PlanError;
use crate::plan::{Input, Key, KeyUse, Output, Params, Plan, Run, Runs, Scheme};

/// A power of two that rows hold, or all slots; what rotates moves slots of inputs to those of the same inputs. Within bootstraps
/// slots hold something else, and move by any number.
pub(super) fn check(params: &Params, batch: usize, keys: &[KeyUse]) -> Result<(), PlanError> {
    let fail = |what: String| Err(PlanError::Params(what));
    let (n_slots, row_length) = (params.n_slots(), row_length(params));
    if !batch.is_power_of_two() || batch > n_slots {
        return fail(format!("a batch of {batch}, expected a power of two up to {n_slots}"));
    }
    if keys.iter().any(|key_use| key_use.key == Key::Encapsulate) {
        return Ok(());
    }
    let mixes = |key: Key| match key {
        Key::Rotate(steps) => !(steps as usize).is_multiple_of(batch),
        Key::Conjugate => params.scheme() == Scheme::Bfv && batch > row_length,
        Key::Relinearize | Key::Encapsulate | Key::Decapsulate => false,
    };
    match keys.iter().find(|key_use| mixes(key_use.key)) {
        Some(key) => fail(format!(
            "{:?} in a plan for batches of {batch}, whose inputs it would mix",
            key.key
        )),
        None => Ok(()),
    }
}

fn row_length(params: &Params) -> usize {
    match params.scheme() {
        Scheme::Ckks => params.n_slots(),
        Scheme::Bfv => params.n_slots() / 2,
    }
}

/// Maps of a batch name slots of its first input.
pub(super) fn check_slots<'a>(
    batch: usize,
    mut maps: impl Iterator<Item = &'a Runs>,
) -> Result<(), PlanError> {
    let is_multiple = |slots: u32| (slots as usize).is_multiple_of(batch);
    let is_of_first = |run: &Run| {
        is_multiple(run.slot)
            && run.dims.iter().all(|dim| is_multiple(dim.slot_stride.unsigned_abs()))
    };
    if !maps.all(|runs| runs.0.iter().all(is_of_first)) {
        let what = format!("an element outside the slots of the first of {batch} inputs");
        return Err(PlanError::Params(what));
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
