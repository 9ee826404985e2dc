//! How far entries of a linear map move slots, entry by entry or dimension by dimension.

use crate::linear::{Product, Relation, Structure};

use super::{Layout, Pair, Period, Shift, SlotSpace};

/// How entries of a map fall on diagonals.
pub(super) struct Geometry {
    space: SlotSpace,
    p_in: Period,
    p_out: Period,
}

impl Geometry {
    pub(super) fn new(input: &Layout, output: &Layout) -> Geometry {
        assert_eq!(input.space, output.space, "layouts of one ring");
        Geometry { space: input.space, p_in: input.period(), p_out: output.period() }
    }

    /// Steps of rotations are modulo this.
    pub(super) fn n_steps(&self) -> usize {
        self.p_in.columns.min(self.p_out.columns)
    }

    /// The pair and shift of the product of the operand's element at one position for the result's at another.
    pub(super) fn place(&self, out: usize, input: usize) -> (Pair, Shift) {
        let Geometry { space, p_in, p_out } = *self;
        let (n, length) = (space.n_slots(), space.row_length());
        let pair = (out / n, input / n);
        let ((out_row, out), (in_row, input)) = (space.split(out % n), space.split(input % n));
        let steps = (input + length - out) % self.n_steps();
        let swap = p_in.rows_differ && p_out.rows_differ && in_row != out_row;
        (pair, Shift { swap, steps: steps as u32 })
    }

    /// The slot of that product, whose shift is known.
    pub(super) fn slot(&self, out: usize, input: usize, shift: Shift) -> u32 {
        let Geometry { space, p_in, p_out } = *self;
        let steps = shift.steps as usize;
        let n = space.n_slots();
        let ((out_row, out), (in_row, input)) = (space.split(out % n), space.split(input % n));
        let column = match p_out.columns >= p_in.columns {
            true => out,
            false => (input + p_in.columns - steps) % p_in.columns,
        };
        let row = if p_out.rows_differ { out_row } else { in_row };
        (row * space.row_length() + column) as u32
    }
}

/// Bits of the number of a ciphertext, and of steps.
const CIPHERTEXT_BITS: u32 = 23;

/// See [`CIPHERTEXT_BITS`].
const STEP_BITS: u32 = 17;

/// Pairs of ciphertexts with shifts, each in one word.
#[derive(Default)]
pub(super) struct Moves {
    words: Vec<u64>,
    /// How many were distinct when they were last counted.
    known: usize,
}

impl Moves {
    /// Adds a move.
    pub(super) fn push(&mut self, (pair, shift): (Pair, Shift)) {
        let ciphertexts = (pair.0 as u64) << CIPHERTEXT_BITS | pair.1 as u64;
        let move_ = u64::from(shift.swap) << STEP_BITS | u64::from(shift.steps);
        self.words.push(ciphertexts << (STEP_BITS + 1) | move_);
        if self.words.len() > 2 * self.known + (1 << 14) {
            self.dedup();
        }
    }

    fn dedup(&mut self) {
        self.words.sort_unstable();
        self.words.dedup();
        self.known = self.words.len();
    }

    /// The moves, each once, in order.
    pub(super) fn distinct(mut self) -> Vec<(Pair, Shift)> {
        self.dedup();
        let low = |word: u64, bits: u32| word & ((1 << bits) - 1);
        let of = |word: u64| {
            let pair = word >> (STEP_BITS + 1);
            let pair = ((pair >> CIPHERTEXT_BITS) as usize, low(pair, CIPHERTEXT_BITS) as usize);
            let steps = low(word, STEP_BITS) as u32;
            (pair, Shift { swap: word >> STEP_BITS & 1 == 1, steps })
        };
        self.words.into_iter().map(of).collect()
    }
}

/// The moves of all entries that a structure names. Positions are sums over dimensions without carries, so moves are as well.
pub(super) fn moves(structure: &Structure, input: &Layout, output: &Layout) -> Moves {
    let by_dimension = ByDimension { geometry: Geometry::new(input, output), input, output };
    let mut all = Moves::default();
    for product in &structure.0 {
        by_dimension.of_product(product).into_iter().for_each(|one| all.push(one));
    }
    all
}

struct ByDimension<'a> {
    geometry: Geometry,
    input: &'a Layout,
    output: &'a Layout,
}

impl ByDimension<'_> {
    fn of_product(&self, product: &Product) -> Vec<(Pair, Shift)> {
        let n_steps = self.geometry.n_steps() as u32;
        let mut all = vec![((0, 0), Shift::default())];
        for relation in &product.0 {
            let own = self.of_relation(relation);
            let mut together = Moves::default();
            for &(pair, shift) in &all {
                for &(p, s) in &own {
                    let steps = (shift.steps + s.steps) % n_steps;
                    let shift = Shift { swap: shift.swap ^ s.swap, steps };
                    together.push(((pair.0 + p.0, pair.1 + p.1), shift));
                }
            }
            all = together.distinct();
        }
        all
    }

    fn of_relation(&self, relation: &Relation) -> Vec<(Pair, Shift)> {
        let offsets = |layout: &Layout, dim: Option<usize>| -> Vec<usize> {
            let all = |dim| (0..layout.shape[dim]).map(|i| layout.offset(dim, i)).collect();
            dim.map_or(vec![0], all)
        };
        let (to, from) = (offsets(self.output, relation.to), offsets(self.input, relation.from));
        let mut moves = Moves::default();
        relation.pairs.for_each(|o, i| moves.push(self.geometry.place(to[o], from[i])));
        moves.distinct()
    }
}
