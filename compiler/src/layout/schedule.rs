//! How the rotations of a linear map are carried out: baby steps, giant steps, and where to divide by P.
//!
//! A rotation `d` is split into a baby step `b`, shared by all results of one operand and hoisted (one
//! decomposition), and a giant step `G`, applied once to the sum of all products that need it (Halevi, Shoup,
//! CRYPTO 2018). If baby steps stay in QP (double hoisting, Bossuat et al., EUROCRYPT 2021) only sums are divided by P, and
//! giant steps are chained, so that one key serves all of them.

use std::collections::BTreeMap;

use hecc_grammar::cost::{Costs, Encoding, Shape};

use super::step_set::StepSet;
use super::{Shift, Shifts};

/// One term of an affine map: its diagonals and the period of its operand.
pub struct ScheduleTerm<'a> {
    /// Distinguishes operands; equal operands share baby steps.
    pub operand: usize,
    /// The diagonals.
    pub shifts: &'a Shifts,
    /// The operand's period within a row.
    pub period: usize,
}

/// The chosen split, with its predicted cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Giant steps are multiples of this power of two.
    pub stride: u32,
    /// Whether baby steps are taken from `[−stride/2, stride/2)` rather than `[0, stride)`.
    pub centered: bool,
    /// Whether baby steps stay in QP.
    pub extended: bool,
    /// Plaintexts that products are made with.
    pub n_products: usize,
    /// Predicted seconds on one core.
    pub seconds: f64,
}

impl Schedule {
    /// Nothing is rotated.
    pub const NONE: Schedule =
        Schedule { stride: 1, centered: false, extended: false, n_products: 0, seconds: 0.0 };

    /// Splits a shift of an operand of this period, a power of two, into a baby step and a giant one, both of steps in
    /// `0..period`; rows change places with the giant step.
    pub fn split(&self, shift: Shift, period: usize) -> (u32, Shift) {
        let (stride, period) = (self.stride, period as u32);
        debug_assert!(stride.is_power_of_two() && period.is_power_of_two());
        let mut baby = shift.steps & (stride - 1);
        if self.centered && 2 * baby >= stride {
            baby = baby.wrapping_sub(stride);
        }
        let giant = shift.steps.wrapping_sub(baby) & (period - 1);
        (baby & (period - 1), Shift { steps: giant, ..shift })
    }
}

/// All splits of an affine map's shifts, with what each takes: independent of levels, so they are made once for a layout.
#[derive(Clone, Debug)]
pub struct Splits(Vec<(Schedule, Counts)>);

impl Splits {
    /// The splits for some terms, whose sum takes `n_collect` shift-and-add steps afterwards.
    pub fn new(terms: &[ScheduleTerm<'_>], n_collect: usize) -> Splits {
        let largest = terms.iter().map(|term| term.period).max().unwrap_or(1) as u32;
        let strides = std::iter::successors(Some(1u32), |stride| Some(stride * 2))
            .take_while(|&stride| stride <= largest);
        let splits = strides.flat_map(|stride| [false, true].map(|centered| (stride, centered)));
        let counted = splits.map(|(stride, centered)| {
            let split = Schedule { stride, centered, ..Schedule::NONE };
            (split, Counts { n_collect, ..Counts::new(&split, terms) })
        });
        Splits(counted.collect())
    }

    /// The cheapest schedule where operands have `shape.n_limbs` limbs; the time of `encoding` is that of plaintexts which are
    /// not kept.
    pub fn cheapest(&self, shape: Shape, costs: &Costs, encoding: Option<Encoding>) -> Schedule {
        let timed = self.0.iter().flat_map(|(split, counts)| {
            [false, true].map(|extended| {
                let mut seconds = counts.seconds(extended, shape, costs);
                if let Some(encoding) = encoding {
                    seconds += counts.products as f64 * shape.encode(costs, extended, encoding);
                }
                Schedule { extended, seconds, n_products: counts.products, ..*split }
            })
        });
        let best = timed.min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        best.expect("stride 1 is always a candidate")
    }
}

/// How often what is done.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    products: usize,
    /// Rotations by baby steps; operands that are rotated; operands that are read in place as well.
    babies: usize,
    hoisted: usize,
    in_place: usize,
    /// Results; those with giant steps; those whose rows change places; rotations by giant steps.
    results: usize,
    moved: usize,
    swapped: usize,
    giants: usize,
    /// Shift-and-add steps of each result.
    n_collect: usize,
}

