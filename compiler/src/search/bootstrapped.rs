//! Chooses ring, levels, bootstraps and their places: the cheapest in all.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::plan::TypeError;

use crate::bootstrap::{self, Chain, Considered, Wish};
use crate::config::Moduli;
use crate::error::CompileError;
use crate::graph::{Graph, NodeId, Step};
use crate::layout::bits_for;
use crate::limits;
use crate::lower::{Bootstraps, Choice, Method};
use crate::pack::{PackConfig, Packing};
use crate::pass::approximate::Recipe;
use crate::passes::Decided;

use super::best::{Best, Built, Promise, over_rings};
use super::place_bootstraps::{PlaceConfig, Placements, place_bootstraps};
use super::{Candidate, Found, OfScheme, Problem, Score, least_precision, precision_of};

/// Where values are bootstrapped.
#[derive(Clone, Debug)]
pub struct BootstrapReport {
    /// Primes and scales.
    pub chain: Chain,
    /// The placement, and what others would cost.
    pub placements: Placements,
    /// Names of the steps whose results are bootstrapped, with the level before and after.
    pub steps: Vec<(String, usize, usize)>,
    /// log2 of the probability that a run fails: that raising adds more multiples of q_0 than are taken away.
    pub failure: f64,
}

/// Finds the cheapest plan with bootstraps so precise that results are as wanted, or the most precise one; `None` if there is
/// none. `levels` are those of a plan that bootstraps nothing but sines.
pub(super) fn search(
    problem: &Problem<'_>,
    levels: &[usize],
) -> Result<Option<Found>, CompileError> {
    let (mut bits, enough) = precision(problem);
    let levels = levels_between(problem.graph, levels, problem.config.moduli);
    let mut best = None::<Found>;
    for _ in 0..=limits::MORE_PRECISE_BOOTSTRAPS {
        let Some(found) = search_reliable(problem, &levels, bits)? else { break };
        let lacks = enough - found.precision;
        let is_unknown = found.precision == f64::NEG_INFINITY;
        let improves = best.as_ref().is_none_or(|best| found.score.is_better(&best.score));
        if improves {
            best = Some(found);
        }
        // Where nothing is known of results, errors of errors outgrow them: a little less of them may be much less.
        if lacks <= 0.0 || !(improves || is_unknown) {
            break;
        }
        bits += lacks.clamp(0.5, limits::MORE_BITS_AT_ONCE);
    }
    Ok(best)
}

/// How many levels there may be between two bootstraps. Where only sines are bootstrapped, more than any step needs are of no use;
/// where all bootstraps are alike, an activation and the map after it do with one, perhaps with a last map.
fn levels_between(graph: &Graph, levels: &[usize], moduli: Moduli) -> RangeInclusive<usize> {
    match (graph.sine_ratio(), moduli) {
        (Some(_), _) => {
            let most = levels.iter().copied().max().unwrap_or(0).max(1);
            most..=most
        }
        (None, Moduli::Consistent) => {
            let most = deepest_layer(graph).max(1);
            most..=most + 1
        }
        (None, Moduli::Layerwise) => {
            let deepest = graph.ids().map(|id| graph.node(id).step.depth()).max().unwrap_or(0);
            deepest..=deepest + limits::SPARE_LEVELS
        }
    }
}

/// The most levels from one affine map to the next, included.
fn deepest_layer(graph: &Graph) -> usize {
    let mut depths: Vec<usize> = vec![];
    let mut deepest = 0;
    for id in graph.ids() {
        let step = &graph.node(id).step;
        let before = step.operands().iter().map(|operand| depths[operand.0]).max().unwrap_or(0);
        deepest = deepest.max(before + step.depth());
        let begins = matches!(step, Step::Affine { .. } | Step::Input(_));
        depths.push(if begins { 0 } else { before + step.depth() });
    }
    deepest
}

/// The bits of bootstraps that are tried first, and those of results that are enough. Where polynomials are in sines they were fitted
/// roughly, and as many bits fewer are enough as are given up before others are bootstrapped at all.
fn precision(problem: &Problem<'_>) -> (f64, f64) {
    let wanted = problem.objective.precision;
    let first = (wanted + limits::BOOTSTRAP_MORE_BITS).min(limits::BOOTSTRAP_BITS);
    let least = || (wanted - limits::SPARE_BITS).max(limits::LEAST_BITS);
    let is_minimax = problem.config.approximate.recipe == Recipe::Minimax;
    match problem.graph.sine_ratio() {
        None if is_minimax => (first, least_precision(problem)),
        None => (first, wanted),
        Some(_) => (first.min(limits::SINE_BITS), problem.config.precision.unwrap_or_else(least)),
    }
}

