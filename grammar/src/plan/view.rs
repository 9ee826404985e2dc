//! Views: which element of a table each slot holds.
//!
//! A plan carries each weight once. A plaintext is a *view*: a list of strided runs that say which slots hold
//! which elements; all other slots are zero. The same form describes where a tensor's elements lie in
//! ciphertexts (for encryption, decryption and error reports).

use super::EmbeddingDiagonal;

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
    pub const MAX_DIMS: usize = 4;

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
    match dims.split_last() {
        None => f(slot, element),
        Some((outer, inner)) => {
            for i in 0..i64::from(outer.count) {
                let (ds, de) = (i64::from(outer.slot_stride), i64::from(outer.element_stride));
                walk(inner, slot + i * ds, element + i * de, f);
            }
        }
    }
}

impl Runs {
    /// The runs of a slot -> element map. `pairs` has distinct slots in ascending order.
    ///
    /// Greedy: maximal arithmetic progressions first, then progressions of equal progressions, and so on. Exact for
    /// any map; short for the maps that convolutions and matrices give.
    pub fn from_pairs(pairs: &[(u32, u32)]) -> Runs {
        let mut runs = progressions(pairs);
        for _ in 1..Run::MAX_DIMS {
            let before = runs.len();
            runs = merge_progressions(runs);
            if runs.len() == before {
                break;
            }
        }
        Runs(runs)
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

/// The maximal arithmetic progressions of a map. A pair is kept apart when its second half starts a longer one of its own.
fn progressions(pairs: &[(u32, u32)]) -> Vec<Run> {
    let step_to = |k: usize| {
        let (&a, &b) = (pairs.get(k - 1)?, pairs.get(k)?);
        let step = |a: u32, b: u32| i32::try_from(i64::from(b) - i64::from(a)).ok();
        step(a.0, b.0).zip(step(a.1, b.1))
    };
    let mut runs = vec![];
    let mut i = 0;
    while let Some(&(slot, element)) = pairs.get(i) {
        let step = step_to(i + 1);
        let mut count = 1;
        while step.is_some() && step_to(i + count) == step {
            count += 1;
        }
        let is_long = count > 2 || step_to(i + 2).is_none() || step_to(i + 2) != step_to(i + 3);
        let dims = match step {
            Some((slot_stride, element_stride)) if is_long => {
                vec![Dim { count: count as u32, slot_stride, element_stride }]
            }
            Some(_) | None => vec![],
        };
        i += if dims.is_empty() { 1 } else { count };
        runs.push(Run { slot, element, dims });
    }
    runs
}

/// Joins consecutive runs of equal dimensions whose starts are in arithmetic progression.
fn merge_progressions(runs: Vec<Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    let mut i = 0;
    while i < runs.len() {
        let first = &runs[i];
        let stride_to = |k: usize| {
            let (a, b) = (&runs[k - 1], runs.get(k)?);
            let stride = (
                i64::from(b.slot) - i64::from(a.slot),
                i64::from(b.element) - i64::from(a.element),
            );
            let fits = |x: i64| i32::try_from(x).is_ok();
            (b.dims == first.dims && fits(stride.0) && fits(stride.1)).then_some(stride)
        };
        let mut count = 1;
        let stride = stride_to(i + 1);
        if stride.is_some() {
            count = 2;
            while stride_to(i + count) == stride {
                count += 1;
            }
        }
        match stride {
            // A pair is kept apart when its second half starts a longer progression of its own.
            Some((slot_stride, element_stride))
                if count > 2
                    || stride_to(i + 2).is_none()
                    || stride_to(i + 2) != stride_to(i + 3) =>
            {
                let mut dims = first.dims.clone();
                dims.push(Dim {
                    count: count as u32,
                    slot_stride: slot_stride as i32,
                    element_stride: element_stride as i32,
                });
                merged.push(Run { dims, ..first.clone() });
                i += count;
            }
            _ => {
                merged.push(first.clone());
                i += 1;
            }
        }
    }
    merged
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
        let deep = Run {
            slot: 0,
            element: 0,
            dims: vec![Dim { count: 2, slot_stride: 1, element_stride: 1 }; 3],
        };
        let steps = [1, 2, 4].map(|slot_stride| Dim { count: 2, slot_stride, element_stride: 1 });
        let deep = Runs(vec![Run { dims: steps.to_vec(), ..deep }]);
        assert_eq!(deep.clone().repeated(&outer).0.len(), 3);
        assert_eq!(deep.repeated(&outer).pairs().len(), 48);
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
