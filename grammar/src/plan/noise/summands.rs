//! Sums of noise: independent if it has nothing in common, or else deviations add up.

use std::collections::HashMap;

use crate::plan::Key;

use super::groups::{Groups, by_root, join_meeting};
use super::lineage::Lineage;
use super::marks::Marks;
use super::prints::random;
use super::shifts::Moves;
use super::spectrum::Spectrum;
use super::variance::{Variance, together};

/// What is summed: the noise of a value, or of its product with a plaintext.
#[derive(Clone, Debug)]
pub(super) struct Summand {
    pub(super) variance: Variance,
    pub(super) lineage: Lineage,
    pub(super) marks: Marks,
    /// The product of the prints of the vectors that all of it was multiplied by, where slots are now; 1 of none.
    pub(super) shape: u64,
}

impl Summand {
    /// As much noise, made of the same.
    pub(super) fn with(&self, variance: impl FnOnce(Variance) -> Variance) -> Summand {
        Summand { variance: variance(self.variance), ..self.clone() }
    }

    /// After a key switch.
    pub(super) fn moved(&self, key: Key, moves: Moves) -> Summand {
        let shape = match self.shape {
            1 => 1,
            shape => random((shape, key)),
        };
        Summand { lineage: self.lineage.moved(key, moves), shape, ..self.clone() }
    }
}

/// The noise of a sum.
///
/// Summands that may have the same noise in a point of the embedding have deviations that add up. Those with the same root moved
/// by different automorphisms have power that adds up, but not in every coefficient, unless they were multiplied by different
/// vectors. A vector that several were multiplied by shapes their sum as it shaped each.
pub(super) fn sum(summands: &[&Summand], moves: Moves) -> Summand {
    let lineage = Lineage::union(summands.iter().map(|summand| &summand.lineage), moves);
    let marks = Marks::union(summands.iter().map(|summand| &summand.marks));
    let [same, alike, shaped] = groups(summands, moves);
    let of_groups = |groups: &[usize], part: fn(&Variance) -> f64| -> f64 {
        let mut sums = vec![0.0; summands.len()];
        for (summand, &group) in summands.iter().zip(groups) {
            sums[group] = together(sums[group], part(&summand.variance));
        }
        sums.iter().sum()
    };
    let mut by_group: Vec<Option<Variance>> = vec![None; summands.len()];
    for (summand, &group) in summands.iter().zip(&shaped) {
        let of_group = by_group[group].get_or_insert(Variance::NONE);
        *of_group = of_group.together(summand.variance);
    }
    let powers: Vec<(f64, Spectrum)> =
        by_group.into_iter().flatten().map(|v| (v.mean, v.spectrum)).collect();
    let variance = Variance {
        mean: of_groups(&same, |v| v.mean),
        peak: of_groups(&alike, |v| v.peak),
        spectrum: Spectrum::of_sum(&powers),
    };
    let first = summands.first().map_or(1, |summand| summand.shape);
    let is_common = summands.iter().all(|summand| summand.shape == first);
    Summand { variance, lineage, marks, shape: if is_common { first } else { 1 } }
}

/// For each summand the group of those whose deviations add up with its own, in the mean and in single coefficients, and of
/// those that have its shape.
fn groups(summands: &[&Summand], moves: Moves) -> [Vec<usize>; 3] {
    let mut groups = [(); 3].map(|()| Groups::new(summands.len()));
    let [same, alike, shaped] = &mut groups;
    if let [a, b] = summands {
        if a.lineage.meets(&b.lineage) {
            same.join(0, 1);
        } else if a.lineage.is_kin(&b.lineage) && a.marks.meet(&b.marks) {
            alike.join(0, 1);
        }
    } else {
        let lineages: Vec<&Lineage> = summands.iter().map(|summand| &summand.lineage).collect();
        for of_root in by_root(&lineages) {
            join_meeting(&of_root, same, moves);
            let mut marked = Marked::default();
            of_root.iter().for_each(|(i, _)| marked.join(*i, &summands[*i].marks, alike));
        }
        if lineages.iter().any(|lineage| lineage.is_anything()) {
            (1..summands.len()).for_each(|i| same.join(0, i));
        }
    }
    let mut of_shape: HashMap<u64, usize> = HashMap::new();
    for (i, summand) in summands.iter().enumerate().filter(|(_, summand)| summand.shape != 1) {
        shaped.join(*of_shape.entry(summand.shape).or_insert(i), i);
    }
    for i in 0..summands.len() {
        let first = same.first(i);
        alike.join(first, i);
        shaped.join(first, i);
    }
    groups.map(Groups::firsts)
}

/// Summands by what they were multiplied by.
#[derive(Default)]
struct Marked {
    all: Vec<usize>,
    of_mark: HashMap<u64, usize>,
    /// One that may have any mark.
    unknown: Option<usize>,
}

impl Marked {
    /// Joins one with those whose marks meet its own.
    fn join(&mut self, i: usize, marks: &Marks, alike: &mut Groups) {
        match marks {
            Marks::These(list) => {
                for mark in list.iter() {
                    alike.join(*self.of_mark.entry(*mark).or_insert(i), i);
                }
            }
            Marks::Any => {
                self.all.iter().for_each(|other| alike.join(*other, i));
                self.unknown = Some(i);
            }
        }
        if let Some(unknown) = self.unknown {
            alike.join(unknown, i);
        }
        self.all.push(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::lineage::{Line, Root};
    use crate::noise::testing::params;
    use crate::plan::{Plaintexts, Value};

    fn moves() -> Moves {
        Moves::new(&params(Plaintexts::Bfv { t: vec![17] }))
    }

    fn of(root: u32) -> Summand {
        Summand {
            variance: Variance::even(1.0, Spectrum::WHITE),
            lineage: Lineage::of(Line::of(Root::Added(Value(root)))),
            marks: Marks::none(),
            shape: 1,
        }
    }

    fn summed(summands: &[&Summand]) -> (f64, f64) {
        let Variance { mean, peak, .. } = sum(summands, moves()).variance;
        (mean, peak)
    }

    #[test]
    fn deviations_of_what_has_something_in_common_add_up() {
        let (a, b) = (of(0), of(1));
        assert_eq!(summed(&[&a, &b]), (2.0, 2.0));
        assert_eq!(summed(&[&a, &a]), (4.0, 4.0));
        assert_eq!(summed(&[&a, &b, &a]), (5.0, 5.0));
        let moved = a.moved(Key::Rotate(3), moves());
        assert_eq!(summed(&[&a, &moved]), (2.0, 4.0));
        assert_eq!(summed(&[&a, &b, &moved]), (3.0, 5.0));
        let both = sum(&[&a, &moved], moves());
        assert!((summed(&[&both, &moved]).0 - (1.0 + 2f64.sqrt()).powi(2)).abs() < 1e-12);
        let marked = |summand: &Summand, mark| Summand {
            marks: summand.marks.times(mark),
            ..summand.clone()
        };
        assert_eq!(summed(&[&marked(&a, 3), &marked(&moved, 5)]), (2.0, 2.0));
        assert_eq!(summed(&[&marked(&a, 3), &b, &marked(&moved, 3)]), (3.0, 5.0));
        let unknown = Summand { marks: Marks::Any, ..moved };
        assert_eq!(summed(&[&marked(&a, 3), &b, &unknown]), (3.0, 5.0));
    }
}
