//! How far entries of a linear map move slots, entry by entry or dimension by dimension.

use std::rc::Rc;

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
        let (row, column) = self.space.split(self.unmoved(out, input) as usize);
        let column = match self.unmoved_by(shift) {
            Some((by, length)) => (column + by) % length,
            None => column,
        };
        (row * self.space.row_length() + column) as u32
    }

    /// That slot before columns move cyclically by what [`Self::unmoved_by`] says: a sum over dimensions.
    pub(super) fn unmoved(&self, out: usize, input: usize) -> u32 {
        let Geometry { space, p_in, p_out } = *self;
        let n = space.n_slots();
        let ((out_row, out), (in_row, input)) = (space.split(out % n), space.split(input % n));
        let column = if p_out.columns >= p_in.columns { out } else { input };
        let row = if p_out.rows_differ { out_row } else { in_row };
        (row * space.row_length() + column) as u32
    }

    /// How far, among how many columns, products with this shift move to higher ones: those that lie where their operand does.
    pub(super) fn unmoved_by(&self, shift: Shift) -> Option<(usize, usize)> {
        let length = self.p_in.columns;
        (self.p_out.columns < length).then(|| ((length - shift.steps as usize) % length, length))
    }
}

/// Pairs of ciphertexts with shifts, as numbers that sort like them.
#[derive(Default)]
pub(super) struct Moves {
    keys: Vec<u64>,
    /// How many the last sorting left.
    n_distinct: usize,
}

/// Bits of the steps of a rotation in a key; above them one for rows that change places.
const STEP_BITS: u32 = 17;

/// Bits of the index of a ciphertext in a key.
const CIPHERTEXT_BITS: u32 = 23;

/// So many keys may be added before duplicates are looked for.
const MOST_UNSORTED: usize = 4096;

impl Moves {
    /// Adds a move.
    pub(super) fn push(&mut self, ((out, input), shift): (Pair, Shift)) {
        debug_assert!(out.max(input) < 1 << CIPHERTEXT_BITS && shift.steps < 1 << STEP_BITS);
        let pair = (out as u64) << CIPHERTEXT_BITS | input as u64;
        let shift = u64::from(shift.swap) << STEP_BITS | u64::from(shift.steps);
        self.keys.push(pair << (STEP_BITS + 1) | shift);
        // Entries are far more than moves: what repeats is dropped whenever the list has doubled.
        if self.keys.len() > 2 * self.n_distinct + MOST_UNSORTED {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.keys.sort_unstable();
        self.keys.dedup();
        self.n_distinct = self.keys.len();
    }

    /// The moves, each once, in order.
    pub(super) fn distinct(mut self) -> Vec<(Pair, Shift)> {
        self.sort();
        let low = |key: u64, bits: u32| key & ((1 << bits) - 1);
        let of_key = |key: u64| {
            let (pair, shift) = (key >> (STEP_BITS + 1), low(key, STEP_BITS + 1));
            let pair = (pair >> CIPHERTEXT_BITS, low(pair, CIPHERTEXT_BITS));
            let (swap, steps) = (shift >> STEP_BITS == 1, low(shift, STEP_BITS) as u32);
            ((pair.0 as usize, pair.1 as usize), Shift { swap, steps })
        };
        self.keys.into_iter().map(of_key).collect()
    }
}

impl FromIterator<(Pair, Shift)> for Moves {
    fn from_iter<I: IntoIterator<Item = (Pair, Shift)>>(all: I) -> Moves {
        let mut moves = Moves::default();
        all.into_iter().for_each(|one| moves.push(one));
        moves
    }
}

/// The pairs of ciphertexts and shifts by which a map with this structure moves slots, each once.
pub fn moves_of(structure: &Structure, input: &Layout, output: &Layout) -> Vec<(Pair, Shift)> {
    moves(structure, input, output).distinct()
}

/// More than these a map with this structure has not: each move of one dimension with each of another.
pub fn most_moves(structure: &Structure, input: &Layout, output: &Layout) -> usize {
    let mut by_dimension = ByDimension::new(input, output);
    let mut of_product = |Product(relations): &Product| {
        let counts = relations.iter().map(|relation| by_dimension.of_relation(relation).len());
        counts.fold(1, usize::saturating_mul)
    };
    structure.products.iter().map(&mut of_product).fold(0, usize::saturating_add)
}

/// That of a single entry, from one position of the operand to one of the result.
pub fn move_of(input: &Layout, from: usize, output: &Layout, to: usize) -> (Pair, Shift) {
    Geometry::new(input, output).place(to, from)
}

/// The moves of all entries that a structure names. Positions are sums over dimensions without carries, so moves are as well.
pub(super) fn moves(structure: &Structure, input: &Layout, output: &Layout) -> Moves {
    let mut by_dimension = ByDimension::new(input, output);
    let mut all = Moves::default();
    for product in &structure.products {
        by_dimension.of_product(product).into_iter().for_each(|one| all.push(one));
    }
    all
}

struct ByDimension<'a> {
    geometry: Geometry,
    input: &'a Layout,
    output: &'a Layout,
    /// Relations looked at, which many products of one structure have in common.
    known: Vec<(Relation, Rc<[(Pair, Shift)]>)>,
}

impl ByDimension<'_> {
    fn new<'a>(input: &'a Layout, output: &'a Layout) -> ByDimension<'a> {
        ByDimension { geometry: Geometry::new(input, output), input, output, known: vec![] }
    }

    fn of_product(&mut self, product: &Product) -> Vec<(Pair, Shift)> {
        let n_steps = self.geometry.n_steps() as u32;
        let mut all = vec![((0, 0), Shift::default())];
        for relation in &product.0 {
            let own = self.of_relation(relation);
            let added = |&(pair, shift): &(Pair, Shift), &(by, own): &(Pair, Shift)| {
                let steps = (shift.steps + own.steps) % n_steps;
                ((pair.0 + by.0, pair.1 + by.1), Shift { swap: shift.swap ^ own.swap, steps })
            };
            let sums = all.iter().flat_map(|one| own.iter().map(move |by| added(one, by)));
            // What all are moved by alike keeps them apart.
            all = match all.len() == 1 || own.len() == 1 {
                true => sums.collect(),
                false => Moves::from_iter(sums).distinct(),
            };
        }
        all
    }

    fn of_relation(&mut self, relation: &Relation) -> Rc<[(Pair, Shift)]> {
        let is_it = |known: &Relation| {
            (known.to, known.from) == (relation.to, relation.from) && known.pairs == relation.pairs
        };
        if let Some((_, moves)) = self.known.iter().find(|(known, _)| is_it(known)) {
            return moves.clone();
        }
        let (to, from) = (self.output.offsets(relation.to), self.input.offsets(relation.from));
        let mut moves = Moves::default();
        relation.pairs.for_each(|o, i| moves.push(self.geometry.place(to[o], from[i])));
        let moves: Rc<[(Pair, Shift)]> = moves.distinct().into();
        self.known.push((relation.clone(), moves.clone()));
        moves
    }
}
