//! The search for parameters: one problem, one objective, one driver, and what promises plans of each kind.
//!
//! [`approximate`] weighs plans without bootstraps against plans with them, [`integers`] rings, products and plaintext primes.
//! All compare plans by the [`Objective`] and keep the best in the same way (`best`).

mod best;
mod bootstrapped;
mod candidate;
mod degrees;
mod integer_trial;
mod integers;
mod leveled;
mod objective;
pub mod place_bootstraps;
mod problem;

use hecc_grammar::noise;
use hecc_grammar::plan::{Layer, Plan};

use crate::error::CompileError;
use crate::layout::Batch;
use crate::limits;
use crate::lower::Choice;
use crate::pass::approximate::Recipe;

pub use bootstrapped::BootstrapReport;
pub use candidate::{Candidate, OfScheme};
pub use degrees::{Shipped, choose_degrees};
pub use integers::{FoundIntegers, search as integers};
pub use objective::{Objective, Score};
pub use problem::{Problem, Stages};

/// What was found.
pub struct Found {
    /// What was chosen.
    pub choice: Choice,
    /// Its plan.
    pub stages: Stages,
    /// How good its plan is.
    pub score: Score,
    /// Bits of precision of the results; infinite for integers.
    pub precision: f64,
    /// All parameters considered; the chosen ones first.
    pub candidates: Vec<Candidate>,
    /// Where values are bootstrapped, if any are.
    pub bootstraps: Option<BootstrapReport>,
}

/// Finds parameters for approximate numbers, with or without bootstraps: the cheaper ones where both are precise enough,
/// otherwise the more precise ones. `levels` are those of a plan without.
///
/// # Errors
/// If nothing is as precise as was wished for, or at all; if the network is too deep and cannot be bootstrapped.
pub fn approximate(problem: &Problem<'_>, levels: &[usize]) -> Result<Found, CompileError> {
    let found = cheapest(problem, levels)?;
    found.stages.show(&found.choice, problem.passes);
    Ok(found)
}

fn cheapest(problem: &Problem<'_>, levels: &[usize]) -> Result<Found, CompileError> {
    let (wanted, wish) = (problem.objective.precision, problem.config.precision);
    let enough = wish.unwrap_or((wanted - limits::SPARE_BITS).max(limits::LEAST_BITS));
    if problem.graph.sine_ratio().is_some() {
        let best = bootstrapped::search(problem, levels)?.ok_or(CompileError::NoBootstraps)?;
        return precise_enough(problem, best);
    }
    let leveled = match leveled::search(problem, levels) {
        // On a ring no smaller, bootstraps take more of both time and memory.
        Ok(found) if found.precision >= enough && !is_large(&found) => return Ok(found),
        found @ (Ok(_) | Err(CompileError::TooDeep { .. })) => found,
        Err(error) => return Err(error),
    };
    let capped = |found: &Found| Score { precision: found.precision.min(enough), ..found.score };
    // Every element would be bootstrapped by itself.
    let bootstrapped = match problem.config.batch {
        Batch::Slots => None,
        Batch::Log2(_) => bootstrapped::search(problem, levels)?,
    };
    let best = match (leveled, bootstrapped) {
        (Ok(one), Some(other)) if !capped(&other).is_better(&capped(&one)) => one,
        (_, Some(other)) => other,
        (one, None) => one?,
    };
    precise_enough(problem, best)
}

fn precise_enough(problem: &Problem<'_>, best: Found) -> Result<Found, CompileError> {
    if best.precision >= least_precision(problem) {
        return Ok(best);
    }
    Err(too_imprecise(problem, &best))
}

/// The fewest bits of precision that a plan may have. Minimax compositions amplify errors of arguments next to zero, where the
/// rectifier that they are part of is small: a bound that takes the worst argument of every layer says nothing of them.
fn least_precision(problem: &Problem<'_>) -> f64 {
    match problem.config.approximate.recipe {
        Recipe::Minimax => f64::NEG_INFINITY,
        Recipe::Uniform
        | Recipe::Layerwise
        | Recipe::Channels
        | Recipe::Sequential
        | Recipe::Tuned => problem.config.precision.unwrap_or(limits::LEAST_BITS),
    }
}

/// Whether the ring is so large that bootstrapping on a smaller one may be cheaper.
fn is_large(found: &Found) -> bool {
    found.choice.ladder.params.log_n >= limits::LARGE_RING
}

fn too_imprecise(problem: &Problem<'_>, best: &Found) -> CompileError {
    let (reached, wish) = (best.precision, problem.config.precision);
    let hint = if reached >= limits::LEAST_BITS {
        format!("--precision {:.0} is possible", reached.floor())
    } else if problem.config.batch == Batch::Slots {
        "with fewer inputs at once (--batch=16, say) the network can be bootstrapped".to_owned()
    } else {
        "lower degrees of activations (--degrees) let errors grow less".to_owned()
    };
    let node = noisiest_layer(&best.stages.plan);
    CompileError::Precision { wanted: wish.unwrap_or(limits::LEAST_BITS), reached, node, hint }
}

/// −log2 of the bound on the error of the results of a plan, as a fraction of their range.
pub fn precision_of(plan: &Plan) -> f64 {
    let errors = noise::analyze(plan);
    let bounds = plan.output_values().map(|value| errors[value.index()].bound);
    -bounds.fold(0.0, f64::max).log2()
}

/// The node after which the error of encryption is largest.
fn noisiest_layer(plan: &Plan) -> String {
    let errors = noise::analyze(plan);
    let error = |layer: &Layer| {
        layer.slots.iter().map(|(value, _)| errors[value.index()].total).fold(0.0, f64::max)
    };
    let worst = plan.layers.iter().max_by(|a, b| error(a).total_cmp(&error(b)));
    worst.map(|layer| layer.name.clone()).unwrap_or_default()
}
