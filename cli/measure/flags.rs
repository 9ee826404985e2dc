//! How often inputs and results are called unlike those of the calibration data: what `hecc encrypt` and `hecc decrypt`
//! would say.

use hecc_grammar::plan::Plan;
use hecc_runtime::client::{outside, unusual_input};
use serde_json::{Value as Json, json};

use crate::terminal::units;

/// Counts of inputs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// That `hecc encrypt` refuses, since a value is out of range, or warns of.
    inputs: usize,
    /// Whose result `hecc decrypt` warns of.
    results: usize,
    /// Whose class is another than the original network's.
    differing: usize,
    /// Of these, those that either warns of.
    differing_flagged: usize,
}

impl Flags {
    /// Of one input and its results.
    pub(crate) fn of(
        plan: &Plan,
        tensors: &[Vec<f64>],
        results: &[Vec<f64>],
        differs: bool,
    ) -> Flags {
        let input = plan.inputs.iter().zip(tensors).any(|(input, tensor)| {
            input.ranges.first_outside(&input.shape, tensor).is_some()
                || unusual_input(input, tensor).is_some()
        });
        let result =
            plan.outputs.iter().zip(results).any(|(o, result)| outside(o, result).is_some());
        Flags {
            inputs: usize::from(input),
            results: usize::from(result),
            differing: usize::from(differs),
            differing_flagged: usize::from(differs && (input || result)),
        }
    }

    /// The counts of both.
    pub(crate) fn merge(self, other: Flags) -> Flags {
        Flags {
            inputs: self.inputs + other.inputs,
            results: self.results + other.results,
            differing: self.differing + other.differing,
            differing_flagged: self.differing_flagged + other.differing_flagged,
        }
    }

    /// A line for people.
    pub(crate) fn text(&self, n: usize) -> String {
        let share = |count: usize| units::percent(count, n.max(1));
        let mut text = format!(
            "Unlike the calibration data: {} of the inputs, {} of the results",
            share(self.inputs),
            share(self.results)
        );
        if self.differing > 0 {
            text += &format!(
                "; {} of the {} whose class differs from the original network's",
                self.differing_flagged, self.differing
            );
        }
        text + ".\n"
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        json!({
            "inputs": self.inputs,
            "results": self.results,
            "differing": self.differing,
            "differing_flagged": self.differing_flagged,
        })
    }
}
