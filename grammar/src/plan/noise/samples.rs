//! Numbers in a few samples of what a slot may hold.

use std::rc::Rc;

/// Samples of a slot in which every value is followed.
pub(super) const SAMPLES: usize = 33;

/// The first samples are the ends of what slots may hold, which few do.
pub(super) const EXTREMES: usize = 2;

/// One number for each sample, or for each sample of each class of slots.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// The same in all.
    All(f64),
    /// Their own, class by class.
    Each(Rc<[f64]>),
}

impl Samples {
    /// The number in one sample.
    pub(super) fn at(&self, sample: usize) -> f64 {
        match self {
            Samples::All(x) => *x,
            Samples::Each(xs) => xs[sample % xs.len()],
        }
    }

    /// Samples of all classes.
    fn len(&self) -> usize {
        match self {
            Samples::All(_) => SAMPLES,
            Samples::Each(xs) => xs.len(),
        }
    }

    /// Sample by sample.
    pub(super) fn zip(&self, other: &Samples, f: impl Fn(f64, f64) -> f64) -> Samples {
        match (self, other) {
            (Samples::All(a), Samples::All(b)) => Samples::All(f(*a, *b)),
            _ => {
                let n = self.len().max(other.len());
                Samples::Each((0..n).map(|s| f(self.at(s), other.at(s))).collect())
            }
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
        (0..self.len()).map(|s| self.at(s)).fold(f64::NEG_INFINITY, larger)
    }

    /// The mean of all but the extremes.
    pub(super) fn mean(&self) -> f64 {
        let means = self.of_classes(Samples::mean_of_class);
        means.iter().sum::<f64>() / means.len() as f64
    }

    /// One number for each class of slots, made of its samples.
    pub(super) fn of_classes(&self, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        match self {
            Samples::All(x) => vec![*x],
            Samples::Each(xs) => xs.chunks(SAMPLES).map(of).collect(),
        }
    }

    /// The mean of all but the extremes of a class.
    pub(super) fn mean_of_class(samples: &[f64]) -> f64 {
        samples[EXTREMES..].iter().sum::<f64>() / (SAMPLES - EXTREMES) as f64
    }

    /// The mean of all classes, sample by sample.
    pub(super) fn without_classes(&self) -> Samples {
        let n = self.len() / SAMPLES;
        let mean =
            |s: usize| (0..n).map(|class| self.at(class * SAMPLES + s)).sum::<f64>() / n as f64;
        match self {
            Samples::All(_) => self.clone(),
            Samples::Each(_) => Samples::Each((0..SAMPLES).map(mean).collect()),
        }
    }
}
