//! The error of a value as a sum of independent sources, each with a factor: what is known to be the same error is added as
//! such.
//!
//! A polynomial reads its argument many times, in every power. Taken to be independent, the copies of the argument's error add
//! up to many times what they are together, `p'(x)·e`. So an error is a linear form in the errors that instructions added
//! (affine arithmetic: Comba, Stolfi, SIBGRAPI 1993), one form for each of a few samples of what a slot may hold.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::plan::Value;

/// Samples of a slot in which every value is followed.
pub(super) const SAMPLES: usize = 33;

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

    /// The mean.
    pub(super) fn mean(&self) -> f64 {
        (0..SAMPLES).map(|s| self.at(s)).sum::<f64>() / SAMPLES as f64
    }
}

/// Standard deviations by source, with a sign.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(BTreeMap<Source, Samples>);

impl Errors {
    /// The error that one instruction brings.
    pub(super) fn own(value: Value, deviations: Samples) -> Errors {
        Errors([(Source { value, conjugated: false }, deviations)].into())
    }

    /// Variance in each sample. An error and its conjugate may be the same or not: their deviations add up.
    pub(super) fn variances(&self) -> Samples {
        let mut total = Samples::All(0.0);
        let mut list = self.0.iter().peekable();
        while let Some((source, deviations)) = list.next() {
            let twin = list.next_if(|(next, _)| next.value == source.value);
            let sum = match twin {
                Some((_, other)) => deviations.zip(other, |a, b| a.abs() + b.abs()),
                None => deviations.clone(),
            };
            total = total.zip(&sum, |total, x| total + x * x);
        }
        total
    }

    /// All sources as one new one.
    pub(super) fn collapsed(&self, value: Value) -> Errors {
        Errors::own(value, self.variances().map(f64::sqrt))
    }

    /// Times what slots are multiplied by.
    pub(super) fn times(&self, factor: &Samples) -> Errors {
        let product = |(source, x): (&Source, &Samples)| (*source, x.zip(factor, |x, f| x * f));
        Errors(self.0.iter().map(product).collect())
    }

    /// Plus the errors of `other`, of what `value` is computed from.
    pub(super) fn plus(mut self, other: &Errors, value: Value) -> Errors {
        for (source, x) in &other.0 {
            let known = self.0.entry(*source).or_insert(Samples::All(0.0));
            *known = known.zip(x, |a, b| a + b);
        }
        if self.0.len() > MOST_SOURCES { self.collapsed(value) } else { self }
    }

    /// Of the complex conjugate.
    pub(super) fn conjugated(&self) -> Errors {
        let conjugate = |source: &Source| Source { conjugated: !source.conjugated, ..*source };
        Errors(self.0.iter().map(|(source, x)| (conjugate(source), x.clone())).collect())
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
}
