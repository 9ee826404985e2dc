//! Chooses ring, levels, recipe and placement for networks that no ring carries without bootstrapping: the cheapest in all.

use std::collections::HashMap;

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::plan::TypeError;

use crate::bootstrap::{self, Chain, Wish};
use crate::config::Config;
use crate::error::CompileError;
use crate::graph::{Graph, NodeId};

use super::lower::{LowerConfig, Refresh, lower};
use super::pack::{PackConfig, Packer, Packing};
use super::place_bootstraps::{PlaceConfig, Placements, place_bootstraps};
use super::search::{Candidate, Found, SearchInput, optimise, precision_of};

/// log2 of the ring degrees considered.
const LOG_N: [u32; 2] = [16, 15];

/// Most levels between bootstraps that are considered beyond the deepest step.
const MOST_SPARE_LEVELS: usize = 8;

/// −log2 of the largest error of one bootstrap: more than a network is asked for, since errors add up.
const BITS: f64 = 14.5;

/// Times that bootstraps are made more precise where results are not.
const MORE_PRECISE: usize = 2;

/// Where values are refreshed.
#[derive(Clone, Debug)]
pub struct BootstrapReport {
    /// Primes and scales.
    pub chain: Chain,
    /// The placement, and what others would cost.
    pub placements: Placements,
    /// Names of the steps whose results are refreshed, with the level before and after.
    pub steps: Vec<(String, usize, usize)>,
}

/// A plan with bootstraps.
pub struct Deep {
    /// The plan.
    pub found: Found,
    /// Where its bootstraps are.
    pub bootstraps: BootstrapReport,
}

/// Finds the cheapest plan with bootstraps so precise that results are as wanted, or the most precise one; `None` if there is
/// none.
pub fn search_bootstrapped(
    input: &SearchInput<'_>,
    packer: &mut Packer<'_>,
) -> Result<Option<Deep>, CompileError> {
    let (mut bits, mut best) = (BITS, None::<Deep>);
    for _ in 0..=MORE_PRECISE {
        let Some(deep) = search_with(input, packer, bits)? else { break };
        let lacks = input.precision - deep.found.precision;
        let improves = best.as_ref().is_none_or(|best| deep.found.precision > best.found.precision);
        if improves {
            best = Some(deep);
        }
        if lacks <= 0.0 || !improves {
            break;
        }
        bits += lacks.max(0.5);
    }
    Ok(best)
}

/// The cheapest plan whose bootstraps have so many bits.
fn search_with(
    input: &SearchInput<'_>,
    packer: &mut Packer<'_>,
    bits: f64,
) -> Result<Option<Deep>, CompileError> {
    let SearchInput { graph, config, .. } = *input;
    let deepest = graph.ids().map(|id| graph.node(id).step.depth()).max().unwrap_or(0);
    let mut best: Option<(Chain, Packing, Placements)> = None;
    let mut candidates = vec![];
    for log_n in config.log_n.map_or(LOG_N.to_vec(), |log_n| vec![log_n]) {
        for levels in deepest..=deepest + MOST_SPARE_LEVELS {
            let Some(chain) = recipe(input, bits, (log_n, levels))? else { continue };
            let (packing, placements) = place(packer, (graph, config), &chain)?;
            let Some(placements) = placements else { continue };
            let seconds = placements.best.seconds;
            let candidate = candidate(&chain, bits, seconds);
            let is_best = best.as_ref().is_none_or(|(_, _, found)| seconds < found.best.seconds);
            if is_best {
                best = Some((chain, packing, placements));
                candidates.insert(0, candidate);
            } else {
                candidates.push(candidate);
            }
        }
    }
    let Some((chain, _, placements)) = best else { return Ok(None) };
    let placement = &placements.best;
    let packing = packer.pack(pack_config(config, &chain, &placement.levels))?;
    let refresh = Refresh { chain: &chain, levels: &placement.refreshed, costs: &config.costs };
    let lower_config = LowerConfig {
        ladder: chain.ladder.clone(),
        levels: &placement.levels,
        refresh: Some(refresh),
        ..input.lower.clone()
    };
    let plan = optimise(&lower(graph, &packing, &lower_config)?)?;
    let precision = precision_of(&plan);
    let steps = graph.ids().filter_map(|id| {
        let to = placement.refreshed[id.0]?;
        Some((graph.node(id).name.clone(), placement.levels[id.0], to))
    });
    let steps = steps.collect();
    let bootstraps =
        BootstrapReport { chain: chain.clone(), placements: placements.clone(), steps };
    Ok(Some(Deep { found: Found { precision, plan, packing, candidates }, bootstraps }))
}

/// The fastest recipe for the widest result of the network.
fn recipe(
    input: &SearchInput<'_>,
    bits: f64,
    (log_n, levels): (u32, usize),
) -> Result<Option<Chain>, CompileError> {
    let SearchInput { graph, config, .. } = *input;
    let log_slots = graph.ids().map(|id| crate::layout::bits_for(graph.len(id)) as u32).max();
    let wish = Wish {
        log_n,
        log_slots: log_slots.unwrap_or(1).clamp(2, log_n - 1),
        n_values: 1,
        levels,
        bits,
        security: config.security,
    };
    Ok(bootstrap::search(&wish, &config.costs).into_iter().next().map(|found| found.chain))
}

fn pack_config<'a>(config: &'a Config, chain: &Chain, levels: &'a [usize]) -> PackConfig<'a> {
    PackConfig {
        log_n: chain.recipe.log_n,
        two_rows: false,
        n_special: chain.recipe.n_special,
        levels,
        n_lowest: chain.ladder.limbs(0).len(),
        costs: &config.costs,
    }
}

/// Layouts for steps half-way between bootstraps, and the placement for these layouts.
fn place(
    packer: &mut Packer<'_>,
    (graph, config): (&Graph, &Config),
    chain: &Chain,
) -> Result<(Packing, Option<Placements>), CompileError> {
    let top = chain.ladder.top();
    let middle = vec![top / 2; graph.nodes.len()];
    let packing = packer.pack(pack_config(config, chain, &middle))?;
    let seconds = packer.seconds_by_level(&packing, pack_config(config, chain, &middle), top);
    let mut costs = BootstrapCosts { chain, costs: &config.costs, known: HashMap::new() };
    let bootstrap = graph
        .ids()
        .map(|id| (0..=top).map(|level| costs.of_step(&packing, id, level)).collect())
        .collect::<Result<Vec<Vec<f64>>, TypeError>>()?;
    let place = PlaceConfig { top, seconds: &seconds, bootstrap: &bootstrap };
    let placements = place_bootstraps(graph, &place);
    Ok((packing, placements))
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
        let (count, log_slots) = (layout.n_ciphertexts(), layout.period().log_slots());
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

fn candidate(chain: &Chain, bits: f64, seconds: f64) -> Candidate {
    let params = &chain.ladder.params;
    Candidate {
        log_n: params.log_n,
        scale: chain.recipe.scale_bits,
        n_special: params.p.len(),
        log_qp: params.log_qp(),
        max_log_qp: hecc_grammar::security::max_log_qp(params.log_n, params.security).unwrap_or(0),
        precision: bits,
        seconds: Some(seconds),
    }
}
