//! The error of a value as a sum of independent sources, each with a factor: what is known to be the same error is added as
//! such.
//!
//! A polynomial reads its argument many times, in every power. Taken to be independent, the copies of the argument's error add
//! up to many times what they are together, `p'(x)·e`. So an error is a linear form in the errors that instructions added
//! (affine arithmetic: Comba, Stolfi, SIBGRAPI 1993), one form for each of a few samples of what a slot may hold. Where slots
//! are mixed the form ends: what comes of it is a single error, of which is known what it is made of ([`Lineage`]). It is added to
//! others by squares if it has nothing in common with them, and else by deviations.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::plan::{Key, Value};

use super::lineage::{Line, Lineage, Root};
use super::mixture::{At, Mixture, Part, Transform};
use super::prints::Name;
use super::samples::Samples;
use super::shifts::{Moves, Shifts};

/// More sources than this are taken together as one.
const MOST_SOURCES: usize = 512;

/// An error that an instruction added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    root: Root,
    /// Errors of one root with different twins are the same, or negatives, or nearly so.
    twin: Value,
    /// The complex conjugate.
    conjugated: bool,
}

/// Errors by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors {
    sources: BTreeMap<Source, Part>,
    mixture: Option<Mixture>,
}

impl Errors {
    /// The error that one instruction brings, a single one in each slot.
    pub(super) fn own(name: Name, deviations: Samples) -> Errors {
        Errors::source(Root::Added(name.alike), name.same, Part { deviations, concentration: 1.0 })
    }

    /// The error of an encoded constant, times what differs from value to value.
    pub(super) fn encoded(root: Root, at: Value, deviations: Samples) -> Errors {
        Errors::source(root, at, Part { deviations, concentration: 1.0 })
    }

    /// A sum of errors of many slots that are independent of all others.
    pub(super) fn fresh(value: Value, deviations: Samples, concentration: f64) -> Errors {
        Errors::source(Root::Whole(value), value, Part { deviations, concentration })
    }

    fn source(root: Root, twin: Value, part: Part) -> Errors {
        let source = Source { root, twin, conjugated: false };
        Errors { sources: [(source, part)].into(), mixture: None }
    }

    /// A sum of errors of many slots, of what has this lineage.
    pub(super) fn mixed(
        at: At,
        (deviations, concentration): (Samples, f64),
        lineage: Lineage,
        transform: Option<Transform>,
    ) -> Errors {
        let part = Part { deviations, concentration };
        let id = (at.name.same, false);
        Errors { sources: BTreeMap::new(), mixture: Some(Mixture { id, part, lineage, transform }) }
    }

    /// Variance of each source in each sample. Those of one root may be the same or not: their deviations add up.
    fn parts(&self) -> impl Iterator<Item = (Samples, f64)> {
        let mut list = self.sources.iter().peekable();
        let sources = std::iter::from_fn(move || {
            let (source, part) = list.next()?;
            let Part { mut deviations, mut concentration } = part.clone();
            while let Some((_, twin)) = list.next_if(|(next, _)| next.root == source.root) {
                deviations = deviations.zip(&twin.deviations, |a, b| a.abs() + b.abs());
                concentration = concentration.max(twin.concentration);
            }
            Some((deviations, concentration))
        });
        let mixture = self
            .mixture
            .iter()
            .map(|Mixture { part, .. }| (part.deviations.clone(), part.concentration));
        sources
            .chain(mixture)
            .map(|(deviations, concentration)| (deviations.map(|x| x * x), concentration))
    }

    /// Variance in each sample.
    pub(super) fn variances(&self) -> Samples {
        self.parts().fold(Samples::All(0.0), |sum, (x, _)| sum.zip(&x, |sum, x| sum + x))
    }

    /// The sum of the squares of the variances of independent errors as a part of the square of their sum: 1 if one error
    /// makes up all of it, 1/k if there are k alike.
    pub(super) fn concentration(&self) -> f64 {
        let squares = self.parts().fold(Samples::All(0.0), |sum, (x, concentration)| {
            sum.zip(&x, |sum, x| sum + concentration * x * x)
        });
        let total = self.variances();
        let share =
            |square: f64, total: f64| if total > 0.0 { square / (total * total) } else { 1.0 };
        squares.zip(&total, share).largest().min(1.0)
    }

