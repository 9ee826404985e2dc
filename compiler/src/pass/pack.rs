//! Chooses a layout for every step and a schedule for every affine map, by total predicted cost.
//!
//! Exact over the candidate layouts: dynamic programming over the steps in order, where a state is the layouts of
//! the steps still to be read. Its number stays small because few steps are alive at once.

use std::collections::{BTreeMap, HashMap};

use hecc_grammar::cost::{Costs, Shape};

use crate::error::CompileError;
use crate::graph::{Graph, NodeId, Step};
use crate::layout::{
    Bit, Layout, Pattern, Schedule, ScheduleTerm, SlotSpace, Strides, candidates, joint_period,
    pattern, schedule, strides,
};
use crate::linear::Matrix;
use crate::poly::multiplications;

/// A layout for every step, and for affine maps how they are carried out.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Layout of each step's result.
    pub layouts: Vec<Layout>,
    /// Schedule of each step that is an affine map.
    pub schedules: Vec<Option<Schedule>>,
    /// Predicted seconds on one core, all steps.
    pub seconds: f64,
}

impl Packing {
    /// Whether it is that of a batch, of [`pack_batch`].
    pub fn is_batch(&self) -> bool {
        self.layouts.iter().all(|layout| layout.space.log_slots() == 0)
    }
}

/// Prints a step a line: its layout (lowest slot bit first) and its schedule.
impl std::fmt::Display for Packing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (layout, schedule)) in self.layouts.iter().zip(&self.schedules).enumerate() {
            write!(f, "n{i} : {layout}")?;
            if let Some(schedule) = schedule {
                let centred = if schedule.centred { " centred" } else { "" };
                let form = if schedule.extended { "QP" } else { "Q" };
                write!(f, " ; giant stride {}{centred}, baby steps in {form}", schedule.stride)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// What packing depends on besides the graph.
#[derive(Clone, Copy, Debug)]
pub struct PackConfig<'a> {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Whether slots are two rows of half the ring degree, as in BFV, or one of them.
    pub two_rows: bool,
    /// Number of special primes.
    pub n_special: usize,
    /// Level of each step's result.
    pub levels: &'a [usize],
    /// Number of primes at level 0.
    pub n_lowest: usize,
    /// Seconds per kernel.
    pub costs: &'a Costs,
}

/// Chooses layouts and schedules.
pub fn pack(graph: &Graph, config: PackConfig<'_>) -> Result<Packing, CompileError> {
    let mut search = Search::new(graph, config);
    let mut last_use = vec![0; graph.nodes.len()];
    for id in graph.ids() {
        graph.node(id).step.operands().iter().for_each(|operand| last_use[operand.0] = id.0);
    }
    let start = State { seconds: 0.0, choices: vec![] };
    let mut states: BTreeMap<Vec<(NodeId, usize)>, State> = [(vec![], start)].into();
    for id in graph.ids() {
        let mut next: BTreeMap<Vec<(NodeId, usize)>, State> = BTreeMap::new();
        for (live, state) in &states {
            for (layout, schedule, seconds) in search.options(id, &state.choices) {
                let mut live = live.clone();
                live.push((id, layout));
                live.retain(|(node, _)| last_use[node.0] > id.0);
                let total = state.seconds + seconds;
                if next.get(&live).is_none_or(|best| total < best.seconds) {
                    let mut choices = state.choices.clone();
                    choices.push((layout, schedule));
                    next.insert(live, State { seconds: total, choices });
                }
            }
        }
        if next.is_empty() {
            return Err(CompileError::NoLayout { node: graph.node(id).name.clone() });
        }
        states = next;
    }
    let best = states.into_values().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let best = best.expect("the loop leaves at least one state");
    let (layouts, schedules) = best
        .choices
        .into_iter()
        .map(|(layout, schedule)| (search.layouts[layout].clone(), schedule))
        .unzip();
    Ok(Packing { layouts, schedules, seconds: best.seconds })
}

/// The packing of a batch: every element has a ciphertext of its own, one slot for each input (Gilad-Bachrach et al.,
/// ICML 2016). Nothing is ever rotated, and weights are numbers.
pub fn pack_batch(graph: &Graph) -> Packing {
    let layout = |id: NodeId| Layout::compact(&[graph.len(id)], SlotSpace::one_row(0), Bit::Gap);
    let nothing = Schedule { stride: 1, centred: false, extended: false, seconds: 0.0 };
    let schedule =
        |id: NodeId| matches!(graph.node(id).step, Step::Affine { .. }).then_some(nothing);
    Packing {
        layouts: graph.ids().map(layout).collect(),
        schedules: graph.ids().map(schedule).collect(),
        seconds: 0.0,
    }
}

/// Predicted seconds of every step, for each level up to `top` that its result may be at, with the layouts of a packing.
pub fn seconds_by_level(
    graph: &Graph,
    packing: &Packing,
    config: PackConfig<'_>,
    top: usize,
) -> Vec<Vec<f64>> {
    let mut search = Search::new(graph, config);
    let layouts: Vec<usize> =
        packing.layouts.iter().map(|layout| search.intern(layout.clone())).collect();
    let mut at = |id: NodeId, level: usize| {
        let step = &graph.node(id).step;
        let sources: Vec<usize> = step.operands().iter().map(|source| layouts[source.0]).collect();
        match step {
            Step::Input(_) => 0.0,
            Step::Affine { .. } => search.schedule(id, &sources, layouts[id.0], level).seconds,
            Step::Mul(..) => search.products(level, layouts[id.0], 1, 1),
            Step::Polynomial(_, coefficients) => {
                let count = multiplications(coefficients);
                search.products(level, layouts[id.0], count, step.depth())
            }
        }
    };
    graph.ids().map(|id| (0..=top).map(|level| at(id, level)).collect()).collect()
}

/// The cheapest way to reach a set of live layouts.
#[derive(Clone)]
struct State {
    seconds: f64,
    choices: Vec<(usize, Option<Schedule>)>,
}

struct Search<'a> {
    graph: &'a Graph,
    config: PackConfig<'a>,
    /// How the matrices of each step slide over its operands.
    strides: Vec<Vec<Option<Strides>>>,
    /// Interned layouts.
    layouts: Vec<Layout>,
    ids: HashMap<Layout, usize>,
    /// Schedules by (step, operand layouts, result layout, level of the result).
    cache: HashMap<(NodeId, Vec<usize>, usize, usize), Schedule>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, config: PackConfig<'a>) -> Search<'a> {
        let of_step = |id: NodeId| match &graph.node(id).step {
            Step::Affine { terms, .. } => {
                let shape = &graph.node(id).shape;
                let of = |(x, m): &(NodeId, Matrix)| strides(m, &graph.node(*x).shape, shape);
                terms.iter().map(of).collect()
            }
            Step::Input(_) | Step::Mul(..) | Step::Polynomial(..) => vec![],
        };
        let strides = graph.ids().map(of_step).collect();
        let (layouts, ids, cache) = (vec![], HashMap::new(), HashMap::new());
        Search { graph, config, strides, layouts, ids, cache }
    }

