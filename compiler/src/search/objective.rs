//! What plans are compared by, whatever their scheme, ring, batch or bootstraps.

use std::cmp::Ordering;

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::plan::Plan;

/// Seconds an input, under limits of precision and memory.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a> {
    /// Seconds per kernel on one core.
    pub costs: &'a Costs,
    /// Bits of precision that results are wanted with: more are no advantage. Integers are exact.
    pub precision: f64,
    /// Most bytes of keys and values.
    pub max_memory: Option<u64>,
}

/// How good a plan is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Whether keys and values fit the limit.
    pub fits: bool,
    /// Bits of precision, up to those wanted.
    pub precision: f64,
    /// Predicted seconds an input on one core.
    pub seconds: f64,
}

impl Objective<'_> {
    /// Predicted seconds an input on one core, in each of many runs: bootstraps, and weights that are encoded anew in every run,
    /// included.
    pub fn seconds(&self, plan: &Plan) -> f64 {
        cost::repeated_seconds(self.costs, plan) / plan.batch as f64
    }

    /// Predicted bytes of keys and of values alive at once.
    pub fn memory(&self, plan: &Plan) -> u64 {
        cost::key_bytes(plan) + cost::peak_value_bytes(plan)
    }

    /// How good a plan with `precision` bits is.
    pub fn score(&self, plan: &Plan, precision: f64) -> Score {
        Score {
            fits: self.max_memory.is_none_or(|most| self.memory(plan) <= most),
            precision: precision.min(self.precision),
            seconds: self.seconds(plan),
        }
    }
}

impl Score {
    /// The better one first: what fits before what does not, then precision as far as it is wanted, then time.
    pub fn order(&self, other: &Score) -> Ordering {
        let of_fit = other.fits.cmp(&self.fits);
        let of_precision = || other.precision.total_cmp(&self.precision);
        of_fit.then_with(of_precision).then_with(|| self.seconds.total_cmp(&other.seconds))
    }

    /// Whether it is to be chosen rather than another one.
    pub fn is_better(&self, other: &Score) -> bool {
        self.order(other) == Ordering::Less
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_come_before_seconds() {
        let score = |fits, precision, seconds| Score { fits, precision, seconds };
        assert!(score(true, 9.0, 2.0).is_better(&score(false, 9.0, 1.0)));
        assert!(score(true, 9.0, 2.0).is_better(&score(true, 8.0, 1.0)));
        assert!(score(true, 9.0, 1.0).is_better(&score(true, 9.0, 2.0)));
        assert!(!score(true, 9.0, 1.0).is_better(&score(true, 9.0, 1.0)));
    }
}
