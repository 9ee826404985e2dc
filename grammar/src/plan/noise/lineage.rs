//! What an error is made of: which errors are in it, moved by how much. Two errors that have nothing in common are independent.
//!
//! A *root* is an error whose slots are independent of each other. An error that is a sum of moved roots, times whatever,
//! has in slot i the roots' slots i + s, for s in a set of shifts. Two that have no root in common, or only with shifts
//! that do not meet, are made of different numbers.

use std::rc::Rc;

use crate::plan::{ConstantId, Key, Value};

use super::shifts::{Moves, Shifts};

/// What an error is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    /// What an instruction adds.
    Added(Value),
    /// All of the error that a value has.
    Whole(Value),
    /// What encoding a constant does.
    Encoded(ConstantId),
}

/// What is made of more than this may be made of anything: plans of others can be long.
const MOST: usize = 4096;

/// What a root is made of.
#[derive(Clone, Debug)]
enum Kin {
    /// Nothing else.
    Alone,
    /// These, ascending, itself included.
    These(Rc<[Root]>),
    /// Whatever there is.
    Anything,
}

/// One root of an error.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The root.
    pub(super) root: Root,
    /// Where its slots went.
    shifts: Shifts,
    kin: Kin,
    /// Whether slots of the kin were mixed in the root: then shifts say nothing about them.
    is_mixed: bool,
}

impl Line {
    /// A root itself, which is made of nothing else.
    pub(super) fn of(root: Root) -> Line {
        Line { root, shifts: Shifts::NONE, kin: Kin::Alone, is_mixed: false }
    }

    /// A root that is made of others; of anything if nobody knows of what.
    pub(super) fn with_kin(root: Root, kin: Option<Vec<Root>>) -> Line {
        let kin = kin.map(|mut kin| {
            kin.push(root);
            kin.sort_unstable();
            kin.dedup();
            kin
        });
        let kin = match kin {
            Some(kin) if kin.len() <= MOST => Kin::These(kin.into()),
            Some(_) | None => Kin::Anything,
        };
        Line { kin, ..Line::of(root) }
    }

    /// As [`Self::with_kin`], where slots of the kin were mixed, and the root's repeat with a period.
    pub(super) fn mixed(root: Root, kin: Option<Vec<Root>>, period: Shifts) -> Line {
        Line { shifts: period, is_mixed: true, ..Line::with_kin(root, kin) }
    }

    /// Where its slots went.
    pub(super) fn shifts(&self) -> &Shifts {
        &self.shifts
    }

    /// What it is made of, itself included; `None` if that may be anything.
    fn kin(&self) -> Option<&[Root]> {
        match &self.kin {
            Kin::Alone => Some(std::slice::from_ref(&self.root)),
            Kin::These(kin) => Some(kin),
            Kin::Anything => None,
        }
    }

    /// Whether it may be made of anything.
    fn is_anything(&self) -> bool {
        matches!(self.kin, Kin::Anything)
    }

    fn is_alone(&self) -> bool {
        matches!(self.kin, Kin::Alone)
    }

    /// Whether both may hold the same number in one slot.
    fn meets(&self, other: &Line) -> bool {
        let (Some(kin), Some(others)) = (self.kin(), other.kin()) else { return true };
        if self.root == other.root {
            return self.shifts.meet(&other.shifts);
        }
        if self.is_alone() && other.is_alone() {
            return false;
        }
        (self.is_mixed || other.is_mixed || self.shifts.meet(&other.shifts))
            && have_common(kin, others)
    }
}

/// Whether ascending lists have an element in common.
fn have_common(a: &[Root], b: &[Root]) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.iter().any(|x| long.binary_search(x).is_ok())
}

/// All roots of an error, ascending.
#[derive(Clone, Debug)]
pub(super) struct Lineage(Rc<[Line]>);

impl Lineage {
    /// Of a single root.
    pub(super) fn of(line: Line) -> Lineage {
        Lineage([line].into())
    }

