//! A linear map between two layouts, as diagonals over slots.
//!
//! `y = M·x` becomes `Σ_d w_d ⊙ rot_d(x)` for each pair of ciphertexts, where `w_d` holds the entries whose operand
//! lies `d` slots to the left of their result (Halevi, Shoup, CRYPTO 2014). Two uses are made of periods:
//!
//! - The operand repeats with period `p_in`: `d` matters only modulo `p_in`.
//! - The result repeats with a smaller period `p_out`: `d` matters only modulo `p_out`; the products land on any
//!   slot congruent to the result's, and log2(p_in/p_out) rotate-and-add steps collect them (the hybrid method of
//!   Juvekar, Vaikuntanathan, Chandrakasan, USENIX Security 2018). The steps run over a closed orbit, so that every
//!   copy of the result is valid, without a mask.
//!
//! Terms of one sum share the steps that collect it, so all take the longest period of their operands, `joint`: a product of an operand
//! that repeats sooner is kept in the first of the places that the steps add up, by zeros in the plaintext.
//!
//! Two rows of slots are one more bit of the position, along which slots move by changing rows: where both the operand's and
//! the result's rows differ, entries from one row to the other are diagonals of their own; where only the operand's do,
//! products stay in its row and a change of rows collects them.

use std::collections::{BTreeMap, HashMap};

use crate::linear::LinearMap;

use super::moves::{Geometry, moves};
use super::{Layout, Period, Shift};

/// Result ciphertext, operand ciphertext.
pub type Pair = (usize, usize);

/// For each pair of ciphertexts, the shifts of diagonals that are not zero, ascending.
pub type Shifts = BTreeMap<Pair, Vec<Shift>>;

/// The entries of the diagonals: for each pair and shift, (first slot, number of the entry in row-major order).
pub type Diagonals = BTreeMap<Pair, BTreeMap<Shift, Vec<(u32, u32)>>>;

/// The period of the operands of one sum together.
pub fn joint_period<'a>(inputs: impl IntoIterator<Item = &'a Layout>) -> Period {
    inputs.into_iter().map(Layout::period).fold(Period::ONE, Period::common)
}

/// The nonzero diagonals of a map between two layouts: from its structure if that is known, else entry by entry.
pub fn shifts(map: &LinearMap, input: &Layout, output: &Layout) -> Shifts {
    let geometry = Geometry::new(input, output);
    let moves = match map.structure() {
        Some(structure) => moves(structure, input, output),
        None => {
            let (in_positions, mut moves) = (input.positions(), geometry.moves());
            for (o, out) in output.positions().into_iter().enumerate() {
                for out in geometry.copies().iter().map(|copy| out + copy) {
                    map.row(o).for_each(|(i, _)| moves.push(geometry.place(out, in_positions[i])));
                }
            }
            moves
        }
    };
    let mut shifts = Shifts::new();
    for (pair, shift) in moves.distinct() {
        shifts.entry(pair).or_default().push(shift);
    }
    shifts
}

/// Entries by whether rows change places, and by steps.
type BySteps = [Vec<Vec<(u32, u32)>>; 2];

/// The entries of every diagonal of a map between two layouts.
pub fn diagonals(map: &LinearMap, input: &Layout, output: &Layout) -> Diagonals {
    let geometry = Geometry::new(input, output);
    let in_positions = input.positions();
    // Entries are too many for a search of a tree each.
    let mut by_pair: HashMap<Pair, BySteps> = HashMap::new();
    let mut number = 0;
    for (o, out) in output.positions().into_iter().enumerate() {
        for (i, _) in map.row(o) {
            for out in geometry.copies().iter().map(|copy| out + copy) {
                let (pair, shift) = geometry.place(out, in_positions[i]);
                let slot = geometry.slot(out, in_positions[i], shift);
                let lists = by_pair
                    .entry(pair)
                    .or_insert_with(|| [(); 2].map(|()| vec![vec![]; geometry.n_steps()]));
                lists[usize::from(shift.swap)][shift.steps as usize].push((slot, number));
            }
            number += 1;
        }
    }
    let mut diagonals = Diagonals::new();
    for (pair, lists) in by_pair {
        for (swap, lists) in [false, true].into_iter().zip(lists) {
            for (steps, entries) in (0..).zip(lists).filter(|(_, entries)| !entries.is_empty()) {
                diagonals.entry(pair).or_default().insert(Shift { swap, steps }, entries);
            }
        }
    }
    diagonals
}

