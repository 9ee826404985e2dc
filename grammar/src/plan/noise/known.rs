//! What is known of a value without running the plan.

use super::content::Content;
use super::errors::Errors;
use super::mixture::At;
use super::profile::Profile;
use crate::plan::Value;

/// What is known of a value without running the plan.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) content: Content,
    /// Of a slot that is like most.
    pub(super) errors: Errors,
    /// The value that has the same errors, its own or an earlier one.
    pub(super) of: Value,
    /// How many times as large the variance is in the slot where it is largest.
    pub(super) unevenness: f64,
    /// How it differs from slot to slot, if that is known.
    pub(super) profile: Option<Profile>,
    /// In a bootstrap: the profile and the mean variance of what was bootstrapped, whose slots are the result's.
    pub(super) entered: Option<(Profile, f64)>,
    /// Standard deviation of the slot and the sample where it is largest.
    pub(super) total: f64,
    /// Variance that its instruction adds to what the operands bring.
    pub(super) added: f64,
    /// Whether any slot may hold the worst sample, rather than a share of them each.
    pub(super) is_worst: bool,
    /// Whether the content is that of any bootstrap rather than of this value.
    pub(super) is_bootstrapped: bool,
    /// Whether its slots came from others since the layer before.
    pub(super) is_moved: bool,
    /// The value that it is the complex conjugate of.
    pub(super) conjugate_of: Option<Value>,
}

impl Known {
    /// What a sum over many slots sees of the variance of one of them.
    pub(super) fn typical(&self) -> f64 {
        if self.is_worst { self.largest() } else { self.errors.variances().mean() }
    }

    /// The unevenness of a sum, if both have most of their error in the same slot.
    pub(super) fn unevenness_with(&self, other: &Known) -> f64 {
        let (this, that) = (self.errors.variances().mean(), other.errors.variances().mean());
        let total = this + that;
        if total > 0.0 { (this * self.unevenness + that * other.unevenness) / total } else { 1.0 }
    }

    /// The profile of a sum.
    pub(super) fn profile_with(&self, other: &Known) -> Option<Profile> {
        let of = |known: &Known| known.errors.variances().mean();
        let (a, b) = (self.profile.as_ref(), other.profile.as_ref());
        match (a, b) {
            (None, None) => None,
            _ => Profile::of_sum((a, of(self)), (b, of(other))),
        }
    }

    /// What was bootstrapped, if this is in a bootstrap or goes into one now.
    pub(super) fn entering(&self) -> Option<(Profile, f64)> {
        let own = || Some((self.profile.clone()?, self.errors.variances().mean()));
        self.entered.clone().or_else(own)
    }

    /// What was bootstrapped to give a sum or a product: the two of a pair, or twice the same.
    pub(super) fn entered_with(&self, other: &Known) -> Option<(Profile, f64)> {
        match (&self.entered, &other.entered) {
            (Some((a, of_a)), Some((b, of_b))) if !a.is_same(b) => {
                let profile = Profile::of_sum((Some(a), *of_a), (Some(b), *of_b))?;
                Some((profile, of_a + of_b))
            }
            (a, b) => a.as_ref().or(b.as_ref()).cloned(),
        }
    }

    /// The variance of the slot and the sample where it is largest.
    pub(super) fn largest(&self) -> f64 {
        self.errors.variances().largest() * self.unevenness
    }

    /// Of a value about which nothing else is known.
    pub(super) fn new(of: Value, content: Content, errors: Errors) -> Known {
        Known {
            content,
            errors,
            of,
            unevenness: 1.0,
            profile: None,
            entered: None,
            total: 0.0,
            added: 0.0,
            is_worst: false,
            is_bootstrapped: false,
            is_moved: false,
            conjugate_of: None,
        }
    }

    /// The sum with another value, slot by slot.
    pub(super) fn combined(&self, other: &Known, value: Value, at: At) -> Known {
        let errors = self.errors.clone().plus(&other.errors, at);
        let unevenness = match at.is_layered {
            true => self.unevenness_with(other),
            false => self.unevenness.max(other.unevenness),
        };
        Known {
            unevenness,
            profile: self.profile_with(other),
            entered: self.entered_with(other),
            is_worst: self.is_worst || other.is_worst,
            is_bootstrapped: self.is_bootstrapped || other.is_bootstrapped,
            is_moved: self.is_moved || other.is_moved,
            ..Known::new(value, self.content.plus(&other.content), errors)
        }
    }
}
