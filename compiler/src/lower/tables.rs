//! Weight tables: the distinct numbers of a linear map, in order of appearance, each stored once.

use std::collections::HashMap;

/// The tables of a plan under construction.
#[derive(Default)]
pub(super) struct Tables(Vec<Vec<f32>>);

impl Tables {
    /// Adds a table of the numbers given, in their order: weights of a kernel stay in the kernel's order, so that views of
    /// them are short. Returns its number, and for each of the numbers its element.
    pub(super) fn add(&mut self, numbers: impl Iterator<Item = f64>) -> (u32, Vec<u32>) {
        let (mut table, mut index) = (vec![], HashMap::new());
        let element = |number: f64| {
            let number = number as f32;
            *index.entry(number.to_bits()).or_insert_with(|| {
                table.push(number);
                table.len() as u32 - 1
            })
        };
        let elements = numbers.map(element).collect();
        self.0.push(table);
        (self.0.len() as u32 - 1, elements)
    }

    /// Adds a table of these numbers. Returns its number.
    pub(super) fn push(&mut self, numbers: &[f64]) -> u32 {
        self.0.push(numbers.iter().map(|&number| number as f32).collect());
        self.0.len() as u32 - 1
    }

    /// An element of a table.
    pub(super) fn number(&self, table: u32, element: u32) -> f64 {
        f64::from(self.0[table as usize][element as usize])
    }

    /// All tables.
    pub(super) fn finish(self) -> Vec<Vec<f32>> {
        self.0
    }
}
