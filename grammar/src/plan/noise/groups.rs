//! Which summands have something in common.

use super::lineage::{Line, Lineage};
use super::shifts::{Moves, Shifts};

/// Disjoint sets of indices.
pub(super) struct Groups(Vec<usize>);

impl Groups {
    /// Each on its own.
    pub(super) fn new(count: usize) -> Groups {
        Groups((0..count).collect())
    }

    /// The least index of a set.
    pub(super) fn first(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    /// Makes one of two sets.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// For each index the least of its set.
    pub(super) fn firsts(mut self) -> Vec<usize> {
        (0..self.0.len()).map(|i| self.first(i)).collect()
    }
}

/// The lines of all lineages with their place in the list, by root, where there are several.
pub(super) fn by_root<'a>(lineages: &[&'a Lineage]) -> Vec<Vec<(usize, &'a Line)>> {
    let lines = lineages.iter().enumerate();
    let lines = lines.flat_map(|(i, of)| of.lines().iter().map(move |line| (i, line)));
    let mut lines: Vec<(usize, &Line)> = lines.collect();
    lines.sort_by_key(|(_, line)| line.root);
    let shared = lines.chunk_by(|(_, a), (_, b)| a.root == b.root).filter(|of| of.len() > 1);
    shared.map(<[_]>::to_vec).collect()
}

/// Joins those of a root whose shifts meet.
pub(super) fn join_meeting(of_root: &[(usize, &Line)], groups: &mut Groups, moves: Moves) {
    let mut all: Option<Shifts> = None;
    for (place, (i, line)) in of_root.iter().enumerate() {
        all = Some(match all {
            None => line.shifts().clone(),
            Some(known) => {
                if known.meet(line.shifts()) {
                    let before = of_root[..place].iter();
                    let meeting = before.filter(|(_, other)| other.shifts().meet(line.shifts()));
                    meeting.for_each(|(other, _)| groups.join(*other, *i));
                }
                known.union(line.shifts(), moves)
            }
        });
    }
}

/// Groups of errors that have something in common, one after the other.
pub(super) fn related(lineages: &[&Lineage], moves: Moves) -> Groups {
    let mut groups = Groups::new(lineages.len());
    for of_root in by_root(lineages) {
        join_meeting(&of_root, &mut groups, moves);
    }
    if lineages.iter().any(|lineage| lineage.has_kin()) {
        for (i, lineage) in lineages.iter().enumerate() {
            for (other, earlier) in lineages[..i].iter().enumerate() {
                if groups.first(other) != groups.first(i) && earlier.kin_meet(lineage) {
                    groups.join(other, i);
                }
            }
        }
    }
    groups
}
