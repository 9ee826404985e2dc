//! Decides after which steps values are bootstrapped, and at which level every step runs.
//!
//! Exact: the shortest path through a graph whose nodes are (number of steps done, levels of the values still to be read,
//! bootstraps so far). An edge runs the next step at some level, and perhaps bootstraps its result to some higher one. Forks
//! and joins need no special treatment, because the values alive at the same time are in the state together.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use petgraph::algo::astar;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::graph::{Graph, NodeId, Step};

/// Where values are bootstrapped, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// Level of each step's result, before it is bootstrapped.
    pub levels: Vec<usize>,
    /// The level that each step's result is bootstrapped to, if it is.
    pub bootstrapped: Vec<Option<usize>>,
    /// Predicted seconds on one core, steps and bootstraps.
    pub seconds: f64,
}

/// The costs that placement weighs.
pub struct PlaceConfig<'a> {
    /// The highest level.
    pub top: usize,
    /// Seconds of each step by the level of its result.
    pub seconds: &'a [Vec<f64>],
    /// Seconds of bootstrapping each step's result, by the level that it is bootstrapped to.
    pub bootstrap: &'a [Vec<f64>],
    /// Whether only sines are bootstrapped.
    pub sines_only: bool,
    /// Whether all bootstraps raise to the highest level.
    pub to_top: bool,
}

/// The cheapest placement, and the cheapest with one bootstrap more and one fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Placements {
    /// The cheapest of all.
    pub best: Placement,
    /// Seconds of the cheapest with one bootstrap fewer; `None` if there is none.
    pub one_fewer: Option<f64>,
    /// Seconds of the cheapest with one bootstrap more; `None` if there is none.
    pub one_more: Option<f64>,
}

impl Placement {
    /// How many steps' results are bootstrapped.
    pub fn n_bootstraps(&self) -> usize {
        self.bootstrapped.iter().flatten().count()
    }
}

/// Places bootstraps; `None` if some step needs more levels than there are.
pub fn place_bootstraps(graph: &Graph, config: &PlaceConfig<'_>) -> Option<Placements> {
    let states = States::new(graph, config);
    let best = states.shortest(None)?;
    let count = best.n_bootstraps();
    let seconds = |count: usize| states.shortest(Some(count)).map(|placement| placement.seconds);
    let one_fewer = count.checked_sub(1).and_then(seconds);
    Some(Placements { one_more: seconds(count + 1), one_fewer, best })
}

/// What matters for the steps to come.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    /// Steps done.
    done: usize,
    /// Levels of the values still to be read, in order of their steps.
    live: Vec<(usize, usize)>,
    bootstraps: usize,
}

/// How a step is run.
#[derive(Clone, Copy)]
struct Way {
    level: usize,
    bootstrapped: Option<usize>,
    seconds: f64,
}

struct States<'a> {
    graph: &'a Graph,
    config: &'a PlaceConfig<'a>,
    last_use: Vec<usize>,
    paths: DiGraph<State, Way>,
    start: NodeIndex,
}