/// The cheapest plan whose bootstraps have `bits` bits and fail as seldom as is allowed: never, if there are too many of them for
/// anything else.
fn search_reliable(
    problem: &Problem<'_>,
    levels: &RangeInclusive<usize>,
    bits: f64,
) -> Result<Option<Found>, CompileError> {
    let of_one = limits::BOOTSTRAP_FAILURE - limits::MOST_BOOTSTRAPS.log2();
    let found = search_with(problem, levels, Reliable { bits, failure: of_one })?;
    let fails = |found: &Found| found.bootstraps.as_ref().map_or(f64::NEG_INFINITY, |b| b.failure);
    match found {
        Some(found) if fails(&found) > limits::BOOTSTRAP_FAILURE => {
            search_with(problem, levels, Reliable { bits, failure: f64::NEG_INFINITY })
        }
        found => Ok(found),
    }
}

/// What each bootstrap is to be like.
#[derive(Clone, Copy)]
struct Reliable {
    /// −log2 of the largest error.
    bits: f64,
    /// log2 of the probability that it may fail with.
    failure: f64,
}

/// Places of bootstraps with some primes.
struct Placed {
    chain: Chain,
    placements: Placements,
}

/// The cheapest plan with such bootstraps.
fn search_with(
    problem: &Problem<'_>,
    between: &RangeInclusive<usize>,
    wanted: Reliable,
) -> Result<Option<Found>, CompileError> {
    let mut best = Best::default();
    best.build(promises(problem, between, wanted)?, |placed| build(problem, placed))?;
    Ok(best.found().ok())
}

/// Where bootstraps are placed best, for each ring and number of levels between them. Where memory is limited, slower bootstraps with
/// fewer or smaller keys are options as well.
fn promises(
    problem: &Problem<'_>,
    between: &RangeInclusive<usize>,
    wanted: Reliable,
) -> Result<Vec<Promise<Placed>>, CompileError> {
    let mut promises = vec![];
    over_rings(problem.config, limits::BOOTSTRAPPED_RINGS, |log_n| {
        let before = promises.len();
        for levels in between.clone() {
            for chain in chains(problem, &wish(problem, log_n, levels, wanted)) {
                promises.extend(promise(problem, chain, wanted.bits)?);
            }
        }
        Ok(promises.len() > before)
    })?;
    Ok(promises)
}

/// Primes and scales of bootstraps, the fastest alone where memory is not limited.
fn chains(problem: &Problem<'_>, wish: &Wish) -> Vec<Chain> {
    let costs = &problem.config.costs;
    let considered = match problem.config.max_memory {
        None => bootstrap::fastest(wish, costs).into_iter().collect(),
        Some(_) => bootstrap::efficient(wish, costs),
    };
    considered.into_iter().map(|considered: Considered| considered.chain).collect()
}

/// What the best places of some bootstraps promise; `None` if there are none.
fn promise(
    problem: &Problem<'_>,
    chain: Chain,
    precision: f64,
) -> Result<Option<Promise<Placed>>, CompileError> {
    let Some(placements) = place(problem, &chain)? else { return Ok(None) };
    let (scale, levels) = (chain.parameters.scale_bits, Some(chain.parameters.levels));
    let of_scheme = OfScheme::Ckks { scale, precision, levels };
    let Some(candidate) = Candidate::new(&chain.ladder.params, of_scheme) else { return Ok(None) };
    let seconds = placements.best.seconds;
    let candidate = Candidate { seconds: Some(seconds), ..candidate };
    let score = Score { excess: 0, precision: problem.objective.precision, seconds };
    Ok(Some(Promise { candidate, score, option: Placed { chain, placements } }))
}

