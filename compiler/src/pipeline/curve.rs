//! Accuracy against time: what other polynomials would have cost, each by a plan of its own.

use hecc_grammar::plan::Validation;

use super::approximate::compile_with;
use super::{Compiled, Task};
use crate::config::Wishes;
use crate::pass::approximate::{ApproximateConfig, Recipe, Tried};

/// A choice of degrees with its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// Degrees of the layers, in order.
    pub degrees: Vec<usize>,
    /// Whether coefficients were tuned.
    pub is_tuned: bool,
    /// Whether it is the one that was chosen.
    pub is_chosen: bool,
    /// Predicted seconds an input, and how good results are on held-out inputs; or why there is no such plan.
    pub plan: Result<(f64, Validation), String>,
}

/// The plan that was compiled among those of other choices of degrees that were tried, from the cheapest on.
pub(super) fn curve(task: &Task<'_>, compiled: &Compiled) -> Vec<CurvePoint> {
    let report = &compiled.approximation;
    let chosen = report.degrees();
    let of = |tried: &Tried| {
        let is_chosen = tried.degrees == chosen && tried.is_tuned == report.tuned.is_some();
        let plan = match &compiled.plan.validation {
            Some(validation) if is_chosen => Ok((compiled.score.seconds, validation.clone())),
            _ => plan_with(task, compiled, tried),
        };
        let Tried { degrees, is_tuned, .. } = tried.clone();
        CurvePoint { degrees, is_tuned, is_chosen, plan }
    };
    efficient(&report.tried).into_iter().map(of).collect()
}

/// Choices that lose less than all cheaper ones, ascending by cost.
fn efficient(tried: &[Tried]) -> Vec<&Tried> {
    let mut by_cost: Vec<&Tried> = tried.iter().collect();
    by_cost.sort_by(|a, b| a.cost.cmp(&b.cost).then(a.loss.total_cmp(&b.loss)));
    let mut least = f64::INFINITY;
    by_cost.retain(|tried| {
        let is_better = tried.loss < least;
        least = least.min(tried.loss);
        is_better
    });
    by_cost
}

/// Predicted seconds and validation of a plan with polynomials of these degrees, in the same variable as the plan's that was
/// compiled.
fn plan_with(
    task: &Task<'_>,
    compiled: &Compiled,
    tried: &Tried,
) -> Result<(f64, Validation), String> {
    let given = match compiled.graph.sine_ratio() {
        Some(_) => task.config.approximate.through_sines(),
        None => task.config.approximate.clone(),
    };
    let recipe = if tried.is_tuned { given.recipe } else { given.recipe.min(Recipe::Sequential) };
    let approximate =
        ApproximateConfig { recipe, degree_of_layers: Some(tried.degrees.clone()), ..given };
    // A point that does not keep to the wishes belongs to the curve as well.
    let compiled = compile_with(task, &approximate, &Wishes::default());
    let compiled = compiled.map_err(|error| error.to_string())?;
    let validation = compiled.plan.validation.clone().ok_or("it was not compared")?;
    Ok((compiled.score.seconds, validation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_more_and_loses_more_is_left_out() {
        let tried = |cost, loss| Tried { degrees: vec![cost], cost, loss, is_tuned: false };
        let all = [tried(4, 0.5), tried(2, 3.0), tried(3, 4.0), tried(9, 0.1), tried(4, 0.4)];
        let costs: Vec<(usize, f64)> = efficient(&all).iter().map(|t| (t.cost, t.loss)).collect();
        assert_eq!(costs, [(2, 3.0), (4, 0.4), (9, 0.1)]);
    }
}
