//! A network as it is, or with its units in an order that its plan takes less for.

use hecc_grammar::model::Model;

use super::Task;
use crate::error::CompileError;
use crate::graph::Graph;
use crate::lower::nodes_of_layers;
use crate::pass::remove_dead::{Constants, remove_dead};
use crate::passes::Made;
use crate::permute::{has_zeros, permute};
use crate::search::Found;

/// A network with parameters and plan.
pub(super) struct Planned<R> {
    pub(super) graph: Graph,
    pub(super) found: Found,
    /// What else was decided.
    pub(super) report: R,
}

/// Plans a network; if it has many zeros, without what they make superfluous, and also with its units permuted by what that plan's
/// layouts are. The better one is kept.
pub(super) fn ordered<R>(
    task: &Task<'_>,
    model: &Model,
    constants: Constants,
    plan: impl Fn(&Model) -> Result<Planned<R>, CompileError>,
) -> Result<Planned<R>, CompileError> {
    let Task { config, passes, .. } = task;
    let Some(method) = config.permute.filter(|_| has_zeros(model)) else { return plan(model) };
    let live = passes.run("remove_dead", || remove_dead(model, constants));
    let own = live.as_ref().map_or(model, |live| &live.model);
    let given = plan(own)?;
    let packed = (&given.graph, &given.found.choice);
    let permute = || permute(own, packed, &config.costs, method);
    let gathers = !given.found.choice.packing.is_by_element() && has_zeros(own);
    let permuted = if gathers { passes.try_out("permute", permute) } else { None };
    let better = permuted.and_then(|permuted| {
        let trial = passes.in_trial(|| {
            passes.show("permute", Made::Model(&permuted.model));
            plan(&permuted.model)
        });
        let is_better = trial
            .result
            .as_ref()
            .is_ok_and(|planned| planned.found.score.is_better(&given.found.score));
        is_better.then(|| (permuted, passes.keep(trial)))
    });
    let (rearranged, mut planned) = match (better, live) {
        (Some((permuted, planned)), live) => {
            let permuted = live.iter().fold(permuted, |permuted, live| permuted.after(live));
            (Some(permuted), planned?)
        }
        (None, live) => (live, given),
    };
    if let Some(rearranged) = rearranged {
        let Planned { graph, found, .. } = &mut planned;
        let nodes = nodes_of_layers(graph, &found.stages.plan);
        rearranged.name_as_given(&mut found.stages.plan, &nodes);
    }
    Ok(planned)
}
