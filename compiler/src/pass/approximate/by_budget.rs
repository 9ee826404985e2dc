//! Degrees where layers are approximated independently: the cheapest within a budget of what layers cost one by one.

use super::choose::cheapest;
use super::degree_search::{DegreeSearch, Order, Try};
use crate::error::CompileError;

/// Each try's budget is this part of the one before.
const CUT: f64 = 0.25;

/// Times that the budget is cut.
const MAX_TRIES: usize = 8;

/// A budget that nothing meets is raised to these multiples of the least that is possible.
const NEAR_LEAST: [f64; 2] = [1.25, 1.02];

/// A choice whose loss is at most this multiple of the best is as good: the last digits are not worth any cost.
const NEAR_BEST: f64 = 1.25;

impl Order {
    /// With nothing tried yet.
    pub(super) fn by_budget(more: Vec<usize>) -> Order {
        Order::ByBudget { budget: 1.0, more, left: MAX_TRIES }
    }
}

impl DegreeSearch<'_> {
    /// Tries the cheapest degrees within the budget, and cuts it. `None` if there is nothing left to try.
    pub(super) fn step_by_budget(&mut self) -> Result<Option<Try>, CompileError> {
        let Order::ByBudget { budget, more, left } = &mut self.order else { return Ok(None) };
        if *left == 0 {
            return Ok(None);
        }
        let tried = *budget;
        (*budget, *left) = (tried * CUT, *left - 1);
        let (mut chosen, mut least) = cheapest(&self.choices, tried);
        if least > tried && !more.is_empty() {
            let more = std::mem::take(more);
            self.consider(&vec![more; self.layers.len()])?;
            (chosen, least) = cheapest(&self.choices, tried);
        }
        if least > tried {
            self.order = Order::Done;
            return self.best_of_the_rest(least).map(Some);
        }
        self.attempted(chosen).map(Some)
    }

    /// The cheapest of the best choices where no budget can be kept to: then what layers cost one by one says little of what
    /// they cost together, so that many choices are tried.
    fn best_of_the_rest(&mut self, least: f64) -> Result<Try, CompileError> {
        let n_degrees = self.choices.first().map_or(0, Vec::len);
        let n_layers = self.choices.len();
        let alike = (0..n_degrees).map(|i| vec![i; n_layers]);
        let cheap = NEAR_LEAST.map(|factor| cheapest(&self.choices, least * factor).0);
        let tries: Vec<Try> =
            alike.chain(cheap).map(|chosen| self.attempted(chosen)).collect::<Result<_, _>>()?;
        let best = tries.iter().map(|found| found.loss).fold(f64::INFINITY, f64::min);
        let cost = |found: &Try| -> usize {
            self.choices.iter().zip(&found.chosen).map(|(choices, &i)| choices[i].cost).sum()
        };
        let near = tries.into_iter().filter(|found| found.loss <= NEAR_BEST * best);
        Ok(near.min_by_key(cost).expect("one of them is the best"))
    }
}
