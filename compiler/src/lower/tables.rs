//! Weight tables: the distinct numbers of a matrix, in order of appearance, each stored once.

use std::collections::HashMap;

use crate::linear::LinearMap;

/// The tables of a plan under construction.
#[derive(Default)]
pub(super) struct Tables {
    tables: Vec<Vec<f32>>,
    indices: Vec<HashMap<u32, u32>>,
}

impl Tables {
    /// Adds the entries of a matrix, row by row: weights of a kernel stay in the kernel's order, so that views of
    /// them are short.
    pub(super) fn add(&mut self, matrix: &LinearMap) -> u32 {
        let (mut table, mut index) = (vec![], HashMap::new());
        for o in 0..matrix.n_rows() {
            for (_, value) in matrix.row(o) {
                let value = value as f32;
                index.entry(value.to_bits()).or_insert_with(|| {
                    table.push(value);
                    table.len() as u32 - 1
                });
            }
        }
        self.tables.push(table);
        self.indices.push(index);
        self.tables.len() as u32 - 1
    }

    /// The element of `table` that holds `value`, which was an entry of its matrix.
    pub(super) fn index(&self, table: u32, value: f64) -> u32 {
        self.indices[table as usize][&(value as f32).to_bits()]
    }

    /// All tables.
    pub(super) fn finish(self) -> Vec<Vec<f32>> {
        self.tables
    }
}