    fn intern(&mut self, layout: Layout) -> usize {
        let layouts = &mut self.layouts;
        *self.ids.entry(layout).or_insert_with_key(|layout| {
            layouts.push(layout.clone());
            layouts.len() - 1
        })
    }

    /// The possible layouts of a step given those of the steps before, with schedule and cost.
    fn options(
        &mut self,
        id: NodeId,
        choices: &[(usize, Option<Schedule>)],
    ) -> Vec<(usize, Option<Schedule>, f64)> {
        let graph = self.graph;
        let node = graph.node(id);
        let PackConfig { log_n, two_rows, .. } = self.config;
        let space = SlotSpace { log_row: log_n as usize - 1, two_rows };
        let level = self.config.levels[id.0];
        match &node.step {
            Step::Input(_) => {
                let layouts = candidates(&node.shape, space, &[]).into_iter();
                layouts.map(|layout| (self.intern(layout), None, 0.0)).collect()
            }
            Step::Affine { terms, .. } => {
                let sources: Vec<usize> =
                    terms.iter().map(|(source, _)| choices[source.0].0).collect();
                let layouts = sources.iter().map(|&source| &self.layouts[source]);
                let strides = self.strides[id.0].iter().map(Option::as_ref);
                let inputs: Vec<(Option<&Strides>, &Layout)> = strides.zip(layouts).collect();
                let list = candidates(&node.shape, space, &inputs);
                list.into_iter()
                    .map(|layout| {
                        let layout = self.intern(layout);
                        let schedule = self.schedule(id, &sources, layout, level);
                        (layout, Some(schedule), schedule.seconds)
                    })
                    .collect()
            }
            Step::Mul(a, b) => {
                let (a, b) = (choices[a.0].0, choices[b.0].0);
                if a != b {
                    return vec![];
                }
                vec![(a, None, self.products(level, a, 1, 1))]
            }
            Step::Polynomial(a, coefficients) => {
                let layout = choices[a.0].0;
                let depth = node.step.depth();
                vec![(
                    layout,
                    None,
                    self.products(level, layout, multiplications(coefficients), depth),
                )]
            }
        }
    }

    /// Cost of `count` products of ciphertexts on each ciphertext of a step, spread over `depth` levels.
    fn products(&self, level: usize, layout: usize, count: usize, depth: usize) -> f64 {
        let shape = self.shape(level + depth.div_ceil(2));
        let costs = self.config.costs;
        let each =
            shape.key_switch(costs) + shape.rescale(costs, 2) + 2.0 * shape.dot_term(costs, false);
        (count * self.layouts[layout].n_ciphertexts()) as f64 * each
    }

    /// Of instructions at a level.
    fn shape(&self, level: usize) -> Shape {
        let PackConfig { log_n, n_special, n_lowest, .. } = self.config;
        Shape { log_n, n_special, n_limbs: n_lowest + level }
    }

    fn schedule(&mut self, id: NodeId, sources: &[usize], layout: usize, level: usize) -> Schedule {
        let key = (id, sources.to_vec(), layout, level);
        if let Some(&known) = self.cache.get(&key) {
            return known;
        }
        let Step::Affine { terms, .. } = &self.graph.node(id).step else {
            unreachable!("only affine maps are scheduled");
        };
        let joint = joint_period(sources.iter().map(|&source| &self.layouts[source]));
        let patterns: Vec<Pattern> = terms
            .iter()
            .zip(sources)
            .map(|((_, matrix), &source)| {
                pattern(matrix, &self.layouts[source], &self.layouts[layout], joint)
            })
            .collect();
        let list: Vec<ScheduleTerm<'_>> = terms
            .iter()
            .zip(sources)
            .zip(&patterns)
            .map(|(((operand, _), &source), pattern)| ScheduleTerm {
                operand: operand.0,
                pattern,
                period: self.layouts[source].period().columns,
            })
            .collect();
        let found = schedule(&list, self.shape(level + 1), self.config.costs);
        self.cache.insert(key, found);
        found
    }
}