/// The steps that add up what of a result lies in slots that are the same to it but not to the operand.
pub fn collect(p_in: Period, p_out: Period) -> Vec<Shift> {
    let doubled = std::iter::successors(Some(p_out.columns), |steps| Some(steps * 2));
    let steps = doubled.take_while(|&steps| steps < p_in.columns);
    let rotations = steps.map(|steps| Shift::rotation(steps as u32));
    let swap = (p_in.rows_differ && !p_out.rows_differ).then_some(Shift { swap: true, steps: 0 });
    rotations.chain(swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Bit, Copies, SlotSpace, candidates, of_input};

    fn check(matrix: &LinearMap, input: &Layout, output: &Layout) {
        check_sum(&[(matrix, input)], output);
    }

    /// Evaluates the diagonals of a sum on slots and compares with the matrices, on every copy of the result.
    fn check_sum(terms: &[(&LinearMap, &Layout)], output: &Layout) {
        let (n, space) = (output.n_slots(), output.space);
        let joint = joint_period(terms.iter().map(|(_, input)| *input));
        let empty = |layout: &Layout| -> BTreeMap<usize, Vec<f64>> {
            layout.ciphertexts().into_iter().map(|number| (number, vec![0.0; n])).collect()
        };
        let mut result = empty(output);
        let mut expected = vec![0.0; terms[0].0.n_rows()];
        for (matrix, input) in terms {
            let x: Vec<f64> = (0..matrix.n_cols()).map(|i| (i * i % 7) as f64 - 2.5).collect();
            expected.iter_mut().zip(matrix.apply(&x)).for_each(|(sum, y)| *sum += y);
            let (shifts, window) = (shifts(matrix, input, output), joint.common(output.period()));
            let slots: BTreeMap<usize, Vec<f64>> =
                input.ciphertexts().into_iter().zip(filled(input, &x)).collect();
            let entries = (0..matrix.n_rows()).flat_map(|o| matrix.row(o));
            let values: Vec<f64> = entries.map(|(_, value)| value).collect();
            for ((o, i), map) in diagonals(matrix, input, output) {
                assert_eq!(map.keys().copied().collect::<Vec<_>>(), shifts[&(o, i)]);
                for (shift, entries) in map {
                    for (slot, number) in entries {
                        let value = values[number as usize];
                        for t in space.copies(slot as usize, window) {
                            result.get_mut(&o).unwrap()[t] +=
                                value * slots[&i][space.source(t, shift)];
                        }
                    }
                }
            }
        }
        for step in collect(joint, output.period()) {
            for slots in result.values_mut() {
                *slots = (0..n).map(|t| slots[t] + slots[space.source(t, step)]).collect();
            }
        }
        for (result, runs) in result.values().zip(output.runs(Copies::All)) {
            for (slot, element) in runs.pairs() {
                let (found, expected) = (result[slot as usize], expected[element as usize]);
                let of = terms.iter().map(|(_, input)| input).collect::<Vec<_>>();
                assert!((found - expected).abs() < 1e-9, "{of:?} to {output}, slot {slot}");
            }
        }
    }

    /// The slots of a tensor, copies included.
    fn filled(layout: &Layout, x: &[f64]) -> Vec<Vec<f64>> {
        let mut slots = vec![vec![0.0; layout.n_slots()]; layout.n_ciphertexts()];
        for (ct, runs) in layout.runs(Copies::All).iter().enumerate() {
            for (slot, element) in runs.pairs() {
                slots[ct][slot as usize] = x[element as usize];
            }
        }
        slots
    }

    fn dense(rows: usize, cols: usize) -> LinearMap {
        LinearMap::from_rows(rows, cols, |o, row| {
            row.extend((0..cols).map(|i| (i as u32, ((o * 13 + i * 5) % 11) as f64 - 4.0)));
        })
    }

    #[test]
    fn matrices_between_all_kinds_of_layouts() {
        let m = dense(6, 20);
        let mut with_copies = 0;
        for space in [1, 2, 3, 5, 7].map(SlotSpace::one_row) {
            for input in of_input(&[4, 5], space, None) {
                for output in of_input(&[6], space, None) {
                    check(&m, &input, &output);
                    let inner = [&input, &output].map(|layout| layout.inner_replicas() > 0);
                    with_copies += usize::from(inner == [true, true]);
                }
            }
        }
        assert!(with_copies > 15, "{with_copies} with copies between elements of both");
    }

    #[test]
    fn matrices_between_layouts_of_two_rows() {
        let m = dense(6, 20);
        for log_row in [2, 4, 6] {
            let space = SlotSpace { log_row, two_rows: true, log_batch: 0 };
            let all = |shape: &[usize]| candidates(shape, space, &[], false);
            for input in all(&[4, 5]) {
                for output in all(&[6]) {
                    check(&m, &input, &output);
                }
            }
        }
    }

    #[test]
    fn sums_of_operands_that_differ_in_period() {
        let (wide, narrow) = (dense(6, 20), dense(6, 3));
        for two_rows in [false, true] {
            let space = SlotSpace { log_row: 6, two_rows, log_batch: 0 };
            let all = |shape: &[usize]| candidates(shape, space, &[], false);
            for a in all(&[20]) {
                for b in all(&[3]) {
                    for output in all(&[6]) {
                        check_sum(&[(&wide, &a), (&narrow, &b)], &output);
                        check_sum(&[(&narrow, &b), (&wide, &a)], &output);
                    }
                }
            }
        }
    }

    #[test]
    fn a_wide_result_of_a_periodic_operand() {
        let space = SlotSpace::one_row(6);
        let input = Layout::compact(&[4], space, Bit::Replica);
        check(&dense(20, 4), &input, &Layout::compact(&[20], space, Bit::Replica));
    }
}
