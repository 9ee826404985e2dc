//! Sparse matrices over the elements of tensors: what every linear operator is, whatever its name.

/// A sparse matrix in compressed rows. Entries of a row have distinct, ascending columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    n_cols: usize,
    starts: Vec<usize>,
    cols: Vec<u32>,
    values: Vec<f64>,
}

impl Matrix {
    /// Builds a matrix row by row. `row(o, entries)` pushes the entries (column, value) of row `o`, in any order;
    /// entries of one column add up, in the order pushed, and exact zeros are dropped.
    pub fn from_rows(
        n_rows: usize,
        n_cols: usize,
        mut row: impl FnMut(usize, &mut Vec<(u32, f64)>),
    ) -> Matrix {
        let mut matrix = Matrix { n_cols, starts: vec![0], cols: vec![], values: vec![] };
        let mut entries = vec![];
        for o in 0..n_rows {
            entries.clear();
            row(o, &mut entries);
            entries.sort_by_key(|&(col, _)| col);
            let mut i = 0;
            while i < entries.len() {
                let col = entries[i].0;
                let mut sum = 0.0;
                while i < entries.len() && entries[i].0 == col {
                    sum += entries[i].1;
                    i += 1;
                }
                if sum != 0.0 {
                    matrix.cols.push(col);
                    matrix.values.push(sum);
                }
            }
            matrix.starts.push(matrix.cols.len());
        }
        matrix
    }

    /// The matrix that takes element `source(o)` for row `o`, or nothing (a row of zeros).
    pub fn selection(
        n_rows: usize,
        n_cols: usize,
        source: impl Fn(usize) -> Option<usize>,
    ) -> Matrix {
        Matrix::from_rows(n_rows, n_cols, |o, entries| {
            entries.extend(source(o).map(|i| (i as u32, 1.0)))
        })
    }

    /// The identity.
    pub fn identity(n: usize) -> Matrix {
        Matrix::selection(n, n, Some)
    }

    /// Number of rows: elements of the result.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns: elements of the operand.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Number of entries.
    pub fn n_entries(&self) -> usize {
        self.cols.len()
    }

    /// The entries (column, value) of row `o`, in ascending order of columns.
    pub fn row(&self, o: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[o]..self.starts[o + 1];
        self.cols[range.clone()]
            .iter()
            .zip(&self.values[range])
            .map(|(&col, &value)| (col as usize, value))
    }

    /// Whether this is the identity.
    pub fn is_identity(&self) -> bool {
        self.n_rows() == self.n_cols && (0..self.n_rows()).all(|o| self.row(o).eq([(o, 1.0)]))
    }

    /// Whether every row only copies (at most one entry, of value 1): a move of elements, not a computation.
    pub fn is_selection(&self) -> bool {
        self.starts.windows(2).all(|pair| pair[1] - pair[0] <= 1)
            && self.values.iter().all(|&value| value == 1.0)
    }

    /// The composition: first `inner`, then `self`.
    pub fn after(&self, inner: &Matrix) -> Matrix {
        assert_eq!(
            self.n_cols,
            inner.n_rows(),
            "composed matrices agree on the tensor between them"
        );
        Matrix::from_rows(self.n_rows(), inner.n_cols, |o, entries| {
            for (k, a) in self.row(o) {
                entries.extend(inner.row(k).map(|(i, b)| (i as u32, a * b)));
            }
        })
    }

    /// The sum of two matrices of one shape.
    pub fn plus(&self, other: &Matrix) -> Matrix {
        assert_eq!(
            (self.n_rows(), self.n_cols),
            (other.n_rows(), other.n_cols),
            "summands have one shape"
        );
        Matrix::from_rows(self.n_rows(), self.n_cols, |o, entries| {
            entries.extend(self.row(o).chain(other.row(o)).map(|(i, value)| (i as u32, value)));
        })
    }

    /// Every entry multiplied by `factor`.
    pub fn scaled(&self, factor: f64) -> Matrix {
        let values = self.values.iter().map(|value| value * factor).collect();
        Matrix { values, ..self.clone() }
    }

    /// The product with a vector.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        (0..self.n_rows()).map(|o| self.row(o).map(|(i, value)| value * x[i]).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: usize, cols: usize, seed: u64) -> Matrix {
        Matrix::from_rows(rows, cols, |o, entries| {
            for i in 0..cols {
                let hash = (o as u64 * 31 + i as u64 * 17 + seed) % 5;
                if hash < 2 {
                    entries.push((i as u32, hash as f64 + 0.5));
                }
            }
        })
    }

    #[test]
    fn composition_is_application_in_turn() {
        let (a, b) = (sample(4, 6, 1), sample(6, 5, 2));
        let x: Vec<f64> = (0..5).map(|i| i as f64 - 2.0).collect();
        assert_eq!(a.after(&b).apply(&x), a.apply(&b.apply(&x)));
        assert_eq!(a.after(&Matrix::identity(6)), a);
    }

    #[test]
    fn entries_of_a_column_add_up_and_zeros_vanish() {
        let m = Matrix::from_rows(1, 3, |_, e| e.extend([(2, 1.0), (0, 3.0), (2, -1.0), (0, 1.0)]));
        assert_eq!(m.row(0).collect::<Vec<_>>(), [(0, 4.0)]);
    }

    #[test]
    fn selections_are_told_from_computations() {
        assert!(Matrix::selection(3, 2, |o| (o < 2).then(|| 1 - o)).is_selection());
        assert!(!Matrix::identity(2).scaled(2.0).is_selection());
        assert!(Matrix::identity(4).is_identity());
    }
}
