//! Where random cases come from.

use proptest::prelude::*;

/// A source of small choices, so that a failing case shrinks with the bytes behind it.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    bytes: Vec<u8>,
    next: usize,
}

impl Choices {
    pub(crate) fn strategy(most: usize) -> impl Strategy<Value = Choices> {
        prop::collection::vec(any::<u8>(), 0..most).prop_map(|bytes| Choices { bytes, next: 0 })
    }

    /// Whether choices are left; behind the last all are 0.
    pub(crate) fn more(&self) -> bool {
        self.next < self.bytes.len()
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(byte) % end.max(1)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn sizes(&mut self, count: usize, end: usize) -> Vec<usize> {
        (0..count).map(|_| self.below(end)).collect()
    }

    pub(crate) fn pick<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        list.get(self.below(list.len())).cloned()
    }
}
