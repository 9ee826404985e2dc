//! How far entries of a linear map move slots, entry by entry or dimension by dimension.

use std::rc::Rc;

use crate::linear::{Product, Relation, Structure};

use super::step_set::StepSet;
use super::{Layout, Pair, Period, Shift, SlotSpace};

/// How entries of a map fall on diagonals.
pub(super) struct Geometry {
    space: SlotSpace,
    p_in: Period,
    p_out: Period,
    /// Bits of the operand's slots that are copies below its period.
    replicas: usize,
    /// The copies of a result below its period.
    copies: Vec<usize>,
    /// More than the numbers of the operand's ciphertexts.
    n_in: usize,
}

impl Geometry {
    pub(super) fn new(input: &Layout, output: &Layout) -> Geometry {
        assert_eq!(input.space, output.space, "layouts of one ring");
        Geometry {
            space: input.space,
            p_in: input.period(),
            p_out: output.period(),
            replicas: input.inner_replicas(),
            copies: output.copies(),
            n_in: input.ciphertexts().last().map_or(1, |last| last + 1),
        }
    }

    /// Steps of rotations are modulo this.
    pub(super) fn n_steps(&self) -> usize {
        self.p_in.columns.min(self.p_out.columns)
    }

    /// No moves yet.
    pub(super) fn moves(&self) -> Moves {
        Moves { sizes: (self.n_in, self.n_steps()), keys: vec![], n_distinct: 0 }
    }

    /// The copies of a result within its period, all of which have products of their own.
    pub(super) fn copies(&self) -> &[usize] {
        &self.copies
    }

    /// The copy of the operand's element at one position that is used for the result at another: the one that lies as that does. So
    /// copies are not moved, and where it lies is a sum over dimensions still.
    fn used(&self, out: usize, input: usize) -> usize {
        input + (out & self.replicas)
    }

