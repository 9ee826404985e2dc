//! The slots of a ciphertext and how they move: cyclically within rows, of which CKKS has one and BFV two that may change
//! places.
//!
//! Of a batch the ring's slots are taken in groups, one slot of a group for each input, and layouts speak of groups: what moves
//! moves by whole groups, so that inputs never meet. That is the innermost dimension of a tile tensor (Aharoni et al., PoPETs
//! 2023).

use hecc_grammar::plan::{Dim, Key, Run, Runs};

/// Rows of slots, of the same power of two; of a batch, of groups of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotSpace {
    /// log2 of the length of a row.
    pub log_row: usize,
    /// Whether there are two.
    pub two_rows: bool,
    /// log2 of the ring's slots that a slot stands for: the inputs of a batch.
    pub log_batch: usize,
}

/// A move of slots: first to the left within rows, cyclically, then from row to row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shift {
    /// Whether rows change places.
    pub swap: bool,
    /// Steps to the left.
    pub steps: u32,
}

/// How far the content of slots repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Within a row.
    pub columns: usize,
    /// Whether the second row differs from the first.
    pub rows_differ: bool,
}

impl SlotSpace {
    /// A single row.
    pub fn one_row(log_row: usize) -> SlotSpace {
        SlotSpace { log_row, two_rows: false, log_batch: 0 }
    }

    /// log2 of the number of slots.
    pub fn log_slots(self) -> usize {
        self.log_row + usize::from(self.two_rows)
    }

    /// Number of slots.
    pub fn n_slots(self) -> usize {
        1 << self.log_slots()
    }

    /// Length of a row.
    pub fn row_length(self) -> usize {
        1 << self.log_row
    }

    /// The key that moves slots so, if it takes a single one.
    pub fn key(self, shift: Shift) -> Option<Key> {
        match shift {
            Shift { swap: true, steps: 0 } => Some(Key::Conjugate),
            Shift { swap: false, steps: steps @ 1.. } => Some(self.rotation(steps)),
            Shift { .. } => None,
        }
    }

    /// The key that rotates rows.
    pub fn rotation(self, steps: u32) -> Key {
        Key::Rotate(steps << self.log_batch)
    }

    /// A map of slots in slots of the ring: those of the first input.
    pub fn in_ring(self, Runs(mut runs): Runs) -> Runs {
        for Run { slot, dims, .. } in &mut runs {
            *slot <<= self.log_batch;
            dims.iter_mut().for_each(|dim| dim.slot_stride <<= self.log_batch);
        }
        Runs(runs)
    }

    /// What a plaintext with this period holds, of which the first slots are given: in slots of the ring, for all inputs.
    pub fn plaintext(self, first: Runs, period: Period) -> Runs {
        let count = 1 << self.log_batch;
        let inputs = (count > 1).then_some(Dim { count, slot_stride: 1, element_stride: 0 });
        let repeated = self.in_ring(first.repeated(&self.repeats(period)));
        repeated.repeated(inputs.as_slice())
    }

    /// log2 of the ring's slots that are bootstrapped for contents of this period: what repeats sooner also repeats with four.
    pub fn log_bootstrapped(self, period: Period) -> u32 {
        (period.columns.ilog2() + self.log_batch as u32).max(2)
    }

    /// Row and column of a slot.
    pub fn split(self, slot: usize) -> (usize, usize) {
        (slot / self.row_length(), slot % self.row_length())
    }

    /// The slot whose content a shift moves to `slot`.
    pub fn source(self, slot: usize, shift: Shift) -> usize {
        let (row, column) = self.split(slot);
        let column = (column + shift.steps as usize) % self.row_length();
        (row ^ usize::from(shift.swap)) * self.row_length() + column
    }

    /// The first of the slots that hold what `slot` holds.
    pub fn first(self, slot: usize, period: Period) -> usize {
        let (row, column) = self.split(slot);
        let row = if period.rows_differ { row } else { 0 };
        row * self.row_length() + column % period.columns
    }

    /// The others, as strided dimensions from there.
    pub fn repeats(self, period: Period) -> Vec<Dim> {
        let dim = |count: usize, step: usize| {
            let (count, slot_stride) = (count as u32, step as i32);
            (count > 1).then_some(Dim { count, slot_stride, element_stride: 0 })
        };
        let rows = if self.two_rows && !period.rows_differ { 2 } else { 1 };
        let columns = dim(self.row_length() / period.columns, period.columns);
        columns.into_iter().chain(dim(rows, self.row_length())).collect()
    }

    /// All slots that hold what `slot` holds.
    pub fn copies(self, slot: usize, period: Period) -> impl Iterator<Item = usize> {
        let (row, column) = self.split(slot);
        let rows = match self.two_rows && !period.rows_differ {
            true => 0..2,
            false => row..row + 1,
        };
        let column = column % period.columns;
        rows.flat_map(move |row| {
            let first = row * self.row_length() + column;
            (0..self.row_length() / period.columns).map(move |copy| first + copy * period.columns)
        })
    }
}

impl Shift {
    /// A rotation of rows.
    pub fn rotation(steps: u32) -> Shift {
        Shift { swap: false, steps }
    }
}

impl Period {
    /// One number in all slots.
    pub const ONE: Period = Period { columns: 1, rows_differ: false };

    /// The common period of two contents.
    pub fn common(self, other: Period) -> Period {
        Period {
            columns: self.columns.max(other.columns),
            rows_differ: self.rows_differ || other.rows_differ,
        }
    }
}