fn build(problem: &Problem<'_>, placed: Placed) -> Result<Built, CompileError> {
    let graph = problem.graph;
    let Placed { chain, placements } = placed;
    let placement = &placements.best;
    let choice = Choice {
        ladder: chain.ladder.clone(),
        levels: placement.levels.clone(),
        packing: problem.pack_together(pack_config(problem, &chain, &placement.levels))?,
        method: Method::Bootstrapped(Box::new(Bootstraps {
            chain: chain.clone(),
            levels: placement.bootstrapped.clone(),
        })),
    };
    let stages = problem.try_out(&choice)?;
    let precision = precision_of(&stages.plan);
    let score = problem.objective.score(&stages.plan, precision);
    let steps = graph.ids().filter_map(|id| {
        let to = placement.bootstrapped[id.0]?;
        Some((graph.node(id).name.clone(), placement.levels[id.0], to))
    });
    let steps = steps.collect();
    let raised = graph.ids().filter(|id| placement.bootstrapped[id.0].is_some()).map(|id| {
        let layout = &choice.packing.layouts[id.0];
        layout.n_ciphertexts() as f64 * f64::from(layout.log_bootstrapped()).exp2()
    });
    let failure = chain.log2_failure(raised.sum::<f64>().log2());
    let bootstraps = Some(BootstrapReport { chain, placements, steps, failure });
    Ok(Built { choice, stages, score, precision, bootstraps })
}

/// A bootstrap for the widest result of the network.
fn wish(problem: &Problem<'_>, log_n: u32, levels: usize, wanted: Reliable) -> Wish {
    let Problem { graph, config, .. } = *problem;
    let log_len = graph.ids().map(|id| bits_for(graph.len(id))).max().unwrap_or(1);
    let log_slots = log_len + config.batch.log_inputs(log_n as usize - 1);
    Wish {
        log_n,
        log_slots: (log_slots as u32).clamp(2, log_n - 1),
        n_values: 1,
        levels,
        bits: wanted.bits,
        sine: graph.sine_ratio(),
        failure: wanted.failure,
        security: config.security,
    }
}

fn pack_config<'a>(problem: &Problem<'a>, chain: &Chain, levels: &'a [usize]) -> PackConfig<'a> {
    PackConfig {
        log_n: chain.parameters.log_n,
        two_rows: false,
        batch: problem.config.batch,
        tiles: problem.config.tiles.as_ref(),
        n_special: chain.parameters.n_special,
        levels,
        n_lowest: chain.ladder.limbs(0).len(),
        costs: &problem.config.costs,
        encodes: false,
    }
}

/// The placement for layouts of steps half-way between bootstraps.
fn place(problem: &Problem<'_>, chain: &Chain) -> Result<Option<Placements>, CompileError> {
    let graph = problem.graph;
    let top = chain.ladder.top();
    let middle = vec![top / 2; graph.nodes.len()];
    let config = pack_config(problem, chain, &middle);
    let packing = problem.pack_together(config)?;
    let seconds = problem.seconds_by_level(&packing, config, top);
    let costs = &problem.config.costs;
    let mut costs = BootstrapCosts { chain, costs, known: HashMap::new() };
    let bootstrap = graph
        .ids()
        .map(|id| (0..=top).map(|level| costs.of_step(&packing, id, level)).collect())
        .collect::<Result<Vec<Vec<f64>>, TypeError>>()?;
    let sines_only = graph.sine_ratio().is_some();
    let to_top = problem.config.moduli == Moduli::Consistent;
    let place = PlaceConfig { top, seconds: &seconds, bootstrap: &bootstrap, sines_only, to_top };
    Ok(problem.passes.try_out("place_bootstraps", || Decided(place_bootstraps(graph, &place))).0)
}

/// Predicted seconds of bootstraps.
struct BootstrapCosts<'a> {
    chain: &'a Chain,
    costs: &'a Costs,
    /// By log2 of the number of slots, level, and number of values.
    known: HashMap<(u32, usize, usize), f64>,
}

impl BootstrapCosts<'_> {
    fn of_step(&mut self, packing: &Packing, id: NodeId, level: usize) -> Result<f64, TypeError> {
        let layout = &packing.layouts[id.0];
        let (count, log_slots) = (layout.n_ciphertexts(), layout.log_bootstrapped());
        let mut seconds = (count / 2) as f64 * self.of_values(log_slots, level, 2)?;
        if count % 2 == 1 {
            seconds += self.of_values(log_slots, level, 1)?;
        }
        Ok(seconds)
    }

    fn of_values(
        &mut self,
        log_slots: u32,
        level: usize,
        n_values: usize,
    ) -> Result<f64, TypeError> {
        if let Some(&known) = self.known.get(&(log_slots, level, n_values)) {
            return Ok(known);
        }
        let chain = self.chain;
        let plan = bootstrap::probe(chain, log_slots, n_values, level, self.costs)?;
        let seconds = cost::plan_seconds(self.costs, &plan);
        self.known.insert((log_slots, level, n_values), seconds);
        Ok(seconds)
    }
}
