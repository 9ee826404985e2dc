//! Numbers in a few samples of what a slot may hold.

use std::rc::Rc;

/// Samples of a slot in which every value is followed.
pub(super) const SAMPLES: usize = 33;

/// The first samples are the ends of what slots may hold, which few do.
pub(super) const EXTREMES: usize = 2;

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

    /// The largest number; infinite if there is one that is none: nothing is known then.
    pub(super) fn largest(&self) -> f64 {
        let larger = |most: f64, x: f64| if x.is_nan() { f64::INFINITY } else { most.max(x) };
        (0..SAMPLES).map(|s| self.at(s)).fold(f64::NEG_INFINITY, larger)
    }

    /// The mean of all but the extremes.
    pub(super) fn mean(&self) -> f64 {
        (EXTREMES..SAMPLES).map(|s| self.at(s)).sum::<f64>() / (SAMPLES - EXTREMES) as f64
    }
}
