//! Promise 3: what is computed in one pass can be.

use super::PlanError;
use crate::plan::{Plan, Value};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    if plan.joined.first() == Some(&true) {
        return Err(PlanError::Bundle { value: Value(0), what: "there is none" });
    }
    for bundle in plan.bundles() {
        let [first, end] = [bundle.start, bundle.end].map(|i| Value(i as u32));
        let mut others = (first.0 + 1..end.0).map(Value);
        if let Some((value, what)) =
            others.find_map(|value| Some((value, plan.keeps_apart(first, value)?)))
        {
            return Err(PlanError::Bundle { value, what });
        }
    }
    Ok(())
}