impl Counts {
    fn new(schedule: &Schedule, terms: &[ScheduleTerm<'_>]) -> Counts {
        let mut counts = Counts::default();
        let mut babies: BTreeMap<(usize, usize), StepSet> = BTreeMap::new();
        // Of each result: in place, and those after which rows change places.
        let mut giants: BTreeMap<usize, [StepSet; 2]> = BTreeMap::new();
        let largest = terms.iter().map(|term| term.period).max().unwrap_or(1);
        for term in terms {
            for (&(out, input), shifts) in term.shifts {
                counts.products += shifts.len();
                let none = || StepSet::new(largest);
                let babies = babies.entry((term.operand, input)).or_insert_with(none);
                let giants = giants.entry(out).or_insert_with(|| [none(), none()]);
                for &shift in shifts {
                    let (baby, giant) = schedule.split(shift, term.period);
                    babies.insert(baby as usize);
                    giants[usize::from(giant.swap)].insert(giant.steps as usize);
                }
            }
        }
        for taken in babies.values() {
            let rotated = n_rotations(taken);
            counts.babies += rotated;
            counts.hoisted += usize::from(rotated > 0);
            counts.in_place += usize::from(taken.contains(0));
        }
        for [in_place, swapped] in giants.values() {
            let rotated = n_rotations(in_place) + n_rotations(swapped);
            counts.results += 1;
            counts.giants += rotated;
            counts.moved += usize::from(rotated > 0);
            counts.swapped += usize::from(swapped.len() > 0);
        }
        counts
    }

    fn seconds(&self, extended: bool, shape: Shape, costs: &Costs) -> f64 {
        let times = |count: usize, seconds: f64| count as f64 * seconds;
        let after = Shape { n_limbs: shape.n_limbs.saturating_sub(1).max(1), ..shape };
        let mut total = times(self.products, shape.dot_term(costs, extended));
        total += times(self.babies, shape.apply_key(costs));
        total += times(self.hoisted, shape.decompose(costs));
        total += times(self.giants, shape.decompose(costs) + shape.apply_key(costs));
        total += times(self.swapped, shape.key_switch(costs));
        total += times(self.results, shape.rescale(costs, 2));
        total += times(self.results * self.n_collect, after.key_switch(costs));
        total
            + match extended {
                true => {
                    times(self.in_place, shape.mod_up(costs))
                        + times(self.giants + self.results, shape.mod_down(costs))
                }
                false => times(self.babies + self.moved, shape.mod_down(costs)),
            }
    }
}

/// How many steps move anything.
fn n_rotations(steps: &StepSet) -> usize {
    steps.len() - usize::from(steps.contains(0))
}

#[cfg(test)]
mod tests {
    use hecc_grammar::cost::DEFAULT;

    use super::*;

    #[test]
    fn splits_add_up_modulo_the_period() {
        for stride in [1, 4, 32, 1024] {
            for centered in [false, true] {
                let schedule = Schedule { stride, centered, ..Schedule::NONE };
                for d in [0, 1, 5, 31, 500, 1022, 1023] {
                    let (baby, giant) = schedule.split(Shift::rotation(d), 1024);
                    assert_eq!((baby + giant.steps) % 1024, d);
                }
            }
        }
    }

    #[test]
    fn a_dense_matrix_needs_about_the_square_root_of_its_diagonals() {
        let shifts = Shifts::from([((0, 0), (0..256).map(Shift::rotation).collect())]);
        let terms = [ScheduleTerm { operand: 0, shifts: &shifts, period: 256 }];
        let shape = Shape { log_n: 14, n_special: 2, n_limbs: 6 };
        let best = Splits::new(&terms, 0).cheapest(shape, &DEFAULT, None);
        assert!((16..=128).contains(&best.stride), "{best:?}");
    }
}
