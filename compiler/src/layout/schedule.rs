//! How the rotations of a linear map are carried out: baby steps, giant steps, and where to divide by P.
//!
//! A rotation `d` is split into a baby step `b`, shared by all results of one operand and hoisted (one
//! decomposition), and a giant step `G`, applied once to the sum of all products that need it (Halevi, Shoup,
//! CRYPTO 2018). If baby steps stay in QP (double hoisting, Bossuat et al., EUROCRYPT 2021) only sums are divided by P, and
//! giant steps are chained, so that one key serves all of them.

use std::collections::{BTreeMap, BTreeSet};

use hecc_grammar::cost::{Costs, Shape};

use super::Pattern;

/// One term of an affine map: its diagonals and the period of its operand.
pub struct ScheduleTerm<'a> {
    /// Distinguishes operands; equal operands share baby steps.
    pub operand: usize,
    /// The diagonals.
    pub pattern: &'a Pattern,
    /// The operand's period in slots.
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
    /// Splits rotation `d` of an operand of this period into (baby, giant) steps, both in `0..period`.
    pub fn split(&self, d: u32, period: usize) -> (u32, u32) {
        let period = period as i64;
        let stride = i64::from(self.stride);
        let mut baby = i64::from(d) % stride;
        if self.centred && 2 * baby >= stride {
            baby -= stride;
        }
        let giant = (i64::from(d) - baby).rem_euclid(period);
        (baby.rem_euclid(period) as u32, giant as u32)
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
            for extended in [false, true] {
                let mut candidate = Schedule { stride, centred, extended, seconds: 0.0 };
                candidate.seconds = seconds(&candidate, terms, shape, costs);
                if best.is_none_or(|best| candidate.seconds < best.seconds) {
                    best = Some(candidate);
                }
            }
        }
    }
    best.expect("stride 1 is always a candidate")
}

fn seconds(schedule: &Schedule, terms: &[ScheduleTerm<'_>], shape: Shape, costs: &Costs) -> f64 {
    let mut babies: BTreeMap<(usize, usize), BTreeSet<u32>> = BTreeMap::new();
    let mut giants: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    let mut products = 0usize;
    for term in terms {
        for (&(out, input), rotations) in &term.pattern.rotations {
            products += rotations.len();
            for &d in rotations {
                let (baby, giant) = schedule.split(d, term.period);
                babies.entry((term.operand, input)).or_default().insert(baby);
                giants.entry(out).or_default().insert(giant);
            }
        }
    }
    let mut total = products as f64 * shape.dot_term(costs, schedule.extended);
    for set in babies.values() {
        let rotated = set.iter().filter(|&&step| step != 0).count();
        total += rotated as f64 * shape.apply_key(costs);
        if rotated > 0 {
            total += shape.decompose(costs);
        }
        if schedule.extended {
            total += if set.contains(&0) { shape.mod_up(costs) } else { 0.0 };
        } else {
            total += rotated as f64 * shape.mod_down(costs);
        }
    }
    let after = Shape { n_limbs: shape.n_limbs.saturating_sub(1).max(1), ..shape };
    let collect = terms.iter().map(|term| term.pattern.collect.len()).max().unwrap_or(0);
    for set in giants.values() {
        let rotated = set.iter().filter(|&&step| step != 0).count();
        let each = shape.decompose(costs) + shape.apply_key(costs);
        total +=
            rotated as f64 * (each + if schedule.extended { shape.mod_down(costs) } else { 0.0 });
        if schedule.extended || rotated > 0 {
            total += shape.mod_down(costs);
        }
        total += shape.rescale(costs, 2) + collect as f64 * after.key_switch(costs);
    }
    total
}

#[cfg(test)]
mod tests {
    use hecc_grammar::cost::DEFAULT;

    use super::*;

    #[test]
    fn splits_add_up_modulo_the_period() {
        for stride in [1, 4, 32, 1024] {
            for centred in [false, true] {
                let schedule = Schedule { stride, centred, extended: false, seconds: 0.0 };
                for d in [0, 1, 5, 31, 500, 1022, 1023] {
                    let (baby, giant) = schedule.split(d, 1024);
                    assert_eq!((baby + giant) % 1024, d);
                }
            }
        }
    }

    #[test]
    fn a_dense_matrix_needs_about_the_square_root_of_its_diagonals() {
        let pattern = Pattern {
            rotations: [((0, 0), (0..256).collect())].into(),
            collect: vec![],
            window: 256,
        };
        let terms = [ScheduleTerm { operand: 0, pattern: &pattern, period: 256 }];
        let shape = Shape { log_n: 14, n_special: 2, n_limbs: 6 };
        let best = schedule(&terms, shape, &DEFAULT);
        assert!((16..=128).contains(&best.stride), "{best:?}");
    }
}
