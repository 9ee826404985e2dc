//! Promise 6: batches.

use super::PlanError;
use crate::plan::{Key, Plan};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let fail = |what: String| Err(PlanError::Params(what));
    if plan.batch == 1 {
        return Ok(());
    }
    let n_slots = plan.params.n_slots();
    if plan.batch != n_slots {
        return fail(format!("a batch of {}, expected 1 or the {n_slots} slots", plan.batch));
    }
    if let Some(key) = plan.keys().into_iter().find(|key_use| moves_slots(key_use.key)) {
        return fail(format!("{:?} in a batch, whose inputs it would mix", key.key));
    }
    let inputs = plan.inputs.iter().flat_map(|input| &input.slots);
    let outputs = plan.outputs.iter().flat_map(|output| &output.slots);
    let layers = plan.layers.iter().flat_map(|layer| &layer.slots);
    let mut runs = inputs.chain(outputs.chain(layers).map(|(_, runs)| runs));
    match runs.any(|runs| runs.0.iter().any(|run| run.slot != 0 || !run.dims.is_empty())) {
        true => fail("a batch with an element outside slot 0".to_owned()),
        false => Ok(()),
    }
}

fn moves_slots(key: Key) -> bool {
    match key {
        Key::Rotate(_) | Key::Conjugate => true,
        Key::Relinearize | Key::Encapsulate | Key::Decapsulate => false,
    }
}
