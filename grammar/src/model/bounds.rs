//! What shapes and numbers may be at all.

/// No tensor may have more elements than this: 2^28 is 4,096 ciphertexts of 2^16 slots.
pub const MAX_ELEMENTS: usize = 1 << 28;
/// No tensor may have more dimensions than this.
pub const MAX_RANK: usize = 16;

/// Why an operation has no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShapeError(pub(super) String);

/// A refusal.
pub(super) fn fail<T>(what: impl Into<String>) -> Result<T, ShapeError> {
    Err(ShapeError(what.into()))
}

/// The number of elements of a shape, within bounds.
pub(super) fn elements(shape: &[usize]) -> Result<usize, ShapeError> {
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    match count {
        Some(count) if (1..=MAX_ELEMENTS).contains(&count) && shape.len() <= MAX_RANK => Ok(count),
        _ => fail(format!(
            "shape {shape:?} is outside 1 to {MAX_ELEMENTS} elements or {MAX_RANK} dimensions"
        )),
    }
}

/// Refuses numbers that are not finite.
pub(super) fn finite(what: &str, numbers: &[f64]) -> Result<(), ShapeError> {
    match numbers.iter().find(|x| !x.is_finite()) {
        Some(x) => fail(format!("{what} {x} is not finite")),
        None => Ok(()),
    }
}
