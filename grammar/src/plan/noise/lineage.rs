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

/// One root of an error.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The root.
    pub(super) root: Root,
    /// Where its slots went.
    shifts: Shifts,
    /// What else the root is made of, ascending, if it is not alone.
    kin: Option<Rc<[Root]>>,
    /// Whether slots of the kin were mixed in the root: then shifts say nothing about them.
    is_mixed: bool,
}

impl Line {
    /// A root itself, which is made of nothing else.
    pub(super) fn of(root: Root) -> Line {
        Line { root, shifts: Shifts::NONE, kin: None, is_mixed: false }
    }

    /// A root that is made of others.
    pub(super) fn with_kin(root: Root, mut kin: Vec<Root>) -> Line {
        kin.push(root);
        kin.sort_unstable();
        kin.dedup();
        Line { kin: Some(kin.into()), ..Line::of(root) }
    }

    /// As [`Self::with_kin`], where slots of the kin were mixed, and the root's repeat with a period.
    pub(super) fn mixed(root: Root, kin: Vec<Root>, period: Shifts) -> Line {
        Line { shifts: period, is_mixed: true, ..Line::with_kin(root, kin) }
    }

    /// Where its slots went.
    pub(super) fn shifts(&self) -> &Shifts {
        &self.shifts
    }

    fn kin(&self) -> &[Root] {
        self.kin.as_deref().unwrap_or(std::slice::from_ref(&self.root))
    }

    /// Whether both may hold the same number in one slot.
    fn meets(&self, other: &Line) -> bool {
        if self.root == other.root {
            return self.shifts.meet(&other.shifts);
        }
        if self.kin.is_none() && other.kin.is_none() {
            return false;
        }
        (self.is_mixed || other.is_mixed || self.shifts.meet(&other.shifts))
            && have_common(self.kin(), other.kin())
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
                    last.kin = last.kin.take().or(line.kin);
                    last.is_mixed |= line.is_mixed;
                }
                Some(_) | None => merged.push(line),
            }
        }
        Lineage(merged.into())
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
        self.0.iter().any(|line| line.kin.is_some())
    }

    /// Whether different roots meet since they are made of the same.
    pub(super) fn kin_meet(&self, other: &Lineage) -> bool {
        let meets = |(a, b): (&Line, &Line)| a.root != b.root && a.meets(b);
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
        self.common(other).next().is_some()
    }

    /// All roots, and what they are made of.
    pub(super) fn kin(&self) -> Vec<Root> {
        self.0.iter().flat_map(|line| line.kin().iter().copied()).collect()
    }

    /// The roots.
    pub(super) fn lines(&self) -> &[Line] {
        &self.0
    }

    /// The most shifts of a root that differ modulo a power of two.
    pub(super) fn most_shifts(&self, period: u32) -> usize {
        self.0.iter().map(|line| line.shifts.count_modulo(period)).max().unwrap_or(0)
    }

    /// Without what the roots for which `is_new` holds are made of.
    pub(super) fn cut(&self, is_new: impl Fn(Root) -> bool) -> Lineage {
        let cut = |line: &Line| match is_new(line.root) {
            true => Line { kin: None, is_mixed: false, ..line.clone() },
            false => line.clone(),
        };
        Lineage(self.0.iter().map(cut).collect())
    }
}