impl<'a> States<'a> {
    fn new(graph: &'a Graph, config: &'a PlaceConfig<'a>) -> States<'a> {
        let n = graph.nodes.len();
        let mut last_use: Vec<usize> = (0..n).collect();
        for id in graph.ids() {
            graph.node(id).step.operands().iter().for_each(|operand| last_use[operand.0] = id.0);
        }
        graph.outputs.iter().for_each(|output| last_use[output.node.0] = n);
        let mut paths = DiGraph::new();
        let first = State { done: 0, live: vec![], bootstraps: 0 };
        let start = paths.add_node(first.clone());
        let mut states = States { graph, config, last_use, paths, start };
        let mut layer = HashMap::from([(first, start)]);
        for id in graph.ids() {
            let mut next = HashMap::new();
            for (state, from) in layer {
                for choice in states.choices(id, &state) {
                    let reached = states.after(id, &state, choice);
                    let paths = &mut states.paths;
                    let to = *next
                        .entry(reached)
                        .or_insert_with_key(|reached: &State| paths.add_node(reached.clone()));
                    paths.add_edge(from, to, choice);
                }
            }
            layer = next;
        }
        states
    }

    /// Every level for a step's result and for its bootstrapped result.
    fn choices(&self, id: NodeId, state: &State) -> Vec<Way> {
        let step = &self.graph.node(id).step;
        if let Step::Sine(..) = step {
            return self.sines(id);
        }
        let level_of = |operand: &NodeId| {
            let mut live = state.live.iter();
            live.find(|(node, _)| *node == operand.0).map_or(0, |(_, level)| *level)
        };
        let operands = step.operands();
        let available = operands.iter().map(level_of).min();
        let highest = match available {
            None => Some(self.config.top),
            Some(level) => level.checked_sub(step.depth()),
        };
        let Some(highest) = highest else { return vec![] };
        // Inputs are where they are encrypted.
        let lowest = if operands.is_empty() { highest } else { 0 };
        let mut choices = vec![];
        for level in lowest..=highest {
            let seconds = self.config.seconds[id.0][level];
            choices.push(Way { level, bootstrapped: None, seconds });
            if operands.is_empty() || self.config.sines_only {
                continue;
            }
            choices.extend(self.raised(level + 1).map(|to| Way {
                level,
                bootstrapped: Some(to),
                seconds: seconds + self.config.bootstrap[id.0][to],
            }));
        }
        choices
    }

    /// Levels that a bootstrap may raise to, from `least` on.
    fn raised(&self, least: usize) -> RangeInclusive<usize> {
        let top = self.config.top;
        if self.config.to_top { least.max(top)..=top } else { least..=top }
    }

    /// A sine is a bootstrap to any level.
    fn sines(&self, id: NodeId) -> Vec<Way> {
        let to_level =
            |to| Way { level: 0, bootstrapped: Some(to), seconds: self.config.bootstrap[id.0][to] };
        self.raised(1).map(to_level).collect()
    }

    fn after(&self, id: NodeId, state: &State, choice: Way) -> State {
        let mut live = state.live.clone();
        live.push((id.0, choice.bootstrapped.unwrap_or(choice.level)));
        live.retain(|(node, _)| self.last_use[*node] > id.0);
        let bootstraps = state.bootstraps + usize::from(choice.bootstrapped.is_some());
        State { done: state.done + 1, live, bootstraps }
    }

    /// The cheapest way through all steps, with `count` bootstraps if that is asked for.
    fn shortest(&self, count: Option<usize>) -> Option<Placement> {
        let is_goal = |node: NodeIndex| {
            let state = &self.paths[node];
            state.done == self.graph.nodes.len() && count.is_none_or(|n| n == state.bootstraps)
        };
        let (seconds, path) =
            astar(&self.paths, self.start, is_goal, |edge| edge.weight().seconds, |_| 0.0)?;
        let cheapest = |pair: &[NodeIndex]| {
            let edges = self.paths.edges_connecting(pair[0], pair[1]);
            let best = edges.min_by(|a, b| a.weight().seconds.total_cmp(&b.weight().seconds));
            *best.expect("a path has edges").weight()
        };
        let choices: Vec<Way> = path.windows(2).map(cheapest).collect();
        Some(Placement {
            levels: choices.iter().map(|choice| choice.level).collect(),
            bootstrapped: choices.iter().map(|choice| choice.bootstrapped).collect(),
            seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Tensor;

    use super::*;
    use crate::graph::{GraphOutput, Node};
    use crate::linear::LinearMap;

    fn node(step: Step) -> Node {
        let (name, shape) = (String::new(), vec![1]);
        Node { step, name, tensor: Tensor(0), shape, factor: 1.0, offset: 0.0 }
    }

    /// Blocks of affine map and square, each with a skip connection if `residual`.
    fn network(blocks: usize, residual: bool) -> Graph {
        let mut graph = Graph::default();
        let mut x = graph.push(node(Step::Input(0)));
        for _ in 0..blocks {
            let square = graph.push(node(Step::Mul(x, x)));
            let mut terms = vec![(square, LinearMap::identity(&[1]))];
            if residual {
                terms.push((x, LinearMap::identity(&[1])));
            }
            x = graph.push(node(Step::Affine { terms, bias: vec![0.0] }));
        }
        graph.outputs.push(GraphOutput {
            name: String::new(),
            node: x,
            shape: vec![1],
            client: vec![],
        });
        graph
    }

    /// Tries everything.
    fn naive(graph: &Graph, config: &PlaceConfig<'_>, levels: &mut Vec<usize>) -> f64 {
        let Some(node) = graph.nodes.get(levels.len()) else { return 0.0 };
        let id = levels.len();
        let available = node.step.operands().iter().map(|operand| levels[operand.0]).min();
        let highest = match available {
            None => Some(config.top),
            Some(level) => level.checked_sub(node.step.depth()),
        };
        let Some(highest) = highest else { return f64::INFINITY };
        let lowest = if available.is_none() { highest } else { 0 };
        let mut best = f64::INFINITY;
        for level in lowest..=highest {
            for to in level..=config.top {
                let bootstrap = if to == level { 0.0 } else { config.bootstrap[id][to] };
                levels.push(to);
                let rest = naive(graph, config, levels);
                levels.pop();
                best = best.min(config.seconds[id][level] + bootstrap + rest);
            }
        }
        best
    }

    #[test]
    fn shortest_paths_equal_trying_everything() {
        for (blocks, residual) in [(2, false), (3, false), (2, true), (3, true)] {
            let graph = network(blocks, residual);
            let n = graph.nodes.len();
            let seconds: Vec<Vec<f64>> = (0..n)
                .map(|id| (0..4).map(|level| ((id * 3 + 1) % 5 + level) as f64).collect())
                .collect();
            let bootstrap: Vec<Vec<f64>> = (0..n)
                .map(|id| (0..4).map(|level| (10 + id % 3 + 2 * level) as f64).collect())
                .collect();
            let costs = |to_top| PlaceConfig {
                top: 3,
                seconds: &seconds,
                bootstrap: &bootstrap,
                sines_only: false,
                to_top,
            };
            let config = costs(false);
            let found = place_bootstraps(&graph, &config).unwrap();
            assert_eq!(found.best.seconds, naive(&graph, &config, &mut vec![]));
            let alike = place_bootstraps(&graph, &costs(true)).unwrap();
            assert!(alike.best.bootstrapped.iter().flatten().all(|&to| to == 3));
            assert!(alike.best.seconds >= found.best.seconds);
            assert!(found.one_more.is_none_or(|more| more >= found.best.seconds));
            assert!(found.one_fewer.is_none_or(|fewer| fewer >= found.best.seconds));
        }
    }

    #[test]
    fn a_step_that_is_too_deep_has_no_placement() {
        let graph = network(1, false);
        let zero = vec![vec![0.0; 1]; graph.nodes.len()];
        let config = PlaceConfig {
            top: 0,
            seconds: &zero,
            bootstrap: &zero,
            sines_only: false,
            to_top: false,
        };
        assert_eq!(place_bootstraps(&graph, &config), None);
    }

    #[test]
    fn sines_are_bootstrapped_and_nothing_else() {
        let mut graph = Graph::default();
        let mut x = graph.push(node(Step::Input(0)));
        for _ in 0..2 {
            let sine = graph.push(node(Step::Sine(x, 8.0)));
            x = graph.push(node(Step::Mul(sine, sine)));
        }
        let output = GraphOutput { name: String::new(), node: x, shape: vec![1], client: vec![] };
        graph.outputs.push(output);
        let zero = vec![vec![0.0; 3]; 5];
        let seconds = vec![vec![0.0, 1.0, 2.0]; 5];
        let config = PlaceConfig {
            top: 2,
            seconds: &zero,
            bootstrap: &seconds,
            sines_only: true,
            to_top: false,
        };
        let best = place_bootstraps(&graph, &config).unwrap().best;
        assert_eq!(best.bootstrapped, [None, Some(1), None, Some(1), None]);
        assert_eq!((best.levels[1], best.levels[2], best.seconds), (0, 0, 2.0));
    }
}
