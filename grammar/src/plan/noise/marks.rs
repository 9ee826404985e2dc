//! Which plaintexts the noise of an integer plan was multiplied by.
//!
//! Moved copies of one polynomial agree, up to the sign, in the coefficients that the moves leave in place. Multiplied by
//! different vectors, whose polynomials are as good as independent, they do not.

use std::rc::Rc;

use crate::plan::{Run, Runs};

/// More than this are not told apart.
const MOST: usize = 4096;

/// The products of plaintexts that parts of a value's noise were multiplied by.
#[derive(Clone, Debug)]
pub(super) enum Marks {
    /// Ascending.
    These(Rc<[u64]>),
    /// Anything.
    Any,
}

impl Marks {
    /// Multiplied by numbers only.
    pub(super) fn none() -> Marks {
        Marks::These([1].into())
    }

    /// After a product with a vector.
    pub(super) fn times(&self, mark: u64) -> Marks {
        match self {
            Marks::These(list) => {
                let mut list: Vec<u64> = list.iter().map(|x| x.wrapping_mul(mark | 1)).collect();
                list.sort_unstable();
                Marks::These(list.into())
            }
            Marks::Any => Marks::Any,
        }
    }

    /// Of a sum.
    pub(super) fn union<'a>(parts: impl IntoIterator<Item = &'a Marks>) -> Marks {
        let mut all = vec![];
        for part in parts {
            let Marks::These(list) = part else { return Marks::Any };
            all.extend_from_slice(list);
        }
        all.sort_unstable();
        all.dedup();
        if all.len() > MOST { Marks::Any } else { Marks::These(all.into()) }
    }

    /// Whether parts of both may have been multiplied by the same.
    pub(super) fn meet(&self, other: &Marks) -> bool {
        let (Marks::These(a), Marks::These(b)) = (self, other) else { return true };
        let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
        short.iter().any(|x| long.binary_search(x).is_ok())
    }
}

/// A number that vectors of integers share with all that hold the same in any order, with any signs: those that are moved or negated.
/// Zeros do not count. And the largest magnitude.
pub(super) fn mark(table: &[f32], factor: f64, runs: &Runs) -> (u64, f64) {
    let mut largest = 0;
    let mut of_run = |run: &Run| {
        let copies =
            run.dims.iter().filter(|dim| dim.element_stride == 0).map(|dim| u64::from(dim.count));
        let dims = run.dims.iter().filter(|dim| dim.element_stride != 0).copied().collect();
        let mut sum = 0u64;
        Run { dims, ..*run }.for_each(|_, element| {
            let size = (f64::from(table[element as usize]) * factor).abs() as u64;
            largest = size.max(largest);
            sum = sum.wrapping_add(mixed(size));
        });
        sum.wrapping_mul(copies.product())
    };
    let mark = runs.0.iter().map(&mut of_run).fold(0, u64::wrapping_add);
    (mark, largest as f64)
}

/// Zero of zero, and else as if random.
fn mixed(x: u64) -> u64 {
    const FACTORS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
    let once = (x ^ x >> 30).wrapping_mul(FACTORS[0]);
    let twice = (once ^ once >> 27).wrapping_mul(FACTORS[1]);
    twice ^ twice >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Dim;

    #[test]
    fn moved_and_negated_vectors_have_the_same_mark() {
        let dim = |count, slot_stride, element_stride| Dim { count, slot_stride, element_stride };
        let runs = |slot, dims| Runs(vec![Run { slot, element: 0, dims }]);
        let table: Vec<f32> = (0..16u8).map(|i| f32::from(i * i % 11) - 3.0).collect();
        let mut rotated = table.clone();
        rotated.rotate_left(5);
        let of = |table: &[f32], factor| mark(table, factor, &runs(3, vec![dim(16, 1, 1)])).0;
        assert_eq!(of(&rotated, -1.0), of(&table, 1.0));
        assert_ne!(of(&table, 2.0), of(&table, 1.0));
        let (twice, largest) = mark(&table, -1.0, &runs(0, vec![dim(2, 16, 0), dim(16, 1, 1)]));
        assert_eq!((twice, largest), (of(&table, 1.0).wrapping_mul(2), 6.0));
        assert_ne!(twice, of(&table, 1.0));
    }

    #[test]
    fn products_do_not_depend_on_their_order() {
        let [a, b] = [Marks::none().times(7).times(9), Marks::none().times(9).times(7)];
        assert!(a.meet(&b) && !a.meet(&Marks::none()));
        assert!(Marks::union([&a, &Marks::none()]).meet(&Marks::none()));
        assert!(Marks::Any.meet(&a));
    }
}
