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
    /// Inputs that are wanted of a run: room for more is no advantage.
    pub inputs: usize,
    /// Most bytes of keys and values.
    pub max_memory: Option<u64>,
}

/// How good a plan is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Bytes of keys and values beyond the limit.
    pub excess: u64,
    /// Bits of precision, up to those wanted.
    pub precision: f64,
    /// Predicted seconds an input on one core.
    pub seconds: f64,
}

impl Objective<'_> {
    /// Predicted seconds an input on one core, in each of many runs: bootstraps, and weights that are encoded anew in every run,
    /// included. Encoded weights are kept in what the limit leaves of memory.
    pub fn seconds(&self, plan: &Plan) -> f64 {
        let left = self.max_memory.map(|most| most.saturating_sub(self.memory(plan)));
        let kept = left.unwrap_or(u64::MAX).min(cost::KEPT_BYTES);
        cost::run_seconds(self.costs, plan, kept) / plan.batch.min(self.inputs) as f64
    }

    /// Least bytes of keys, tables, and values alive at once: where memory is short, keys stay in their file.
    pub fn memory(&self, plan: &Plan) -> u64 {
        cost::stored_key_bytes(plan) + cost::table_bytes(plan) + cost::peak_value_bytes(plan)
    }

    /// Bytes of keys and values beyond the limit.
    pub fn excess(&self, plan: &Plan) -> u64 {
        self.max_memory.map_or(0, |most| self.memory(plan).saturating_sub(most))
    }

    /// How good a plan with `precision` bits is.
    pub fn score(&self, plan: &Plan, precision: f64) -> Score {
        Score {
            excess: self.excess(plan),
            precision: precision.min(self.precision),
            seconds: self.seconds(plan),
        }
    }
}

impl Score {
    /// Whether keys and values are within the limit.
    pub fn fits(&self) -> bool {
        self.excess == 0
    }

    /// The better one first: what fits before what does not, by how much, then precision as far as it is wanted, then time.
    pub fn order(&self, other: &Score) -> Ordering {
        let of_fit = self.excess.cmp(&other.excess);
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
        let score = |excess, precision, seconds| Score { excess, precision, seconds };
        assert!(score(0, 9.0, 2.0).is_better(&score(7, 9.0, 1.0)));
        assert!(score(0, 9.0, 2.0).is_better(&score(0, 8.0, 1.0)));
        assert!(score(0, 9.0, 1.0).is_better(&score(0, 9.0, 2.0)));
        assert!(!score(0, 9.0, 1.0).is_better(&score(0, 9.0, 1.0)));
    }
}
