//! Seconds by kind of instruction.

use std::collections::BTreeMap;

use hecc_grammar::plan::Plan;
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// Instructions of one kind.
#[derive(Default)]
pub(crate) struct KindTime {
    /// How many.
    count: usize,
    /// Seconds that they took, together.
    measured: f64,
    /// Seconds that the cost table says.
    predicted: f64,
}

/// By name, as plan texts spell it; `measured` and `predicted` are seconds of each instruction.
pub(crate) fn by_kind(
    plan: &Plan,
    measured: &[f64],
    predicted: &[f64],
) -> BTreeMap<String, KindTime> {
    let mut kinds = BTreeMap::<String, KindTime>::new();
    for (value, op) in plan.values() {
        let text = op.to_string();
        let name = text.split(' ').next().unwrap_or_default();
        let kind = kinds.entry(name.to_owned()).or_default();
        kind.count += 1;
        kind.measured += measured[value.index()];
        kind.predicted += predicted[value.index()];
    }
    kinds
}

pub(crate) fn kinds_table(kinds: &BTreeMap<String, KindTime>) -> Table {
    let mut table = Table::new(&[
        ("instruction", Align::Left),
        ("count", Align::Right),
        ("time", Align::Right),
        ("predicted, 1 core", Align::Right),
    ]);
    for (name, kind) in kinds {
        table.row(vec![
            name.clone(),
            kind.count.to_string(),
            units::seconds(kind.measured),
            units::seconds(kind.predicted),
        ]);
    }
    table
}

pub(crate) fn kinds_json(kinds: &BTreeMap<String, KindTime>) -> Json {
    let json = |kind: &KindTime| json!({ "count": kind.count, "seconds": kind.measured, "predicted_seconds": kind.predicted });
    kinds
        .iter()
        .map(|(name, kind)| (name.clone(), json(kind)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
