//! The product of two errors, which a product of values adds to the errors times the values.

use super::formulas::{LARGEST_TAIL, tail};
use super::known::Known;
use super::profile::Profile;
use super::samples::Samples;

/// How much larger variances are in some slots.
pub(super) struct Unevenness {
    /// In the slot where it is largest.
    pub(super) most: f64,
    /// In each, if that is known.
    pub(super) profile: Option<Profile>,
}

/// The product of two errors.
pub(super) struct SecondOrder {
    /// Of a single error that stays as far below its tail as the product stays below both tails.
    pub(super) deviations: Samples,
    /// Slots where both errors are large have much of it.
    profile: Option<Profile>,
}

impl SecondOrder {
    /// Of two errors that are uneven alike.
    pub(super) fn new(x: &Known, y: &Known, uneven: &Unevenness) -> SecondOrder {
        let tail_of = |known: &Known| tail(known.errors.concentration());
        let tails = tail_of(x) * tail_of(y) / LARGEST_TAIL;
        let (square, profile) = match &uneven.profile {
            Some(profile) => (profile.mean_square(), profile.times(|slot| profile.at(slot))),
            // Where it is not known in which slots, all have as much, and the largest as many times that.
            None => (uneven.most, None),
        };
        let deviation = |a: f64, b: f64| tails * square.sqrt() * (a * b).sqrt();
        let deviations = x.errors.variances().zip(&y.errors.variances(), deviation);
        SecondOrder { deviations, profile }
    }
}

impl Unevenness {
    /// Of errors with this mean variance, and the products of errors.
    pub(super) fn with(self, variance: f64, second: &SecondOrder) -> Unevenness {
        let Some(profile) = &self.profile else { return self };
        let of_second = second.deviations.map(|deviation| deviation * deviation).mean();
        let sum = Profile::of_sum((Some(profile), variance), (second.profile.as_ref(), of_second));
        let larger = sum.as_ref().map_or(1.0, |sum| sum.largest() / profile.largest());
        Unevenness { most: self.most * larger.max(1.0), profile: sum }
    }
}