    /// The pair and shift of the product of the operand's element at one position for the result's at another.
    pub(super) fn place(&self, out: usize, input: usize) -> (Pair, Shift) {
        let Geometry { space, p_in, p_out, .. } = *self;
        let input = self.used(out, input);
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
        let Geometry { space, p_in, p_out, .. } = *self;
        let input = self.used(out, input);
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

/// Between which ciphertexts, and by how much.
type Move = (Pair, Shift);

/// Moves, as numbers that sort like them.
pub(super) struct Moves {
    /// Ciphertexts of the operand, and steps.
    sizes: (usize, usize),
    keys: Vec<usize>,
    /// How many the last sorting left.
    n_distinct: usize,
}

/// So many keys may be added before duplicates are looked for.
const MOST_UNSORTED: usize = 4096;

/// Keys are sorted as bits where there are no more words of these than so many times the keys.
const WORDS_PER_KEY: usize = 8;

impl Moves {
    /// Adds a move.
    pub(super) fn push(&mut self, ((out, input), shift): Move) {
        let (n_in, n_steps) = self.sizes;
        let place = 2 * (out * n_in + input) + usize::from(shift.swap);
        self.keys.push(place * n_steps + shift.steps as usize);
        // Entries are far more than moves: what repeats is dropped whenever the list has doubled.
        if self.keys.len() > 2 * self.n_distinct + MOST_UNSORTED {
            self.sort();
        }
    }

    fn sort(&mut self) {
        let first = self.keys.iter().copied().min().unwrap_or(0);
        let range = self.keys.iter().copied().max().unwrap_or(0) - first;
        if range / 64 < WORDS_PER_KEY * self.keys.len() {
            let mut set = StepSet::new(range + 1);
            self.keys.iter().for_each(|key| set.insert(key - first));
            self.keys.clear();
            self.keys.extend(set.iter().map(|key| key + first));
        } else {
            self.keys.sort_unstable();
            self.keys.dedup();
        }
        self.n_distinct = self.keys.len();
    }

    /// The moves, each once, in order.
    pub(super) fn distinct(mut self) -> Vec<Move> {
        self.sort();
        let (n_in, n_steps) = self.sizes;
        let of_key = |key: usize| {
            let (place, steps) = (key / n_steps, (key % n_steps) as u32);
            let (pair, swap) = (place / 2, place % 2 == 1);
            ((pair / n_in, pair % n_in), Shift { swap, steps })
        };
        self.keys.into_iter().map(of_key).collect()
    }
}

/// The pairs of ciphertexts and shifts by which a map with this structure moves slots, each once.
pub fn moves_of(structure: &Structure, input: &Layout, output: &Layout) -> Vec<Move> {
    moves(structure, input, output).distinct()
}

/// More than these a map with this structure has not: each move of one dimension with each of another.
pub fn most_moves(structure: &Structure, input: &Layout, output: &Layout) -> usize {
    let mut by_dimension = ByDimension::new(input, output);
    let of_copies = by_dimension.of_copies().len();
    let mut of_product = |Product(relations): &Product| {
        let counts = relations.iter().map(|relation| by_dimension.of_relation(relation).len());
        counts.fold(of_copies, usize::saturating_mul)
    };
    structure.products.iter().map(&mut of_product).fold(0, usize::saturating_add)
}

/// Those of a single entry, from one position of the operand to one of the result.
pub struct MovesOfEntries(Geometry);

impl MovesOfEntries {
    /// Between two layouts.
    pub fn new(input: &Layout, output: &Layout) -> MovesOfEntries {
        MovesOfEntries(Geometry::new(input, output))
    }

    /// One for each copy of the result.
    pub fn of(&self, from: usize, to: usize) -> impl Iterator<Item = Move> {
        self.0.copies().iter().map(move |copy| self.0.place(to + copy, from))
    }
}

/// The moves of all entries that a structure names. Positions are sums over dimensions without carries, so moves are as well.
pub(super) fn moves(structure: &Structure, input: &Layout, output: &Layout) -> Moves {
    let mut by_dimension = ByDimension::new(input, output);
    let mut all = by_dimension.geometry.moves();
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
    known: Vec<(Relation, Rc<[Move]>)>,
}

impl ByDimension<'_> {
    fn new<'a>(input: &'a Layout, output: &'a Layout) -> ByDimension<'a> {
        ByDimension { geometry: Geometry::new(input, output), input, output, known: vec![] }
    }

    fn of_product(&mut self, product: &Product) -> Vec<Move> {
        let n_steps = self.geometry.n_steps() as u32;
        let mut all = self.of_copies();
        for relation in &product.0 {
            let own = self.of_relation(relation);
            let added = |&(pair, shift): &Move, &(by, own): &Move| {
                let steps = (shift.steps + own.steps) % n_steps;
                ((pair.0 + by.0, pair.1 + by.1), Shift { swap: shift.swap ^ own.swap, steps })
            };
            let sums = all.iter().flat_map(|one| own.iter().map(move |by| added(one, by)));
            // What all are moved by alike keeps them apart.
            all = match all.len() == 1 || own.len() == 1 {
                true => sums.collect(),
                false => {
                    let mut together = self.geometry.moves();
                    sums.for_each(|one| together.push(one));
                    together.distinct()
                }
            };
        }
        all
    }

    /// How the copies of a result move products.
    fn of_copies(&self) -> Vec<Move> {
        let mut moves = self.geometry.moves();
        self.geometry.copies().iter().for_each(|&copy| moves.push(self.geometry.place(copy, 0)));
        moves.distinct()
    }

    fn of_relation(&mut self, relation: &Relation) -> Rc<[Move]> {
        let is_it = |known: &Relation| {
            (known.to, known.from) == (relation.to, relation.from) && known.pairs == relation.pairs
        };
        if let Some((_, moves)) = self.known.iter().find(|(known, _)| is_it(known)) {
            return moves.clone();
        }
        let (to, from) = (self.output.offsets(relation.to), self.input.offsets(relation.from));
        let mut moves = self.geometry.moves();
        relation.pairs.for_each(|o, i| moves.push(self.geometry.place(to[o], from[i])));
        let moves: Rc<[Move]> = moves.distinct().into();
        self.known.push((relation.clone(), moves.clone()));
        moves
    }
}
