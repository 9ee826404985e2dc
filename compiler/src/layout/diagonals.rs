//! A matrix between two layouts, as diagonals over slots.
//!
//! `y = M·x` becomes `Σ_d w_d ⊙ rot_d(x)` for each pair of ciphertexts, where `w_d` holds the entries whose operand
//! lies `d` slots to the left of their result (Halevi, Shoup, CRYPTO 2014). Two uses are made of periods:
//!
//! - The operand repeats with period `p_in`: `d` matters only modulo `p_in`.
//! - The result repeats with a smaller period `p_out`: `d` matters only modulo `p_out`; the products land on any
//!   slot congruent to the result's, and log2(p_in/p_out) rotate-and-add steps collect them (the hybrid method of
//!   Juvekar, Vaikuntanathan, Chandrakasan, USENIX Security 2018). The steps run over a closed orbit, so that every
//!   copy of the result is valid, without a mask.

use std::collections::BTreeMap;

use crate::linear::Matrix;

use super::Layout;

/// Result ciphertext, operand ciphertext.
pub type Pair = (usize, usize);

/// Which diagonals are not zero, and how the result is collected.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// For each pair of ciphertexts, the rotations, ascending.
    pub rotations: BTreeMap<Pair, Vec<u32>>,
    /// Rotate-and-add steps after the sum of products, in order.
    pub collect: Vec<u32>,
    /// The plaintexts repeat with this period.
    pub window: usize,
}

/// The entries of the diagonals: for each pair and rotation, (slot below `window`, value) in ascending order.
pub type Diagonals = BTreeMap<Pair, BTreeMap<u32, Vec<(u32, f64)>>>;

/// How entries of a matrix fall on diagonals.
struct Geometry {
    n: usize,
    p_in: usize,
    p_out: usize,
    in_positions: Vec<usize>,
    out_positions: Vec<usize>,
}

impl Geometry {
    fn new(input: &Layout, output: &Layout) -> Geometry {
        assert_eq!(input.log_slots, output.log_slots, "layouts of one ring");
        Geometry {
            n: input.n_slots(),
            p_in: input.period(),
            p_out: output.period(),
            in_positions: input.positions(),
            out_positions: output.positions(),
        }
    }

    fn window(&self) -> usize {
        self.p_in.max(self.p_out)
    }

    /// The pair, rotation and slot of the product of operand element `i` for result element `o`.
    fn place(&self, o: usize, i: usize) -> (Pair, u32, u32) {
        let (out, input) = (self.out_positions[o], self.in_positions[i]);
        let pair = (out / self.n, input / self.n);
        let (out, input) = (out % self.n, input % self.n);
        let rotation = (input + self.n - out) % self.p_in.min(self.p_out);
        let slot =
            if self.p_out >= self.p_in { out } else { (input + self.p_in - rotation) % self.p_in };
        (pair, rotation as u32, slot as u32)
    }
}

/// The nonzero diagonals of a matrix between two layouts.
pub fn pattern(matrix: &Matrix, input: &Layout, output: &Layout) -> Pattern {
    let geometry = Geometry::new(input, output);
    let mut seen: BTreeMap<Pair, Vec<bool>> = BTreeMap::new();
    let period = geometry.p_in.min(geometry.p_out);
    for o in 0..matrix.n_rows() {
        for (i, _) in matrix.row(o) {
            let (pair, rotation, _) = geometry.place(o, i);
            seen.entry(pair).or_insert_with(|| vec![false; period])[rotation as usize] = true;
        }
    }
    let list = |seen: Vec<bool>| (0..period as u32).filter(|&d| seen[d as usize]).collect();
    Pattern {
        rotations: seen.into_iter().map(|(pair, seen)| (pair, list(seen))).collect(),
        collect: steps(geometry.p_out, geometry.p_in),
        window: geometry.window(),
    }
}

/// The entries of every diagonal of a matrix between two layouts.
pub fn diagonals(matrix: &Matrix, input: &Layout, output: &Layout) -> Diagonals {
    let geometry = Geometry::new(input, output);
    let mut diagonals = Diagonals::new();
    for o in 0..matrix.n_rows() {
        for (i, value) in matrix.row(o) {
            let (pair, rotation, slot) = geometry.place(o, i);
            diagonals.entry(pair).or_default().entry(rotation).or_default().push((slot, value));
        }
    }
    for entries in diagonals.values_mut().flat_map(BTreeMap::values_mut) {
        entries.sort_unstable_by_key(|&(slot, _)| slot);
    }
    diagonals
}

/// `from, 2·from, ..` below `to`.
fn steps(from: usize, to: usize) -> Vec<u32> {
    std::iter::successors(Some(from as u32), |step| Some(step * 2))
        .take_while(|&step| (step as usize) < to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Bit;

    /// Evaluates the diagonals on slots and compares with the matrix, on every copy of the result.
    fn check(matrix: &Matrix, input: &Layout, output: &Layout) {
        let n = input.n_slots();
        let x: Vec<f64> = (0..matrix.n_cols()).map(|i| (i * i % 7) as f64 - 2.5).collect();
        let mut slots = vec![vec![0.0; n]; input.n_ciphertexts()];
        for (ct, runs) in input.runs(true).iter().enumerate() {
            for (slot, element) in runs.pairs() {
                slots[ct][slot as usize] = x[element as usize];
            }
        }
        let pattern = pattern(matrix, input, output);
        let mut result = vec![vec![0.0; n]; output.n_ciphertexts()];
        for ((o, i), map) in diagonals(matrix, input, output) {
            assert_eq!(map.keys().copied().collect::<Vec<_>>(), pattern.rotations[&(o, i)]);
            for (d, entries) in map {
                for copy in 0..n / pattern.window {
                    for &(slot, value) in &entries {
                        let t = slot as usize + copy * pattern.window;
                        result[o][t] += value * slots[i][(t + d as usize) % n];
                    }
                }
            }
        }
        for step in pattern.collect {
            for slots in &mut result {
                *slots = (0..n).map(|t| slots[t] + slots[(t + step as usize) % n]).collect();
            }
        }
        let expected = matrix.apply(&x);
        for (ct, runs) in output.runs(true).iter().enumerate() {
            for (slot, element) in runs.pairs() {
                assert!((result[ct][slot as usize] - expected[element as usize]).abs() < 1e-9);
            }
        }
    }

    fn dense(rows: usize, cols: usize) -> Matrix {
        Matrix::from_rows(rows, cols, |o, row| {
            row.extend((0..cols).map(|i| (i as u32, ((o * 13 + i * 5) % 11) as f64 - 4.0)));
        })
    }

    #[test]
    fn matrices_between_all_kinds_of_layouts() {
        let m = dense(6, 20);
        for top_in in [Bit::Gap, Bit::Replica] {
            for top_out in [Bit::Gap, Bit::Replica] {
                for log_slots in [3, 5, 7] {
                    let input = Layout::compact(&[4, 5], log_slots, top_in);
                    let output = Layout::compact(&[6], log_slots, top_out);
                    check(&m, &input, &output);
                }
            }
        }
    }

    #[test]
    fn a_wide_result_of_a_periodic_operand() {
        let input = Layout::compact(&[4], 6, Bit::Replica);
        check(&dense(20, 4), &input, &Layout::compact(&[20], 6, Bit::Replica));
    }
}
