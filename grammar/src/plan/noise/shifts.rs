//! By how much slots were moved: sets of the automorphisms that a key switch applies.

use std::rc::Rc;

use crate::plan::{Key, Params, Scheme};

/// The moves of a plan's slots: rotations of rows, and in BFV their exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moves {
    row: u32,
    has_two_rows: bool,
}

impl Moves {
    /// Those of a ring.
    pub(super) fn new(params: &Params) -> Moves {
        Moves { row: params.row_length() as u32, has_two_rows: params.scheme() == Scheme::Bfv }
    }

    /// Moves that differ from the one after which they are applied; conjugation of CKKS moves no slot.
    fn after(self, before: u32, key: Key) -> u32 {
        let (row, steps) = (before & !(self.row - 1), before & (self.row - 1));
        match key {
            Key::Rotate(by) => row | ((steps + by) & (self.row - 1)),
            Key::Conjugate if self.has_two_rows => before ^ self.row,
            Key::Conjugate | Key::Relinearize | Key::Encapsulate | Key::Decapsulate => before,
        }
    }

    fn words(self) -> usize {
        let count = if self.has_two_rows { 2 * self.row } else { self.row };
        count.div_ceil(u64::BITS) as usize
    }
}

/// A set of moves, not empty.
#[derive(Clone, Debug)]
pub(super) enum Shifts {
    /// A single one.
    One(u32),
    /// One bit for each move.
    Many(Rc<[u64]>),
}

impl Shifts {
    /// What is where it was.
    pub(super) const NONE: Shifts = Shifts::One(0);

    /// Rotations by multiples of a power of two.
    pub(super) fn multiples(of: u32, moves: Moves) -> Shifts {
        if of >= moves.row {
            return Shifts::NONE;
        }
        let mut bits = vec![0; moves.words()];
        (0..moves.row / of).for_each(|i| set(&mut bits, i * of));
        Shifts::Many(bits.into())
    }

    /// After a key switch.
    pub(super) fn moved(&self, key: Key, moves: Moves) -> Shifts {
        match (self, key) {
            (Shifts::One(shift), _) => Shifts::One(moves.after(*shift, key)),
            (Shifts::Many(_), Key::Relinearize | Key::Encapsulate | Key::Decapsulate) => {
                self.clone()
            }
            (Shifts::Many(_), Key::Conjugate) if !moves.has_two_rows => self.clone(),
            (Shifts::Many(bits), Key::Rotate(_) | Key::Conjugate) => {
                let mut moved = vec![0; bits.len()];
                each(bits, |shift| set(&mut moved, moves.after(shift, key)));
                Shifts::Many(moved.into())
            }
        }
    }

    /// Whether two sets have a move in common.
    pub(super) fn meet(&self, other: &Shifts) -> bool {
        match (self, other) {
            (Shifts::One(a), Shifts::One(b)) => a == b,
            (Shifts::One(a), Shifts::Many(bits)) | (Shifts::Many(bits), Shifts::One(a)) => {
                bits[(a / u64::BITS) as usize] >> (a % u64::BITS) & 1 == 1
            }
            (Shifts::Many(a), Shifts::Many(b)) => a.iter().zip(b.iter()).any(|(a, b)| a & b != 0),
        }
    }

    /// The moves of both.
    pub(super) fn union(&self, other: &Shifts, moves: Moves) -> Shifts {
        if let (Shifts::One(a), Shifts::One(b)) = (self, other)
            && a == b
        {
            return self.clone();
        }
        let mut bits = vec![0; moves.words()];
        [self, other].into_iter().for_each(|shifts| shifts.add_to(&mut bits));
        Shifts::Many(bits.into())
    }

    fn add_to(&self, bits: &mut [u64]) {
        match self {
            Shifts::One(shift) => set(bits, *shift),
            Shifts::Many(own) => {
                bits.iter_mut().zip(own.iter()).for_each(|(bits, own)| *bits |= own)
            }
        }
    }

    /// How many moves differ modulo a power of two.
    pub(super) fn count_modulo(&self, period: u32) -> usize {
        let Shifts::Many(bits) = self else { return 1 };
        let mut residues = vec![0; period.div_ceil(u64::BITS) as usize];
        for words in bits.chunks(residues.len()) {
            residues.iter_mut().zip(words).for_each(|(residues, word)| *residues |= word);
        }
        if period < u64::BITS {
            let word = residues[0];
            let folded =
                (0..u64::BITS).step_by(period as usize).fold(0, |all, by| all | word >> by);
            residues[0] = folded & ((1 << period) - 1);
        }
        residues.iter().map(|word| word.count_ones() as usize).sum()
    }
}

fn set(bits: &mut [u64], shift: u32) {
    bits[(shift / u64::BITS) as usize] |= 1 << (shift % u64::BITS);
}

fn each(bits: &[u64], mut f: impl FnMut(u32)) {
    for (i, word) in bits.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            f(i as u32 * u64::BITS + left.trailing_zeros());
            left &= left - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVES: Moves = Moves { row: 128, has_two_rows: true };

    #[test]
    fn sets_are_moved_and_compared() {
        let both = Shifts::NONE.union(&Shifts::One(127), MOVES);
        let moved = both.moved(Key::Rotate(1), MOVES);
        assert!(moved.meet(&Shifts::One(0)) && moved.meet(&Shifts::One(1)));
        assert!(moved.meet(&both));
        assert_eq!((both.count_modulo(128), both.count_modulo(1)), (2, 1));
        let odd =
            (1..128).step_by(2).fold(Shifts::One(1), |all, i| all.union(&Shifts::One(i), MOVES));
        assert_eq!(
            [1, 2, 4, 32, 64, 128, 256].map(|period| odd.count_modulo(period)),
            [1, 1, 2, 16, 32, 64, 64]
        );
        let swapped = both.moved(Key::Conjugate, MOVES);
        assert!(swapped.meet(&Shifts::One(255)) && !swapped.meet(&both));
        let twice = swapped.moved(Key::Conjugate, MOVES);
        assert!(twice.meet(&both));
    }

    #[test]
    fn conjugation_moves_no_complex_slot() {
        let moves = Moves { row: 4, has_two_rows: false };
        assert!(Shifts::One(3).moved(Key::Conjugate, moves).meet(&Shifts::One(3)));
        assert!(Shifts::One(3).moved(Key::Rotate(2), moves).meet(&Shifts::One(1)));
    }
}
