//! Seconds by kind of instruction.

use std::collections::BTreeMap;

use hecc_grammar::cost::{Costs, instruction};
use hecc_grammar::plan::Plan;

/// Instructions of one kind.
#[derive(Default)]
pub(crate) struct Kind {
    /// How many.
    pub(crate) count: usize,
    /// What they took, together.
    pub(crate) measured: f64,
    /// What the cost table says.
    pub(crate) predicted: f64,
}

/// By name, as plan texts spell it.
pub(crate) fn by_kind(plan: &Plan, measured: &[f64], costs: &Costs) -> BTreeMap<String, Kind> {
    let mut kinds = BTreeMap::<String, Kind>::new();
    for (value, op) in plan.values() {
        let text = op.to_string();
        let name = text.split(' ').next().unwrap_or_default();
        let kind = kinds.entry(name.to_owned()).or_default();
        kind.count += 1;
        kind.measured += measured[value.index()];
        kind.predicted += instruction(costs, plan, value);
    }
    kinds
}
