//! How the rotations of a linear map are carried out: baby steps, giant steps, and where to divide by P.
//!
//! A rotation `d` is split into a baby step `b`, shared by all results of one operand and hoisted (one
//! decomposition), and a giant step `G`, applied once to the sum of all products that need it (Halevi, Shoup,
//! CRYPTO 2018). If baby steps stay in QP (double hoisting, Bossuat et al., EUROCRYPT 2021) only sums are divided by P, and
//! giant steps are chained, so that one key serves all of them.

use std::collections::BTreeMap;

use hecc_grammar::cost::{Costs, Shape};

use super::{Pattern, Shift};

/// One term of an affine map: its diagonals and the period of its operand.
pub struct ScheduleTerm<'a> {
    /// Distinguishes operands; equal operands share baby steps.
    pub operand: usize,
    /// The diagonals.
    pub pattern: &'a Pattern,
    /// The operand's period within a row.
    pub period: usize,
}

/// The chosen split, with its predicted cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Giant steps are multiples of this power of two.
    pub stride: u32,
    /// Whether baby steps are taken from `[−stride/2, stride/2)` rather than `[0, stride)`.
    pub centred: bool,
    /// Whether baby steps stay in QP.
    pub extended: bool,
    /// Predicted seconds on one core.
    pub seconds: f64,
}

impl Schedule {
    /// Splits a shift of an operand of this period into a baby step and a giant one, both of steps in `0..period`; rows change
    /// places with the giant step.
    pub fn split(&self, shift: Shift, period: usize) -> (u32, Shift) {
        let period = period as i64;
        let stride = i64::from(self.stride);
        let d = i64::from(shift.steps);
        let mut baby = d % stride;
        if self.centred && 2 * baby >= stride {
            baby -= stride;
        }
        let giant = (d - baby).rem_euclid(period);
        (baby.rem_euclid(period) as u32, Shift { steps: giant as u32, ..shift })
    }
}

/// The cheapest schedule for an affine map whose operands have `shape.n_limbs` limbs.
pub fn schedule(terms: &[ScheduleTerm<'_>], shape: Shape, costs: &Costs) -> Schedule {
    let largest = terms.iter().map(|term| term.period).max().unwrap_or(1) as u32;
    let strides = std::iter::successors(Some(1u32), |stride| Some(stride * 2))
        .take_while(|&stride| stride <= largest);
    let mut best: Option<Schedule> = None;
    for stride in strides {
        for centred in [false, true] {
            let split = Schedule { stride, centred, extended: false, seconds: 0.0 };
            let steps = Steps::new(&split, terms);
            for extended in [false, true] {
                let seconds = steps.seconds(extended, shape, costs);
                if best.is_none_or(|best| seconds < best.seconds) {
                    best = Some(Schedule { extended, seconds, ..split });
                }
            }
        }
    }
    best.expect("stride 1 is always a candidate")
}

/// What is rotated, and how often.
struct Steps {
    n_products: usize,
    /// Of each operand, which baby steps are taken.
    babies: BTreeMap<(usize, usize), Vec<bool>>,
    /// Of each result, which giant steps are taken.
    giants: BTreeMap<usize, Giants>,
    /// Shift-and-add steps of each result.
    n_collect: usize,
}

#[derive(Default)]
struct Giants {
    in_place: Vec<bool>,
    /// Those after which rows change places.
    swapped: Vec<bool>,
}

impl Steps {
    fn new(schedule: &Schedule, terms: &[ScheduleTerm<'_>]) -> Steps {
        let n_collect = terms.iter().map(|term| term.pattern.collect.len()).max().unwrap_or(0);
        let (babies, giants) = (BTreeMap::new(), BTreeMap::new());
        let mut steps = Steps { n_products: 0, babies, giants, n_collect };
        for term in terms {
            for (&(out, input), shifts) in &term.pattern.shifts {
                steps.n_products += shifts.len();
                let babies = steps.babies.entry((term.operand, input)).or_default();
                let giants = steps.giants.entry(out).or_default();
                for &shift in shifts {
                    let (baby, giant) = schedule.split(shift, term.period);
                    mark(babies, baby);
                    let rows = if giant.swap { &mut giants.swapped } else { &mut giants.in_place };
                    mark(rows, giant.steps);
                }
            }
        }
        steps
    }

    fn seconds(&self, extended: bool, shape: Shape, costs: &Costs) -> f64 {
        let mut total = self.n_products as f64 * shape.dot_term(costs, extended);
        for taken in self.babies.values() {
            let rotated = n_rotations(taken);
            total += rotated as f64 * shape.apply_key(costs);
            if rotated > 0 {
                total += shape.decompose(costs);
            }
            if extended {
                total += if taken.first() == Some(&true) { shape.mod_up(costs) } else { 0.0 };
            } else {
                total += rotated as f64 * shape.mod_down(costs);
            }
        }
        let after = Shape { n_limbs: shape.n_limbs.saturating_sub(1).max(1), ..shape };
        for Giants { in_place, swapped } in self.giants.values() {
            let rotated = n_rotations(in_place) + n_rotations(swapped);
            let each = shape.decompose(costs) + shape.apply_key(costs);
            total += rotated as f64 * (each + if extended { shape.mod_down(costs) } else { 0.0 });
            if extended || rotated > 0 {
                total += shape.mod_down(costs);
            }
            if !swapped.is_empty() {
                total += shape.key_switch(costs);
            }
            total += shape.rescale(costs, 2) + self.n_collect as f64 * after.key_switch(costs);
        }
        total
    }
}

fn mark(taken: &mut Vec<bool>, step: u32) {
    let step = step as usize;
    if taken.len() <= step {
        taken.resize(step + 1, false);
    }
    taken[step] = true;
}

fn n_rotations(taken: &[bool]) -> usize {
    taken.iter().skip(1).filter(|taken| **taken).count()
}

#[cfg(test)]
mod tests {
    use hecc_grammar::cost::DEFAULT;

    use super::*;
    use crate::layout::Period;

    #[test]
    fn splits_add_up_modulo_the_period() {
        for stride in [1, 4, 32, 1024] {
            for centred in [false, true] {
                let schedule = Schedule { stride, centred, extended: false, seconds: 0.0 };
                for d in [0, 1, 5, 31, 500, 1022, 1023] {
                    let (baby, giant) = schedule.split(Shift::rotation(d), 1024);
                    assert_eq!((baby + giant.steps) % 1024, d);
                }
            }
        }
    }

    #[test]
    fn a_dense_matrix_needs_about_the_square_root_of_its_diagonals() {
        let pattern = Pattern {
            shifts: [((0, 0), (0..256).map(Shift::rotation).collect())].into(),
            collect: vec![],
            window: Period { columns: 256, rows_differ: false },
        };
        let terms = [ScheduleTerm { operand: 0, pattern: &pattern, period: 256 }];
        let shape = Shape { log_n: 14, n_special: 2, n_limbs: 6 };
        let best = schedule(&terms, shape, &DEFAULT);
        assert!((16..=128).contains(&best.stride), "{best:?}");
    }
}
