//! Layouts: where each element of a tensor lies in the slots of its ciphertexts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hecc_grammar::plan::Runs;

use super::{Period, SlotSpace};

/// What one bit of the position (ciphertext index · slots + slot) stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bit {
    /// Bit `bit` of the index along dimension `dim`.
    Dim {
        /// The dimension.
        dim: u8,
        /// The bit, 0 the least significant.
        bit: u8,
    },
    /// Nothing: elements lie where this bit is 0; what lies at 1 is undefined.
    Gap,
    /// A copy: elements lie at both values. As the highest bits of the column and as the row the content has a period; below these
    /// copies lie between elements. Not as a bit of the ciphertext.
    Replica,
}

/// A map of the elements of a tensor to slots, bit by bit. Sizes that are not powers of two are padded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layout {
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// The slots of a ciphertext.
    pub space: SlotSpace,
    /// Bits of the position, lowest first: of the column, of the row if there are two, of the ciphertext.
    pub bits: Vec<Bit>,
}

/// Which copies of elements are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// One of each.
    First,
    /// Those of one period.
    OfPeriod,
    /// All.
    All,
}

/// Bits needed to index `n` elements.
pub fn bits_for(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}

impl Layout {
    /// Elements in row-major order, dimensions padded to powers of two, above them `top` up to the last slot bit.
    pub fn compact(shape: &[usize], space: SlotSpace, top: Bit) -> Layout {
        let mut bits = vec![];
        for (dim, &n) in shape.iter().enumerate().rev() {
            bits.extend((0..bits_for(n)).map(|bit| Bit::Dim { dim: dim as u8, bit: bit as u8 }));
        }
        Layout::filled(shape, space, bits, top)
    }

    /// The given bits, and above them `top` up to the last slot bit.
    pub fn filled(shape: &[usize], space: SlotSpace, mut bits: Vec<Bit>, top: Bit) -> Layout {
        while bits.len() < space.log_slots() {
            bits.push(top);
        }
        Layout { shape: shape.to_vec(), space, bits }
    }

    /// The same with half of the elements in the second row, where that holds nothing of its own: the highest bit of the
    /// column that stands for something moves there, and halves repeat twice as often.
    pub fn split_over_rows(&self) -> Option<Layout> {
        let (row, in_rows) = (self.space.log_row, &self.bits[..self.space.log_row]);
        let is_free = self.space.two_rows && !matches!(self.bits[row], Bit::Dim { .. });
        let highest = in_rows.iter().rposition(|bit| matches!(bit, Bit::Dim { .. }))?;
        is_free.then(|| {
            let mut split = self.clone();
            split.bits[row] = split.bits[highest];
            split.bits[highest] = self.bits[row];
            split
        })
    }

    /// Slots of one ciphertext.
    pub fn n_slots(&self) -> usize {
        self.space.n_slots()
    }

    /// How far the content of every ciphertext repeats.
    pub fn period(&self) -> Period {
        let (columns, row) = self.bits[..self.space.log_slots()].split_at(self.space.log_row);
        let highest = columns.iter().rposition(|&bit| bit != Bit::Replica);
        Period {
            columns: 1 << highest.map_or(0, |highest| highest + 1),
            rows_differ: row.iter().any(|&bit| bit != Bit::Replica),
        }
    }

    /// What index `index` along dimension `dim` adds to the position of an element.
    pub fn offset(&self, dim: usize, index: usize) -> usize {
        let place = |(position, bit): (usize, &Bit)| match *bit {
            Bit::Dim { dim: own, bit } if usize::from(own) == dim => (index >> bit & 1) << position,
            Bit::Dim { .. } | Bit::Gap | Bit::Replica => 0,
        };
        self.bits.iter().enumerate().map(place).sum()
    }

    /// What each index along a dimension adds to the position; 0 for none.
    pub fn offsets(&self, dim: Option<usize>) -> Vec<usize> {
        let all = |dim| (0..self.shape[dim]).map(|index| self.offset(dim, index)).collect();
        dim.map_or(vec![0], all)
    }

    /// The bits of the slot that are copies below the period.
    pub fn inner_replicas(&self) -> usize {
        let columns = self.bits[..self.space.log_row].iter().enumerate();
        let copies = columns.filter(|(_, bit)| **bit == Bit::Replica).map(|(place, _)| 1 << place);
        copies.sum::<usize>() & (self.period().columns - 1)
    }

    /// How far the copies within a period lie from the first, which is one of them; ascending.
    pub fn copies(&self) -> Vec<usize> {
        let mut copies = vec![0];
        for bit in (0..self.space.log_row).map(|place| 1 << place) {
            if self.inner_replicas() & bit != 0 {
                copies.extend(copies.clone().into_iter().map(|copy| copy + bit));
            }
        }
        copies
    }

    /// The position of every element (its first copy), in row-major order of the elements.
    pub fn positions(&self) -> Vec<usize> {
        let mut positions = vec![0];
        for dim in 0..self.shape.len() {
            let offsets = self.offsets(Some(dim));
            let along = |position: usize| offsets.iter().map(move |offset| position + offset);
            positions = positions.into_iter().flat_map(along).collect();
        }
        positions
    }

    /// The numbers of the ciphertexts that hold an element, ascending: where dimensions are padded, others do not.
    pub fn ciphertexts(&self) -> Vec<usize> {
        let mut numbers = BTreeSet::from([0]);
        for dim in 0..self.shape.len() {
            let along: BTreeSet<usize> =
                self.offsets(Some(dim)).into_iter().map(|x| x / self.n_slots()).collect();
            numbers =
                numbers.iter().flat_map(|number| along.iter().map(move |x| number + x)).collect();
        }
        numbers.into_iter().collect()
    }

