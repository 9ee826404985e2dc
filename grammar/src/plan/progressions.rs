//! Finds the runs of a map from slots to elements: maximal arithmetic progressions first, then progressions of equal
//! progressions, and so on, and in the end equal ones that lie apart, as bits of channels between those of pixels leave them.

use std::collections::BTreeMap;

use super::{Dim, Run};

/// The runs of a map, of distinct slots in ascending order.
pub(super) fn compress(pairs: &[(u32, u32)]) -> Vec<Run> {
    let mut runs = progressions(pairs);
    for _ in 1..Run::MAX_DIMS {
        let before = runs.len();
        runs = merge_progressions(runs);
        if runs.len() == before {
            break;
        }
    }
    pair_apart(runs)
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

/// The first slot and element of a run.
type Start = (u32, u32);

/// From one start to another.
type Stride = (i32, i32);

/// Joins runs of equal dimensions that lie apart, two by two, as long as there are any.
fn pair_apart(runs: Vec<Run>) -> Vec<Run> {
    let mut by_dims: BTreeMap<Vec<(u32, Stride)>, Vec<Start>> = BTreeMap::new();
    for run in runs {
        let dims = run.dims.iter().map(|dim| (dim.count, (dim.slot_stride, dim.element_stride)));
        by_dims.entry(dims.collect()).or_default().push((run.slot, run.element));
    }
    let mut done = vec![];
    // Joined runs come after those that they are made of.
    while let Some((dims, mut starts)) = by_dims.pop_first() {
        starts.sort_unstable();
        let stride = if may_grow(&dims) { best_stride(&starts) } else { None };
        let (firsts, alone) = match stride {
            Some(stride) => split_pairs(&starts, stride),
            None => (vec![], starts),
        };
        if let Some(stride) = stride {
            by_dims.entry(grown(&dims, stride)).or_default().extend(&firsts);
            if alone.len() > 1 {
                by_dims.insert(dims, alone);
                continue;
            }
        }
        let dim = |&(count, (slot_stride, element_stride)): &(u32, Stride)| Dim {
            count,
            slot_stride,
            element_stride,
        };
        let dims: Vec<Dim> = dims.iter().map(dim).collect();
        done.extend(alone.into_iter().map(|(slot, element)| Run {
            slot,
            element,
            dims: dims.clone(),
        }));
    }
    done.sort_unstable_by_key(|run| run.slot);
    done
}

/// Of runs of equal dimensions at least this part must be joined by a stride: few would cost more time than they save.
const WORTHWHILE: usize = 8;

/// The stride that joins most starts, ascending, to others. In a box whose sides are powers of two those that are a power of two
/// apart in the list are neighbors along one side.
fn best_stride(starts: &[Start]) -> Option<Stride> {
    let powers = (0..usize::BITS).map(|log| 1 << log);
    let apart = powers.take_while(|&k| k < starts.len());
    let joined = |k: usize| {
        let stride = stride(starts[0], starts[k])?;
        Some((split_pairs(starts, stride).0.len(), stride))
    };
    // The first of several that are as good: its dimension may grow.
    let better = |a: (usize, Stride), b: (usize, Stride)| if b.0 > a.0 { b } else { a };
    let best = apart.filter_map(joined).reduce(better);
    best.filter(|(count, _)| count * WORTHWHILE >= starts.len()).map(|(_, stride)| stride)
}

fn stride(a: Start, b: Start) -> Option<Stride> {
    let difference = |a: u32, b: u32| i32::try_from(i64::from(b) - i64::from(a)).ok();
    difference(a.0, b.0).zip(difference(a.1, b.1))
}

/// The starts that have another a stride away, and those that are neither one nor the other. Ascending.
fn split_pairs(starts: &[Start], (slots, elements): Stride) -> (Vec<Start>, Vec<Start>) {
    let mut is_second = vec![false; starts.len()];
    let (mut firsts, mut alone) = (vec![], vec![]);
    for (i, &(slot, element)) in starts.iter().enumerate() {
        if is_second[i] {
            continue;
        }
        let next = slot.checked_add_signed(slots).zip(element.checked_add_signed(elements));
        let place = next.and_then(|next| starts[i + 1..].binary_search(&next).ok());
        match place {
            Some(after) if !is_second[i + 1 + after] => {
                is_second[i + 1 + after] = true;
                firsts.push((slot, element));
            }
            Some(_) | None => alone.push((slot, element)),
        }
    }
    (firsts, alone)
}

/// Whether runs may have one more dimension.
fn may_grow(dims: &[(u32, Stride)]) -> bool {
    dims.len() < Run::MAX_DIMS
}

/// The dimensions of two runs a stride apart: the last one twice as long where that is the same.
fn grown(dims: &[(u32, Stride)], stride: Stride) -> Vec<(u32, Stride)> {
    let mut dims = dims.to_vec();
    if let Some((count, (slots, elements))) = dims.last_mut() {
        let beyond = |stride: i32| i64::from(*count) * i64::from(stride);
        if (beyond(*slots), beyond(*elements)) == (i64::from(stride.0), i64::from(stride.1)) {
            *count *= 2;
            return dims;
        }
    }
    dims.push((2, stride));
    dims
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots and elements of all positions of runs.
    fn pairs(runs: &[Run]) -> Vec<(u32, u32)> {
        let mut pairs = vec![];
        for run in runs {
            run.for_each(|slot, element| pairs.push((slot as u32, element as u32)));
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn a_box_whose_sides_are_interleaved_is_one_run() {
        // Two bits of channels, three of pixels that are not read by the last one, three of channels.
        let map: Vec<(u32, u32)> = (0..256u32)
            .filter(|slot| slot >> 2 & 7 != 7)
            .map(|slot| (slot, 9 * (slot >> 5) + 100 * (slot & 3)))
            .collect();
        let runs = compress(&map);
        assert_eq!(runs.len(), 1);
        assert_eq!(pairs(&runs), map);
        let scattered: Vec<(u32, u32)> = (0..256u32)
            .filter(|slot| slot >> 2 & 7 != 7)
            .map(|slot| (slot, 9 * (slot >> 5 & 1) + 70 * (slot >> 6) + 1000 * (slot & 3)))
            .collect();
        assert_eq!(compress(&scattered).len(), 1);
        assert_eq!(pairs(&compress(&scattered)), scattered);
    }

    #[test]
    fn any_map_is_kept() {
        let mut state = 1u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for bits in [1, 2, 3, 6] {
            let map: Vec<(u32, u32)> = (0..3000u32)
                .map(|slot| (slot, next() % (1 << bits)))
                .filter(|(slot, element)| (slot ^ element) % 3 != 0)
                .collect();
            let runs = compress(&map);
            assert_eq!(pairs(&runs), map);
            assert!(runs.iter().all(|run| run.dims.len() <= Run::MAX_DIMS));
        }
    }
}