    /// What all of it is made of, if it is that of `value`.
    pub(super) fn lineage(&self, value: Value, moves: Moves) -> Lineage {
        let whole = Root::Whole(value);
        let mut kin: Vec<Root> = self.sources.keys().map(|source| source.root).collect();
        kin.dedup();
        let of_sources = |kin: Vec<Root>| match kin.as_slice() {
            [root] => Lineage::of(Line::of(*root)),
            _ => Lineage::of(Line::with_kin(whole, Some(kin))),
        };
        let Some(Mixture { lineage, .. }) = &self.mixture else { return of_sources(kin) };
        if let Some(Transform { log_slots, .. }) = self.whole_transform() {
            // It keeps independent what is independent.
            let kin = lineage.kin().map(|of_mixture| [kin, of_mixture].concat());
            let period = Shifts::multiples(1 << log_slots, moves);
            return Lineage::of(Line::mixed(whole, kin, period));
        }
        match kin.is_empty() {
            true => lineage.clone(),
            false => Lineage::union([lineage, &of_sources(kin)], moves),
        }
    }

    /// The factor of the embedding of which all diagonals are in the mixture.
    fn whole_transform(&self) -> Option<Transform> {
        let Mixture { lineage, transform, .. } = self.mixture.as_ref()?;
        let is_whole = |transform: &Transform| {
            lineage.most_shifts(1 << transform.log_slots) >= transform.n_diagonals
        };
        transform.filter(is_whole)
    }

    /// Of i times what has all the error of `value`: what is imaginary of it becomes real.
    pub(super) fn turned(&self, value: Value, at: At) -> Errors {
        let lineage = self.lineage(value, at.moves);
        Errors::mixed(at, (self.variances().map(f64::sqrt), self.concentration()), lineage, None)
    }

    /// All sources as one, each slot where it was. In a plan of layers, which read thousands of values, it counts as a new one.
    fn collapsed(&self, at: At) -> Errors {
        let lineage = match at.is_layered {
            true => Lineage::of(Line::of(Root::Whole(at.name.same))),
            false => self.lineage(at.name.same, at.moves),
        };
        Errors::mixed(at, (self.variances().map(f64::sqrt), self.concentration()), lineage, None)
    }

    /// After a key switch of what has all the error of `value`.
    pub(super) fn moved(&self, key: Key, value: Value, at: At) -> Errors {
        let lineage = self.lineage(value, at.moves).moved(key, at.moves);
        let transform = match self.whole_transform() {
            Some(_) => None,
            None => self.mixture.as_ref().and_then(|mixture| mixture.transform),
        };
        let part = (self.variances().map(f64::sqrt), self.concentration());
        Errors::mixed(at, part, lineage, transform)
    }

    /// With the mean of all classes of slots.
    pub(super) fn without_classes(&self) -> Errors {
        let of_part = |part: &Part| {
            let variances = part.deviations.map(|x| x * x).without_classes();
            Part { deviations: variances.map(f64::sqrt), ..*part }
        };
        let of_mixture =
            |mixture: &Mixture| Mixture { part: of_part(&mixture.part), ..mixture.clone() };
        Errors {
            sources: self.sources.iter().map(|(source, part)| (*source, of_part(part))).collect(),
            mixture: self.mixture.as_ref().map(of_mixture),
        }
    }

    /// With what was mixed taken to be independent of all else.
    pub(super) fn settled(mut self, value: Value) -> Errors {
        if let Some(mixture) = &mut self.mixture {
            mixture.lineage = Lineage::of(Line::of(Root::Whole(value)));
        }
        self
    }

    /// Times what slots are multiplied by.
    pub(super) fn times(&self, factor: &Samples) -> Errors {
        let product = |part: &Part| {
            let deviations = part.deviations.zip(factor, |x, f| x * f);
            Part { deviations, ..*part }
        };
        let of_source = |(source, part): (&Source, &Part)| (*source, product(part));
        let of_mixture =
            |mixture: &Mixture| Mixture { part: product(&mixture.part), ..mixture.clone() };
        Errors {
            sources: self.sources.iter().map(of_source).collect(),
            mixture: self.mixture.as_ref().map(of_mixture),
        }
    }

    /// With factors whose sign is not known: those of one source only add up.
    pub(super) fn unsigned(mut self) -> Errors {
        let parts = self.sources.values_mut().chain(self.mixture.as_mut().map(|of| &mut of.part));
        parts.for_each(|part| part.deviations = part.deviations.map(f64::abs));
        self
    }

