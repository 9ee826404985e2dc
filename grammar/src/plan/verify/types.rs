//! Promise 3: types.

use super::PlanError;
use crate::plan::{Plan, TypeError};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let count = plan.ops.len();
    if [plan.types.len(), plan.origins.len(), plan.joined.len()] != [count; 3] {
        return Err(PlanError::Params(
            "instructions, types and origins differ in number".to_owned(),
        ));
    }
    for (value, op) in plan.values() {
        if let Some(&late) = op.operands().iter().find(|operand| **operand >= value) {
            return Err(PlanError::Type { value, error: TypeError::Undefined(late) });
        }
        let ty = op.infer(plan).map_err(|error| PlanError::Type { value, error })?;
        if ty != plan.ty(value) {
            return Err(PlanError::RecordedType(value));
        }
        if plan.origins[value.index()] as usize >= plan.layers.len().max(1) {
            return Err(PlanError::Params(format!(
                "instruction {value} names a layer that does not exist"
            )));
        }
    }
    Ok(())
}
