//! What evaluators only read: borrowed for as long as one lives, or shared with it.

use std::ops::Deref;
use std::sync::Arc;

/// A plan or keys.
#[derive(Debug)]
pub enum Shared<'a, T> {
    /// Borrowed.
    Borrowed(&'a T),
    /// Kept by whoever needs it last.
    Kept(Arc<T>),
}

impl<T> Deref for Shared<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Shared::Borrowed(borrowed) => borrowed,
            Shared::Kept(kept) => kept,
        }
    }
}

impl<'a, T> From<&'a T> for Shared<'a, T> {
    fn from(borrowed: &'a T) -> Shared<'a, T> {
        Shared::Borrowed(borrowed)
    }
}

impl<T> From<Arc<T>> for Shared<'_, T> {
    fn from(kept: Arc<T>) -> Self {
        Shared::Kept(kept)
    }
}