    /// Of a sum.
    pub(super) fn union<'a>(parts: impl IntoIterator<Item = &'a Lineage>, moves: Moves) -> Lineage {
        let mut parts = parts.into_iter();
        let (first, mut rest) = (parts.next(), parts.collect::<Vec<_>>());
        let Some(first) = first else { return Lineage([].into()) };
        rest.retain(|part| !Rc::ptr_eq(&part.0, &first.0));
        if rest.is_empty() {
            return first.clone();
        }
        let lines = std::iter::once(first).chain(rest).flat_map(|part| part.0.iter().cloned());
        let mut lines: Vec<Line> = lines.collect();
        lines.sort_by_key(|line| line.root);
        let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
        for line in lines {
            match merged.last_mut() {
                Some(last) if last.root == line.root => {
                    last.shifts = last.shifts.union(&line.shifts, moves);
                    last.is_mixed |= line.is_mixed;
                    if last.is_alone() || line.is_anything() {
                        last.kin = line.kin;
                    }
                }
                Some(_) | None => merged.push(line),
            }
        }
        match merged.len() <= MOST {
            true => Lineage(merged.into()),
            false => Lineage::of(Line::with_kin(merged[0].root, None)),
        }
    }

    /// After a key switch.
    pub(super) fn moved(&self, key: Key, moves: Moves) -> Lineage {
        let moved = |line: &Line| Line { shifts: line.shifts.moved(key, moves), ..line.clone() };
        Lineage(self.0.iter().map(moved).collect())
    }

    /// Whether two errors may have something in common.
    pub(super) fn meets(&self, other: &Lineage) -> bool {
        let of_same_root = |(a, b): (&Line, &Line)| a.shifts.meet(&b.shifts);
        self.common(other).any(of_same_root) || self.kin_meet(other)
    }

    /// Whether roots are made of others.
    pub(super) fn has_kin(&self) -> bool {
        self.0.iter().any(|line| !line.is_alone())
    }

    /// Whether it may be made of anything.
    pub(super) fn is_anything(&self) -> bool {
        self.0.iter().any(Line::is_anything)
    }

    /// Whether roots meet since they are made of the same.
    pub(super) fn kin_meet(&self, other: &Lineage) -> bool {
        let meets = |(a, b): (&Line, &Line)| {
            (a.root != b.root || a.is_anything() || b.is_anything()) && a.meets(b)
        };
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a, b)));
        (self.has_kin() || other.has_kin()) && pairs.into_iter().any(meets)
    }

    /// The roots that are in both.
    fn common<'a>(&'a self, other: &'a Lineage) -> impl Iterator<Item = (&'a Line, &'a Line)> {
        let (short, long) =
            if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        short.0.iter().filter_map(|line| {
            let place = long.0.binary_search_by_key(&line.root, |line| line.root).ok()?;
            Some((line, &long.0[place]))
        })
    }

    /// Whether a root that is not moved is in it.
    pub(super) fn meets_root(&self, root: Root) -> bool {
        self.0.iter().any(|line| line.meets(&Line::of(root)))
    }

    /// Whether they have a root in common, moved or not.
    pub(super) fn is_kin(&self, other: &Lineage) -> bool {
        self.common(other).next().is_some() || self.is_anything() || other.is_anything()
    }

    /// All roots, and what they are made of; `None` if that may be anything.
    pub(super) fn kin(&self) -> Option<Vec<Root>> {
        let lines = self.0.iter().map(Line::kin).collect::<Option<Vec<_>>>()?;
        Some(lines.concat())
    }

    /// The roots.
    pub(super) fn lines(&self) -> &[Line] {
        &self.0
    }

    /// The shifts of all roots.
    pub(super) fn all_shifts(&self, moves: Moves) -> Shifts {
        let shifts = self.0.iter().map(|line| line.shifts.clone());
        shifts.reduce(|all, one| all.union(&one, moves)).unwrap_or(Shifts::NONE)
    }

    /// The most shifts of a root that differ modulo a power of two.
    pub(super) fn most_shifts(&self, period: u32) -> usize {
        self.0.iter().map(|line| line.shifts.count_modulo(period)).max().unwrap_or(0)
    }

    /// Without what the roots for which `is_new` holds are made of.
    pub(super) fn cut(&self, is_new: impl Fn(Root) -> bool) -> Lineage {
        let cut = |line: &Line| match is_new(line.root) {
            true => Line { kin: Kin::Alone, is_mixed: false, ..line.clone() },
            false => line.clone(),
        };
        Lineage(self.0.iter().map(cut).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::testing::params;
    use crate::plan::Plaintexts;

    fn moves() -> Moves {
        Moves::new(&params(Plaintexts::Ckks { top_scale: 40.0 }))
    }

    fn root(i: usize) -> Root {
        Root::Added(Value(i as u32))
    }

    fn sum(count: usize) -> Lineage {
        let lineages: Vec<Lineage> = (0..count).map(|i| Lineage::of(Line::of(root(i)))).collect();
        Lineage::union(&lineages, moves())
    }

    #[test]
    fn roots_meet_what_they_are_made_of() {
        let made = Lineage::of(Line::with_kin(root(9), Some(vec![root(1), root(2)])));
        assert!(made.meets(&sum(2)) && made.kin_meet(&sum(2)));
        assert!(!made.meets(&sum(1)));
        let moved = made.moved(Key::Rotate(1), moves());
        assert!(!moved.meets(&sum(2)) && !moved.meets(&made) && moved.is_kin(&made));
        let mixed = Lineage::of(Line::mixed(root(9), Some(vec![root(1)]), Shifts::NONE));
        assert!(mixed.moved(Key::Rotate(1), moves()).meets(&sum(2)));
    }

    #[test]
    fn what_is_made_of_too_much_meets_everything() {
        let (most, more) = (sum(MOST), sum(MOST + 1));
        let other = Lineage::of(Line::of(root(MOST + 7)));
        assert!(!most.is_anything() && !most.meets(&other) && !most.is_kin(&other));
        let kin = most.kin().map(|kin| [kin, vec![root(MOST)]].concat());
        let made = Lineage::of(Line::with_kin(root(MOST + 1), kin));
        let moved = more.moved(Key::Rotate(1), moves());
        for of_anything in [&more, &moved, &made, &Lineage::union([&other, &more], moves())] {
            assert!(of_anything.is_anything() && of_anything.kin().is_none());
            assert!(of_anything.meets(&other) && other.meets(of_anything));
            assert!(of_anything.is_kin(&other) && of_anything.meets(&moved));
            assert!(of_anything.meets_root(root(MOST + 7)));
        }
    }
}
