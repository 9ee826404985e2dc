//! Degrees where layers are fitted in sequence: the same for all, or of two neighbors.
//!
//! Such layers make up for one another, so what they cost one by one says little of what they cost together: on ResNet-20 the
//! cheapest mixtures within a budget were worse than one degree for all at the same depth (docs/results/activations.md). It does
//! tell which layers lose least by a lower degree.

use std::collections::{BTreeMap, VecDeque};

use super::choose::cheapest;
use super::degree_search::{DegreeSearch, Order, Try};
use super::goal::SLACK;
use super::{ApproximateConfig, DegreeOption};
use crate::error::CompileError;
use crate::poly::polynomial_depth;

/// Tuning takes so much of the loss at most: what is further from enough is not tuned.
const TUNED_AWAY: f64 = 0.5;

/// The lowest depth that is tried: below it a network of many layers is never good enough.
const LEAST_DEPTH: usize = 2;

/// The highest degree for every number of levels, ascending: lower ones save products, but no level.
pub(super) fn highest_by_depth(config: &ApproximateConfig) -> VecDeque<usize> {
    let by_depth: BTreeMap<usize, usize> = (config.degrees.iter().chain(&config.more_degrees))
        .map(|&degree| (polynomial_depth(degree).max(LEAST_DEPTH), degree))
        .collect();
    by_depth.into_values().collect()
}

impl DegreeSearch<'_> {
    /// Tries the next degree for all layers; if it is enough, the one before where that costs least. `None` if there is no
    /// higher degree.
    pub(super) fn step_alike(&mut self) -> Result<Option<Try>, CompileError> {
        let Order::Alike { degrees, mixes } = &mut self.order else { return Ok(None) };
        let Some(degree) = degrees.pop_front() else { return Ok(None) };
        let (is_last, mixes, n_layers) = (degrees.is_empty(), *mixes, self.layers.len());
        self.add(&vec![vec![degree]; n_layers]);
        let last = self.choices[0].len() - 1;
        let mut found = self.attempted(vec![last; n_layers])?;
        if !found.is_enough && found.loss * TUNED_AWAY <= SLACK {
            found = self.tuned(found)?;
        }
        if mixes && (found.is_enough || is_last) {
            self.measure(last.saturating_sub(1))?;
        }
        if !(mixes && found.is_enough && last > 0) {
            return Ok(Some(found));
        }
        let mixed = self.mixed(&found);
        if mixed == found.chosen {
            return Ok(Some(found));
        }
        let mixed = self.attempted(mixed)?;
        Ok(Some(if mixed.is_enough { mixed } else { found }))
    }

    /// The cheapest choice among the last two degrees that leaves as much loss as is good enough, if layers make up for one another as
    /// they do in `found`, which has the higher degree everywhere.
    fn mixed(&self, found: &Try) -> Vec<usize> {
        let last = found.chosen[0];
        let two: Vec<Vec<DegreeOption>> =
            self.choices.iter().map(|choices| choices[last - 1..].to_vec()).collect();
        let alone: f64 = two.iter().filter_map(|choices| choices[1].loss).sum();
        let budget = alone * SLACK / found.loss.max(f64::MIN_POSITIVE);
        let (chosen, _) = cheapest(&two, budget);
        chosen.into_iter().map(|i| i + last - 1).collect()
    }
}