    /// How many ciphertexts hold an element.
    pub fn n_ciphertexts(&self) -> usize {
        self.ciphertexts().len()
    }

    /// Whether every element has a ciphertext of its own, in row-major order.
    pub fn is_by_element(&self) -> bool {
        self.space.log_slots() == 0
            && self.bits == Layout::compact(&self.shape, self.space, Bit::Gap).bits
    }

    /// log2 of the ring's slots that are bootstrapped.
    pub fn log_bootstrapped(&self) -> u32 {
        self.space.log_bootstrapped(self.period())
    }

    /// For each ciphertext that holds any, which slot holds which element.
    pub fn runs(&self, of: Copies) -> Vec<Runs> {
        let (n, period) = (self.n_slots(), self.period());
        let inner = if of == Copies::First { vec![0] } else { self.copies() };
        let mut pairs: BTreeMap<usize, Vec<(u32, u32)>> = BTreeMap::new();
        for (element, position) in self.positions().into_iter().enumerate() {
            let pair = |copy: &usize| ((position % n + copy) as u32, element as u32);
            pairs.entry(position / n).or_default().extend(inner.iter().map(pair));
        }
        let repeats = if of == Copies::All { self.space.repeats(period) } else { vec![] };
        let of_ciphertext = |mut pairs: Vec<(u32, u32)>| {
            pairs.sort_unstable();
            Runs::from_pairs(&pairs).repeated(&repeats)
        };
        pairs.into_values().map(of_ciphertext).collect()
    }
}

/// Prints bits from the lowest, as runs: `d3[0..5] d2[0..5] d1[0..2] copy*1 | d1[2..3]`, with `/` before that of the row.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SlotSpace { log_row, two_rows, .. } = self.space;
        let log_slots = self.space.log_slots();
        let mut i = 0;
        while i < self.bits.len() {
            if i > 0 {
                f.write_str(match i {
                    _ if i == log_slots => " | ",
                    _ if i == log_row && two_rows => " / ",
                    _ => " ",
                })?;
            }
            let boundary = match i {
                _ if i < log_row => log_row,
                _ if i < log_slots => log_slots,
                _ => self.bits.len(),
            };
            let continues = |k: usize| match (self.bits[i], self.bits[k]) {
                (Bit::Dim { dim, bit }, Bit::Dim { dim: d, bit: b }) => {
                    d == dim && usize::from(b) == usize::from(bit) + k - i
                }
                (a, b) => a == b,
            };
            let end = (i + 1..boundary).find(|&k| !continues(k)).unwrap_or(boundary);
            match self.bits[i] {
                Bit::Dim { dim, bit } => {
                    write!(f, "d{dim}[{bit}..{}]", usize::from(bit) + end - i)?
                }
                Bit::Gap => write!(f, "gap*{}", end - i)?,
                Bit::Replica => write!(f, "copy*{}", end - i)?,
            }
            i = end;
        }
        Ok(())
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_pads_and_copies() {
        let layout = Layout::compact(&[1, 5, 12, 12], SlotSpace::one_row(11), Bit::Replica);
        assert_eq!(layout.to_string(), "d3[0..4] d2[0..4] d1[0..3]");
        let layout = Layout::compact(&[1, 3, 4], SlotSpace::one_row(6), Bit::Replica);
        assert_eq!(layout.to_string(), "d2[0..2] d1[0..2] copy*2");
        assert_eq!(layout.period(), Period { columns: 16, rows_differ: false });
        assert_eq!(layout.positions()[5], 5);
        assert_eq!(layout.runs(Copies::All)[0].pairs().len(), 48);
        assert_eq!(layout.n_ciphertexts(), 1);
    }

    #[test]
    fn large_tensors_take_several_ciphertexts() {
        let layout = Layout::compact(&[1, 3, 4, 4], SlotSpace::one_row(4), Bit::Gap);
        assert_eq!(layout.to_string(), "d3[0..2] d2[0..2] | d1[0..2]");
        assert_eq!(layout.n_ciphertexts(), 3);
        let padded = Layout::compact(&[2, 5, 4], SlotSpace::one_row(3), Bit::Gap);
        assert_eq!(padded.to_string(), "d2[0..2] d1[0..1] | d1[1..3] d0[0..1]");
        assert_eq!(padded.ciphertexts(), [0, 1, 2, 4, 5, 6]);
        assert_eq!(layout.runs(Copies::All)[2].pairs()[0], (0, 32));
    }

    #[test]
    fn two_rows_hold_copies_or_halves() {
        let space = SlotSpace { log_row: 5, two_rows: true, log_batch: 0 };
        let whole = Layout::compact(&[3, 4], space, Bit::Replica);
        assert_eq!(whole.to_string(), "d1[0..2] d0[0..2] copy*1 / copy*1");
        assert_eq!(whole.runs(Copies::All)[0].pairs().len(), 48);
        let halves = whole.split_over_rows().unwrap();
        assert_eq!(halves.to_string(), "d1[0..2] d0[0..1] copy*2 / d0[1..2]");
        assert_eq!(halves.period(), Period { columns: 8, rows_differ: true });
        // Element (2, 1) is (0, 1) of the second row.
        assert_eq!(halves.positions()[9], 32 + 1);
        assert_eq!(halves.runs(Copies::All)[0].pairs().len(), 48);
        assert_eq!(halves.split_over_rows(), None);
        // Four times as many as a row holds.
        let large = Layout::compact(&[8, 16], space, Bit::Replica);
        assert_eq!(large.to_string(), "d1[0..4] d0[0..1] / d0[1..2] | d0[2..3]");
    }
}