    /// Plus the errors of `other`.
    pub(super) fn plus(mut self, other: &Errors, at: At) -> Errors {
        let mut met = self.met_by(other.mixture.as_ref());
        met.extend(other.met_by(self.mixture.as_ref()));
        for (source, part) in &other.sources {
            match self.sources.entry(*source) {
                Entry::Vacant(entry) => {
                    entry.insert(part.clone());
                }
                Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.deviations = known.deviations.zip(&part.deviations, |a, b| a + b);
                }
            }
        }
        self.mixture = match (self.mixture.take(), &other.mixture) {
            (Some(a), Some(b)) => Some(a.plus(b, at)),
            (a, b) => a.or_else(|| b.clone()),
        };
        self.absorb(met, at);
        if self.sources.len() > MOST_SOURCES { self.collapsed(at) } else { self }
    }

    /// The sources that a mixture has something in common with.
    fn met_by(&self, mixture: Option<&Mixture>) -> Vec<Source> {
        let Some(Mixture { lineage, .. }) = mixture else { return vec![] };
        match lineage.kin() {
            Some(kin) if kin.len() < self.sources.len() => {
                let of_root = |root: Root| {
                    let first = Source { root, twin: Value(0), conjugated: false };
                    let from = self.sources.range(first..).map(|(source, _)| *source);
                    from.take_while(move |source| source.root == root)
                };
                let met = kin.into_iter().filter(|root| lineage.meets_root(*root));
                met.flat_map(of_root).collect()
            }
            Some(_) | None => {
                let sources = self.sources.keys().copied();
                sources.filter(|source| lineage.meets_root(source.root)).collect()
            }
        }
    }

    /// Adds sources to the mixture which has something in common with them.
    fn absorb(&mut self, sources: Vec<Source>, at: At) {
        let Some(mixture) = &mut self.mixture else { return };
        for source in sources {
            if let Some(part) = self.sources.remove(&source) {
                mixture.part = mixture.part.together(&part);
                mixture.id = (at.name.same, false);
            }
        }
    }

    /// Of the complex conjugate.
    pub(super) fn conjugated(&self) -> Errors {
        let conjugate = |source: &Source| Source { conjugated: !source.conjugated, ..*source };
        let of_mixture =
            |mixture: &Mixture| Mixture { id: (mixture.id.0, !mixture.id.1), ..mixture.clone() };
        Errors {
            sources: self
                .sources
                .iter()
                .map(|(source, part)| (conjugate(source), part.clone()))
                .collect(),
            mixture: self.mixture.as_ref().map(of_mixture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::testing::params;
    use crate::plan::Plaintexts;

    fn at(value: u32) -> At {
        let params = params(Plaintexts::Ckks { top_scale: 40.0 });
        At { name: name(value), moves: Moves::new(&params), is_layered: false }
    }

    fn name(value: u32) -> Name {
        Name { alike: Value(value), same: Value(value) }
    }

    fn own(value: u32, deviation: f64) -> Errors {
        Errors::own(name(value), Samples::All(deviation))
    }

    fn variance(errors: &Errors) -> f64 {
        errors.variances().largest()
    }

    #[test]
    fn the_same_error_adds_up_and_others_by_their_squares() {
        let e = own(0, 3.0);
        assert_eq!(variance(&e.clone().plus(&e, at(1))), 36.0);
        let none = e.clone().plus(&e.times(&Samples::All(-1.0)), at(1));
        assert_eq!(variance(&none), 0.0);
        assert_eq!(variance(&e.clone().plus(&own(1, 4.0), at(2))), 25.0);
        assert_eq!(variance(&e.clone().plus(&e.conjugated(), at(1))), 36.0);
        // Nearly the same, with either sign.
        let twin = Errors::own(Name { alike: Value(0), same: Value(1) }, Samples::All(-3.0));
        assert_eq!(variance(&e.plus(&twin, at(2))), 36.0);
    }

    #[test]
    fn deviations_of_moved_errors_add_up_where_they_meet() {
        let e = own(0, 3.0);
        let moved = |errors: &Errors, by: u32, value: u32| {
            errors.moved(Key::Rotate(by), Value(value), at(value + 1))
        };
        let (one, again) = (moved(&e, 1, 0), moved(&e, 1, 1));
        assert_eq!(variance(&e.clone().plus(&one, at(3))), 18.0);
        assert_eq!(variance(&one.clone().plus(&again, at(3))), 36.0);
        assert_eq!(variance(&one.clone().plus(&one, at(3))), 36.0);
        assert_eq!(variance(&one.clone().plus(&one.times(&Samples::All(-1.0)), at(3))), 0.0);
        let back = moved(&one, 127, 4);
        assert_eq!(variance(&e.clone().plus(&back, at(6))), 36.0);
        let other = own(7, 3.0);
        assert_eq!(variance(&e.plus(&back, at(6)).plus(&other, at(8))), 45.0);
    }

    #[test]
    fn many_errors_alike_are_not_concentrated() {
        let one = |value: u32| Errors::fresh(Value(value), Samples::All(2.0), 1.0);
        let sum = (1..10).fold(one(0), |sum, value| sum.plus(&one(value), at(20)));
        assert!((sum.concentration() - 0.1).abs() < 1e-12);
        assert!((sum.collapsed(at(20)).concentration() - 0.1).abs() < 1e-12);
        assert_eq!(one(0).plus(&one(0), at(1)).concentration(), 1.0);
        assert_eq!(own(0, 0.0).concentration(), 1.0);
    }
}
