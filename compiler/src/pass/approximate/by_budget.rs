//! Degrees where layers are approximated independently: the cheapest within a budget of what layers cost one by one.

use super::choose::cheapest;
use super::degree_search::{DegreeSearch, Order, Try};
use crate::error::CompileError;
use crate::limits;

impl Order {
    /// With nothing tried yet.
    pub(super) fn by_budget(more: Vec<usize>) -> Order {
        Order::ByBudget { budget: 1.0, more, left: limits::BUDGET_TRIES }
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
        (*budget, *left) = (tried * limits::BUDGET_CUT, *left - 1);
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
        let cheap = limits::BUDGET_RAISED.map(|factor| cheapest(&self.choices, least * factor).0);
        let tries: Vec<Try> =
            alike.chain(cheap).map(|chosen| self.attempted(chosen)).collect::<Result<_, _>>()?;
        let best = tries.iter().map(|found| found.loss).fold(f64::INFINITY, f64::min);
        let cost = |found: &Try| -> usize {
            self.choices.iter().zip(&found.chosen).map(|(choices, &i)| choices[i].cost).sum()
        };
        let near = tries.into_iter().filter(|found| found.loss <= limits::AS_GOOD_LOSS * best);
        Ok(near.min_by_key(cost).expect("one of them is the best"))
    }
}
