//! Layouts: where each element of a tensor lies in the slots of its ciphertexts.

use std::fmt;

use hecc_grammar::plan::Runs;

use crate::linear::unflatten;

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
    /// A copy: elements lie at both values. Only as the highest bits of the slot, so that the content has a period.
    Replica,
}

/// A map of the elements of a tensor to slots, bit by bit. Sizes that are not powers of two are padded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layout {
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// log2 of the number of slots of a ciphertext.
    pub log_slots: usize,
    /// Bits of the position, lowest first; those from `log_slots` on number the ciphertexts.
    pub bits: Vec<Bit>,
}

/// Bits needed to index `n` elements.
pub fn bits_for(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}

impl Layout {
    /// Elements in row-major order, dimensions padded to powers of two, above them `top` up to the last slot bit.
    pub fn compact(shape: &[usize], log_slots: usize, top: Bit) -> Layout {
        let mut bits = vec![];
        for (dim, &n) in shape.iter().enumerate().rev() {
            bits.extend((0..bits_for(n)).map(|bit| Bit::Dim { dim: dim as u8, bit: bit as u8 }));
        }
        Layout::filled(shape, log_slots, bits, top)
    }

    /// The given bits, and above them `top` up to the last slot bit.
    pub fn filled(shape: &[usize], log_slots: usize, mut bits: Vec<Bit>, top: Bit) -> Layout {
        while bits.len() < log_slots {
            bits.push(top);
        }
        Layout { shape: shape.to_vec(), log_slots, bits }
    }

    /// Slots of one ciphertext.
    pub fn n_slots(&self) -> usize {
        1 << self.log_slots
    }

    /// The content of every ciphertext repeats with this period (the number of slots if it does not repeat).
    pub fn period(&self) -> usize {
        let slots = &self.bits[..self.log_slots];
        1 << slots.iter().rposition(|&bit| bit != Bit::Replica).map_or(0, |highest| highest + 1)
    }

    /// The position of every element (its first copy), in row-major order of the elements.
    pub fn positions(&self) -> Vec<usize> {
        (0..self.shape.iter().product())
            .map(|element| {
                let index = unflatten(element, &self.shape);
                let place = |(position, bit): (usize, &Bit)| match *bit {
                    Bit::Dim { dim, bit } => (index[dim as usize] >> bit & 1) << position,
                    Bit::Gap | Bit::Replica => 0,
                };
                self.bits.iter().enumerate().map(place).sum()
            })
            .collect()
    }

    /// How many ciphertexts hold an element.
    pub fn n_ciphertexts(&self) -> usize {
        self.positions().iter().max().map_or(1, |&last| last / self.n_slots() + 1)
    }

    /// For each ciphertext, which slot holds which element; every copy if `copies`, else the first.
    pub fn runs(&self, copies: bool) -> Vec<Runs> {
        let (n, period) = (self.n_slots(), if copies { self.period() } else { self.n_slots() });
        let mut pairs = vec![vec![]; self.n_ciphertexts()];
        for (element, position) in self.positions().into_iter().enumerate() {
            for copy in 0..n / period {
                pairs[position / n].push(((position % n + copy * period) as u32, element as u32));
            }
        }
        pairs
            .into_iter()
            .map(|mut pairs| {
                pairs.sort_unstable();
                Runs::from_pairs(&pairs)
            })
            .collect()
    }
}

/// Prints bits from the lowest, as runs: `d3[0..5] d2[0..5] d1[0..2] copy*1 | d1[2..3]`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut i = 0;
        while i < self.bits.len() {
            if i > 0 {
                f.write_str(if i == self.log_slots { " | " } else { " " })?;
            }
            let boundary = if i < self.log_slots { self.log_slots } else { self.bits.len() };
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
        let layout = Layout::compact(&[1, 5, 12, 12], 11, Bit::Replica);
        assert_eq!(layout.to_string(), "d3[0..4] d2[0..4] d1[0..3]");
        let layout = Layout::compact(&[1, 3, 4], 6, Bit::Replica);
        assert_eq!(layout.to_string(), "d2[0..2] d1[0..2] copy*2");
        assert_eq!(layout.period(), 16);
        assert_eq!(layout.positions()[5], 5);
        assert_eq!(layout.runs(true)[0].pairs().len(), 48);
        assert_eq!(layout.n_ciphertexts(), 1);
    }

    #[test]
    fn large_tensors_take_several_ciphertexts() {
        let layout = Layout::compact(&[1, 3, 4, 4], 4, Bit::Gap);
        assert_eq!(layout.to_string(), "d3[0..2] d2[0..2] | d1[0..2]");
        assert_eq!(layout.n_ciphertexts(), 3);
        assert_eq!(layout.runs(true)[2].pairs()[0], (0, 32));
    }
}
