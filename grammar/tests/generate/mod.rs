//! Random plans and models that hold their promises.

mod model;
mod plan;

pub(crate) use model::models;
pub(crate) use plan::plans;

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

    /// A finite number of any size; often a simple one.
    pub(crate) fn number(&mut self) -> f64 {
        let simple = [0.0, -0.0, 1.0, -1.0, 0.5, 40.0, 1e-9, 1e300, f64::MIN_POSITIVE, f64::MAX];
        match self.below(2) {
            0 => simple[self.below(simple.len())],
            _ => {
                let bits = (0..8).fold(0, |bits, _| bits << 8 | self.below(256) as u64);
                Some(f64::from_bits(bits)).filter(|x| x.is_finite()).unwrap_or(5e-324)
            }
        }
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }

    pub(crate) fn name(&mut self) -> String {
        let names =
            ["", "/conv1/Conv", "a \"quoted\" name; with \\", "Zeile\n\t2", "π²\u{200b}", "'"];
        names[self.below(names.len())].to_owned()
    }

    pub(crate) fn sizes(&mut self, count: usize, end: usize) -> Vec<usize> {
        (0..count).map(|_| self.below(end)).collect()
    }

    pub(crate) fn pick<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        list.get(self.below(list.len())).cloned()
    }
}
