//! Views: which element of a table each slot holds.
//!
//! A plan carries each weight once. A plaintext is a *view*: a list of strided runs that say which slots hold
//! which elements; all other slots are zero. The same form describes where a tensor's elements lie in
//! ciphertexts (for encryption, decryption and error reports).

use super::EmbeddingDiagonal;
use super::progressions::compress;

/// One dimension of a run: `count` positions, a stride of slots and of elements apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    /// Number of positions, at least 2.
    pub count: u32,
    /// Slots from one position to the next.
    pub slot_stride: i32,
    /// Elements from one position to the next.
    pub element_stride: i32,
}

/// A strided box: slot `slot + Σ i_k·slot_stride_k` holds element `element + Σ i_k·element_stride_k`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// First slot.
    pub slot: u32,
    /// Its element.
    pub element: u32,
    /// Dimensions, innermost first; at most [`Run::MAX_DIMS`].
    pub dims: Vec<Dim>,
}

/// Slots and the elements that they hold; no slot twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Runs(pub Vec<Run>);

impl Run {
    /// Most dimensions that a run may have.
    pub const MAX_DIMS: usize = 8;

    /// Number of positions, or `None` if it overflows 32 bits.
    pub fn n_positions(&self) -> Option<u32> {
        self.dims.iter().try_fold(1u32, |product, dim| product.checked_mul(dim.count))
    }

    /// Calls `f(slot, element)` for every position, as integers not yet checked for range.
    pub fn for_each(&self, mut f: impl FnMut(i64, i64)) {
        walk(&self.dims, i64::from(self.slot), i64::from(self.element), &mut f);
    }

    /// Smallest and largest slot and element touched, as `[(slot_min, slot_max), (element_min, element_max)]`.
    pub fn bounds(&self) -> [(i64, i64); 2] {
        let mut bounds = [
            (i64::from(self.slot), i64::from(self.slot)),
            (i64::from(self.element), i64::from(self.element)),
        ];
        for dim in &self.dims {
            let last = i64::from(dim.count) - 1;
            for (bound, stride) in bounds.iter_mut().zip([dim.slot_stride, dim.element_stride]) {
                let move_by = last * i64::from(stride);
                if move_by < 0 {
                    bound.0 += move_by;
                } else {
                    bound.1 += move_by;
                }
            }
        }
        bounds
    }
}

fn walk(dims: &[Dim], slot: i64, element: i64, f: &mut impl FnMut(i64, i64)) {
    let strides = |dim: &Dim| (i64::from(dim.slot_stride), i64::from(dim.element_stride));
    match dims {
        [] => f(slot, element),
        // The innermost on its own: most positions are in it.
        [only] => {
            let (ds, de) = strides(only);
            (0..i64::from(only.count)).for_each(|i| f(slot + i * ds, element + i * de));
        }
        [inner @ .., outer] => {
            let (ds, de) = strides(outer);
            for i in 0..i64::from(outer.count) {
                walk(inner, slot + i * ds, element + i * de, f);
            }
        }
    }
}

impl Runs {
    /// The runs of a slot -> element map. `pairs` has distinct slots in ascending order. Exact for any map; short for the maps
    /// that convolutions and matrices give.
    pub fn from_pairs(pairs: &[(u32, u32)]) -> Runs {
        Runs(compress(pairs))
    }

    /// The same map again at every position of some outer dimensions, which move slots only. They do not overlap.
    pub fn repeated(self, outer: &[Dim]) -> Runs {
        let repeat = |mut run: Run| {
            let free = Run::MAX_DIMS - run.dims.len();
            let (spelled, own) = outer.split_at(outer.len().saturating_sub(free));
            run.dims.extend_from_slice(own);
            let mut all = vec![];
            walk(spelled, i64::from(run.slot), 0, &mut |slot, _| {
                all.push(Run { slot: slot as u32, ..run.clone() });
            });
            all
        };
        Runs(self.0.into_iter().flat_map(repeat).collect())
    }

    /// All (slot, element) pairs, sorted by slot. Call only on runs whose bounds were checked.
    pub fn pairs(&self) -> Vec<(u32, u32)> {
        let mut pairs = vec![];
        for run in &self.0 {
            run.for_each(|slot, element| pairs.push((slot as u32, element as u32)));
        }
        pairs.sort_unstable();
        pairs
    }
}

/// What a plaintext of a plan holds.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// The same number in every slot.
    Splat(f64),
    /// Elements of a table, times a factor; other slots are zero.
    Table {
        /// Index in [`super::Plan::tables`].
        table: u32,
        /// Multiplies every element.
        factor: f64,
        /// Which slot holds which element.
        runs: Runs,
    },
    /// The same multiple of the imaginary unit in every slot.
    Imaginary(f64),
    /// A diagonal of the embedding that bootstrapping evaluates.
    Embedding(EmbeddingDiagonal),
}

/// An encoded plaintext.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The slots.
    pub view: View,
    /// log2 of the scale that it is encoded at.
    pub scale: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compresses_a_convolution_diagonal() {
        // Rows of 12 elements, 24 of a row of 32 slots, in 5 channels: one run of three dimensions.
        let mut pairs = vec![];
        for c in 0..5 {
            for h in 0..12 {
                for w in 0..12 {
                    pairs.push((c * 1024 + h * 64 + w * 2, c * 25 + 7));
                }
            }
        }
        let runs = Runs::from_pairs(&pairs);
        assert_eq!(runs.0.len(), 1);
        assert_eq!(runs.0[0].dims.len(), 3);
        assert_eq!(runs.pairs(), pairs);
    }

    #[test]
    fn repeated_maps_are_all_copies() {
        let pairs = vec![(0, 5), (1, 6), (2, 9), (7, 0), (11, 3)];
        let outer = [(3, 16), (2, 64)];
        let outer = outer.map(|(count, slot_stride)| Dim { count, slot_stride, element_stride: 0 });
        let copies = (0..2).flat_map(|b| (0..3).map(move |a| 16 * a + 64 * b));
        let expected: Vec<(u32, u32)> = copies
            .flat_map(|by| pairs.iter().map(move |&(slot, element)| (slot + by, element)))
            .collect();
        assert_eq!(Runs::from_pairs(&pairs).repeated(&outer).pairs(), expected);
        let dims = (0..Run::MAX_DIMS - 1)
            .map(|k| Dim { count: 2, slot_stride: 1 << k, element_stride: 1 })
            .collect();
        let deep = Runs(vec![Run { slot: 0, element: 0, dims }]);
        let outer = [(3, 1 << 8), (2, 1 << 10)];
        let outer = outer.map(|(count, slot_stride)| Dim { count, slot_stride, element_stride: 0 });
        assert_eq!(deep.clone().repeated(&outer).0.len(), 3);
        assert_eq!(deep.repeated(&outer).pairs().len(), 6 << (Run::MAX_DIMS - 1));
    }

    #[test]
    fn irregular_maps_survive() {
        let pairs = vec![(0, 5), (1, 6), (2, 9), (7, 0), (8, 0), (9, 0), (11, 3)];
        assert_eq!(Runs::from_pairs(&pairs).pairs(), pairs);
        assert_eq!(Runs::from_pairs(&[]).pairs(), vec![]);
        let descending: Vec<_> = (0..40u32).map(|i| (i, 39 - i)).collect();
        let runs = Runs::from_pairs(&descending);
        assert_eq!(runs.0.len(), 1);
        assert_eq!(runs.0[0].bounds(), [(0, 39), (0, 39)]);
    }
}
