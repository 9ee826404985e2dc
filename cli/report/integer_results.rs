//! How large the integers of a plan's results become, and what its plaintext primes hold.

use hecc_grammar::plan::{Magnitude, Plan};
use serde_json::{Value as Json, json};

use crate::terminal::units;

/// One output of a plan over integers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IntegerResult {
    name: String,
    magnitude: Magnitude,
    /// The largest magnitude that the plaintext primes hold.
    holds: f64,
    /// Beyond it the client warns.
    limit: Option<f64>,
}

impl IntegerResult {
    /// Those of a plan; none of one over approximate numbers.
    pub(crate) fn all(plan: &Plan) -> Vec<IntegerResult> {
        let modulus: f64 = plan.params.t().iter().map(|&t| t as f64).product();
        let of_output = |output: &hecc_grammar::plan::Output| {
            Some(IntegerResult {
                name: output.name.clone(),
                magnitude: output.magnitude?,
                holds: ((modulus - 1.0) / 2.0).floor(),
                limit: output.limit,
            })
        };
        plan.outputs.iter().filter_map(of_output).collect()
    }

    /// A sentence for people.
    pub(crate) fn text(&self) -> String {
        let Magnitude { calibrated, certified } = self.magnitude;
        let [calibrated, certified, holds] = [calibrated, certified, self.holds].map(units::number);
        let seen = format!(
            "`{}` is within ±{calibrated} on the calibration data, ±{certified} for any input in range; the plan holds ±{holds}",
            self.name
        );
        match self.limit {
            None => seen,
            Some(limit) => format!(
                "{seen}: what is larger wraps around to another number, and `hecc decrypt` warns of results beyond ±{}",
                units::number(limit.floor())
            ),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        json!({
            "name": self.name,
            "calibrated": self.magnitude.calibrated,
            "certified": self.magnitude.certified,
            "holds": self.holds,
            "limit": self.limit,
        })
    }
}
