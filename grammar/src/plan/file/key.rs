//! Evaluation keys as numbers.

use crate::plan::Key;

/// Which key it is, and its steps.
pub(super) fn code(key: Key) -> (u64, u32) {
    match key {
        Key::Relinearize => (0, 0),
        Key::Rotate(steps) => (1, steps),
        Key::Conjugate => (2, 0),
        Key::Encapsulate => (3, 0),
        Key::Decapsulate => (4, 0),
    }
}

/// The inverse of [`code`].
pub(super) fn of_code(which: u64, steps: u32) -> Option<Key> {
    match (which, steps) {
        (0, 0) => Some(Key::Relinearize),
        (1, steps) => Some(Key::Rotate(steps)),
        (2, 0) => Some(Key::Conjugate),
        (3, 0) => Some(Key::Encapsulate),
        (4, 0) => Some(Key::Decapsulate),
        _ => None,
    }
}
