//! Promise 4: plaintexts and the tables that they are views of.

use super::PlanError;
use super::runs::{self, fail};
use crate::plan::{Constant, EmbeddingDiagonal, Plan, View};

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    for (i, constant) in plan.constants.iter().enumerate() {
        check_constant(&format!("constant c{i}"), constant, plan)?;
    }
    for (i, table) in plan.tables.iter().enumerate() {
        if table.iter().any(|x| !x.is_finite()) {
            return fail(&format!("table {i}"), "element is not finite");
        }
    }
    Ok(())
}

fn check_constant(place: &str, constant: &Constant, plan: &Plan) -> Result<(), PlanError> {
    if !(constant.scale > -64.0 && constant.scale < 128.0) {
        return fail(place, "scale outside (-64, 128)");
    }
    let n_slots = plan.params.n_slots();
    match &constant.view {
        View::Splat(x) | View::Imaginary(x) => match x.is_finite() {
            true => Ok(()),
            false => fail(place, "number is not finite"),
        },
        View::Embedding(diagonal) => match is_usable(diagonal, n_slots) {
            true => Ok(()),
            false => fail(place, "bits, rotation or shift outside its slots"),
        },
        View::Table { table, factor, runs } => {
            let Some(table) = plan.tables.get(*table as usize) else {
                return fail(place, "table does not exist");
            };
            if !factor.is_finite() {
                return fail(place, "factor is not finite");
            }
            runs::check(place, runs, n_slots, table.len())
        }
    }
}

fn is_usable(diagonal: &EmbeddingDiagonal, n_slots: usize) -> bool {
    let EmbeddingDiagonal { log_slots, inverse: _, bits, rotation, shift, factor } = *diagonal;
    let n = 1u32.checked_shl(log_slots).unwrap_or(0);
    (1..=n_slots).contains(&(n as usize))
        && bits.0 < bits.1
        && bits.1 <= log_slots
        && rotation < n
        && shift < n
        && factor.is_finite()
}
