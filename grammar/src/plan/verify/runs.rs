//! Promise 4: maps of slots to elements, and the shapes that they are of.

use super::PlanError;
use crate::model::{MAX_ELEMENTS, MAX_RANK};
use crate::plan::Runs;
use crate::plan::slot_check::SlotCheck;

/// A broken promise about the slots or numbers of `place`.
pub(super) fn fail<T>(place: &str, what: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError::View { place: place.to_owned(), what: what.into() })
}

/// How many elements a shape has.
pub(super) fn count(place: &str, shape: &[usize]) -> Result<usize, PlanError> {
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    match count.filter(|&n| n <= MAX_ELEMENTS && shape.len() <= MAX_RANK) {
        Some(count) => Ok(count),
        None => fail(
            place,
            format!(
                "shape {shape:?} has more than {MAX_ELEMENTS} elements or {MAX_RANK} dimensions"
            ),
        ),
    }
}

/// Slots inside the ring and elements inside the tensor, no slot twice.
pub(super) fn check(
    place: &str,
    runs: &Runs,
    n_slots: usize,
    n_elements: usize,
) -> Result<(), PlanError> {
    let mut slots = SlotCheck::new(n_slots, n_elements);
    runs.0.iter().try_for_each(|run| slots.add(run)).or_else(|what| fail(place, what))
}
