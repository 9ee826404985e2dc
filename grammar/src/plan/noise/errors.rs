//! The error of a value as a sum of independent sources, each with a factor: what is known to be the same error is added as
//! such.
//!
//! A polynomial reads its argument many times, in every power. Taken to be independent, the copies of the argument's error add
//! up to many times what they are together, `p'(x)·e`. So an error is a linear form in the errors that instructions added
//! (affine arithmetic: Comba, Stolfi, SIBGRAPI 1993), one form for each of a few samples of what a slot may hold.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use crate::plan::Value;

/// Samples of a slot in which every value is followed.
pub(super) const SAMPLES: usize = 33;

/// The first samples are the ends of what slots may hold, which few do.
pub(super) const EXTREMES: usize = 2;

/// More sources than this are taken together as one.
const MOST_SOURCES: usize = 512;

/// An error that an instruction added, or its complex conjugate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    value: Value,
    conjugated: bool,
}

/// One number for each sample.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// The same in all.
    All(f64),
    /// Their own.
    Each(Rc<[f64]>),
}

impl Samples {
    /// The number in one sample.
    pub(super) fn at(&self, sample: usize) -> f64 {
        match self {
            Samples::All(x) => *x,
            Samples::Each(xs) => xs[sample],
        }
    }

    /// Sample by sample.
    pub(super) fn zip(&self, other: &Samples, f: impl Fn(f64, f64) -> f64) -> Samples {
        match (self, other) {
            (Samples::All(a), Samples::All(b)) => Samples::All(f(*a, *b)),
            _ => Samples::Each((0..SAMPLES).map(|s| f(self.at(s), other.at(s))).collect()),
        }
    }

    /// Sample by sample.
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Samples {
        match self {
            Samples::All(x) => Samples::All(f(*x)),
            Samples::Each(xs) => Samples::Each(xs.iter().map(|&x| f(x)).collect()),
        }
    }

    /// The largest number.
    pub(super) fn largest(&self) -> f64 {
        (0..SAMPLES).map(|s| self.at(s)).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The mean of all but the extremes.
    pub(super) fn mean(&self) -> f64 {
        (EXTREMES..SAMPLES).map(|s| self.at(s)).sum::<f64>() / (SAMPLES - EXTREMES) as f64
    }
}

/// What a source is like.
#[derive(Clone, Debug)]
struct Part {
    /// Standard deviations, with a sign.
    deviations: Samples,
    /// See [`Errors::concentration`].
    concentration: f64,
}

/// Errors by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(BTreeMap<Source, Part>);

impl Errors {
    /// The error that one instruction brings, a single one in each slot.
    pub(super) fn own(value: Value, deviations: Samples) -> Errors {
        Errors::mixed(value, deviations, 1.0)
    }

    /// A sum of errors of many slots.
    pub(super) fn mixed(value: Value, deviations: Samples, concentration: f64) -> Errors {
        let part = Part { deviations, concentration };
        Errors([(Source { value, conjugated: false }, part)].into())
    }

    /// Variance of each source in each sample. An error and its conjugate may be the same or not: their deviations add up.
    fn parts(&self) -> impl Iterator<Item = (Samples, f64)> {
        let mut list = self.0.iter().peekable();
        std::iter::from_fn(move || {
            let (source, part) = list.next()?;
            let twin = list.next_if(|(next, _)| next.value == source.value);
            let sum = match twin {
                Some((_, twin)) => part.deviations.zip(&twin.deviations, |a, b| a.abs() + b.abs()),
                None => part.deviations.clone(),
            };
            Some((sum.map(|x| x * x), part.concentration))
        })
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

    /// All sources as one new one.
    pub(super) fn collapsed(&self, value: Value) -> Errors {
        Errors::mixed(value, self.variances().map(f64::sqrt), self.concentration())
    }

    /// Times what slots are multiplied by.
    pub(super) fn times(&self, factor: &Samples) -> Errors {
        let product = |(source, part): (&Source, &Part)| {
            let deviations = part.deviations.zip(factor, |x, f| x * f);
            (*source, Part { deviations, ..*part })
        };
        Errors(self.0.iter().map(product).collect())
    }

    /// Plus the errors of `other`, of what `value` is computed from.
    pub(super) fn plus(mut self, other: &Errors, value: Value) -> Errors {
        for (source, part) in &other.0 {
            match self.0.entry(*source) {
                Entry::Vacant(entry) => {
                    entry.insert(part.clone());
                }
                Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.deviations = known.deviations.zip(&part.deviations, |a, b| a + b);
                }
            }
        }
        if self.0.len() > MOST_SOURCES { self.collapsed(value) } else { self }
    }

    /// Of the complex conjugate.
    pub(super) fn conjugated(&self) -> Errors {
        let conjugate = |source: &Source| Source { conjugated: !source.conjugated, ..*source };
        Errors(self.0.iter().map(|(source, part)| (conjugate(source), part.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_error_adds_up_and_others_by_their_squares() {
        let e = Errors::own(Value(0), Samples::All(3.0));
        let twice = e.clone().plus(&e, Value(1));
        assert_eq!(twice.variances().largest(), 36.0);
        let none = e.clone().plus(&e.times(&Samples::All(-1.0)), Value(1));
        assert_eq!(none.variances().largest(), 0.0);
        let other = Errors::own(Value(1), Samples::All(4.0));
        assert_eq!(e.clone().plus(&other, Value(2)).variances().largest(), 25.0);
        let real = e.clone().plus(&e.conjugated(), Value(1));
        assert_eq!(real.variances().largest(), 36.0);
    }

    #[test]
    fn many_errors_alike_are_not_concentrated() {
        let one = |value: u32| Errors::own(Value(value), Samples::All(2.0));
        let sum = (1..10).fold(one(0), |sum, value| sum.plus(&one(value), Value(20)));
        assert!((sum.concentration() - 0.1).abs() < 1e-12);
        assert!((sum.collapsed(Value(20)).concentration() - 0.1).abs() < 1e-12);
        assert_eq!(one(0).plus(&one(0), Value(1)).concentration(), 1.0);
        let nothing = Errors::own(Value(0), Samples::All(0.0));
        assert_eq!(nothing.concentration(), 1.0);
    }
}
