//! Linear maps spelled out entry by entry: products of computations, which have no shorter form.

/// A matrix in compressed rows. Entries of a row have distinct, ascending columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sparse {
    starts: Vec<usize>,
    cols: Vec<u32>,
    values: Vec<f64>,
}

impl Sparse {
    /// Builds a matrix row by row. `row(o, entries)` pushes the entries (column, value) of row `o`, in any order;
    /// entries of one column add up, in the order pushed, and exact zeros are dropped.
    pub(super) fn from_rows(
        n_rows: usize,
        mut row: impl FnMut(usize, &mut Vec<(u32, f64)>),
    ) -> Sparse {
        let mut matrix = Sparse { starts: vec![0], cols: vec![], values: vec![] };
        let mut entries = vec![];
        for o in 0..n_rows {
            entries.clear();
            row(o, &mut entries);
            add_up(&mut entries);
            matrix.cols.extend(entries.iter().map(|(col, _)| col));
            matrix.values.extend(entries.iter().map(|(_, value)| value));
            matrix.starts.push(matrix.cols.len());
        }
        matrix
    }

    /// Number of entries.
    pub(super) fn n_entries(&self) -> usize {
        self.cols.len()
    }

    /// The entries (column, value) of row `o`, in ascending order of columns.
    pub(super) fn row(&self, o: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[o]..self.starts[o + 1];
        self.cols[range.clone()]
            .iter()
            .zip(&self.values[range])
            .map(|(&col, &value)| (col as usize, value))
    }
}

/// Sorts entries by column and adds up those of one column, in the order given; exact zeros are dropped.
pub(super) fn add_up(entries: &mut Vec<(u32, f64)>) {
    if !entries.is_sorted_by(|a, b| a.0 < b.0) {
        entries.sort_by_key(|&(col, _)| col);
        entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
    entries.retain(|&(_, value)| value != 0.0);
}
