//! Chooses a layout for every step and a schedule for every affine map, by total predicted cost.
//!
//! Dynamic programming over the steps in order, where a state is the layouts of the steps still to be read. Few steps are alive at
//! once; of their layouts the cheapest sets are gone on with.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use hecc_grammar::cost::{Costs, Encoding, KEPT_BYTES, Shape};
use hecc_grammar::plan::Scheme;

use crate::error::CompileError;
use crate::graph::{Graph, NodeId, Step};
use crate::layout::{
    Batch, Bit, Layout, Schedule, ScheduleTerm, Shifts, SlotSpace, Splits, Tiles, candidates,
    collect, joint_period, most_moves, of_input, shifts,
};
use crate::limits;
use crate::linear::{LinearMap, Slide};
use crate::poly::multiplications;

/// A layout for every step, and for affine maps how they are carried out.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Layout of each step's result.
    pub layouts: Vec<Layout>,
    /// Schedule of each step that is an affine map.
    pub schedules: Vec<Option<Schedule>>,
    /// Predicted seconds on one core, all steps, and of sending inputs.
    pub seconds: f64,
}

impl Packing {
    /// Whether every element has a ciphertext of its own, with a slot for each input: see `pack_by_element`.
    pub fn is_by_element(&self) -> bool {
        self.layouts.iter().all(Layout::is_by_element)
    }

    /// Inputs of one run.
    pub fn n_inputs(&self) -> usize {
        self.layouts.first().map_or(1, |layout| 1 << layout.space.log_batch)
    }
}

/// Prints a step a line: its layout (lowest slot bit first) and its schedule.
impl std::fmt::Display for Packing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (layout, schedule)) in self.layouts.iter().zip(&self.schedules).enumerate() {
            write!(f, "n{i} : {layout}")?;
            if let Some(schedule) = schedule {
                let centered = if schedule.centered { " centered" } else { "" };
                let form = if schedule.extended { "QP" } else { "Q" };
                write!(f, " ; giant stride {}{centered}, baby steps in {form}", schedule.stride)?;
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
    /// How many inputs one run takes.
    pub batch: Batch,
    /// How inputs lie in slots, if that is not to be searched for.
    pub tiles: Option<&'a Tiles>,
    /// Number of special primes.
    pub n_special: usize,
    /// Level of each step's result.
    pub levels: &'a [usize],
    /// Number of primes at level 0.
    pub n_lowest: usize,
    /// Seconds per kernel.
    pub costs: &'a Costs,
    /// Whether plaintexts are too many to keep, so that they are encoded in every run.
    pub encodes: bool,
}

impl PackConfig<'_> {
    /// The slots of a ciphertext.
    fn space(&self) -> SlotSpace {
        let log_row = self.log_n as usize - 1;
        let log_slots = log_row + usize::from(self.two_rows);
        let log_batch = self.batch.log_inputs(log_slots);
        match log_row.checked_sub(log_batch) {
            Some(log_row) => SlotSpace { log_row, two_rows: self.two_rows, log_batch },
            // The rows are of inputs too.
            None => SlotSpace { log_row: 0, two_rows: false, log_batch },
        }
    }

    /// Of instructions at a level.
    fn shape(&self, level: usize) -> Shape {
        let PackConfig { log_n, n_special, n_lowest, .. } = *self;
        Shape { log_n, n_special, n_limbs: n_lowest + level }
    }

    /// How weights are encoded.
    fn encoding(&self) -> Encoding {
        Encoding::of_weights(if self.two_rows { Scheme::Bfv } else { Scheme::Ckks })
    }

    /// The same if they are encoded in every run.
    fn encoded(&self) -> Option<Encoding> {
        self.encodes.then(|| self.encoding())
    }

    /// Seconds that sending some ciphertexts of inputs takes, which counts as well.
    fn upload(&self, level: usize, n_ciphertexts: usize) -> f64 {
        // Of two polynomials one is sent as a seed.
        let words = (n_ciphertexts * (self.n_lowest + level)) as f64 * f64::from(self.log_n).exp2();
        words * size_of::<u64>() as f64 / limits::UPLOAD
    }

    /// Seconds of `count` products on each ciphertext of a step, spread over `depth` levels.
    fn products(&self, level: usize, n_ciphertexts: usize, count: usize, depth: usize) -> f64 {
        let shape = self.shape(level + depth.div_ceil(2));
        let costs = self.costs;
        let each =
            shape.key_switch(costs) + shape.rescale(costs, 2) + 2.0 * shape.dot_term(costs, false);
        (count * n_ciphertexts) as f64 * each
    }
}

/// The packing of as many inputs as there are slots: every element has a ciphertext of its own, one slot for each input
/// (Gilad-Bachrach et al., ICML 2016). Nothing is ever rotated, and weights are numbers. Seconds are those of the whole batch.
fn pack_by_element(graph: &Graph, config: PackConfig<'_>) -> Packing {
    let layout = |id: NodeId| Layout::compact(&[graph.len(id)], config.space(), Bit::Gap);
    let of_step = |id: NodeId| {
        let (step, level, len) = (&graph.node(id).step, config.levels[id.0], graph.len(id));
        match step {
            Step::Input(_) => config.upload(level, len),
            Step::Sine(..) => 0.0,
            Step::Affine { terms, .. } => {
                let entries: usize = terms.iter().map(|(_, map)| map.n_entries()).sum();
                let (shape, costs) = (config.shape(level + 1), config.costs);
                entries as f64 * shape.batch_term(costs) + len as f64 * shape.rescale(costs, 2)
            }
            Step::Mul(..) => config.products(level, len, 1, 1),
            Step::Polynomial(_, coefficients) => {
                config.products(level, len, multiplications(coefficients), step.depth())
            }
        }
    };
    let schedule =
        |id: NodeId| matches!(graph.node(id).step, Step::Affine { .. }).then_some(Schedule::NONE);
    Packing {
        layouts: graph.ids().map(layout).collect(),
        schedules: graph.ids().map(schedule).collect(),
        seconds: graph.ids().map(of_step).sum(),
    }
}

/// The cheapest way to reach a set of live layouts.
#[derive(Clone)]
struct State {
    seconds: f64,
    choices: Vec<(usize, Option<Schedule>)>,
}

/// By the layouts of the steps still to be read.
type States = BTreeMap<Vec<(NodeId, usize)>, State>;

/// Packs one graph, the same in every call, for any parameters. What depends on layouts alone is kept from one packing to the next.
pub struct Packer {
    /// How the result of each step slides along its operands.
    slides: Vec<Vec<Option<Vec<Slide>>>>,
    /// Interned layouts.
    layouts: Vec<Layout>,
    ids: HashMap<Layout, usize>,
    /// Layouts considered, by step and operand layouts.
    candidates: HashMap<(NodeId, Vec<usize>), Rc<[usize]>>,
    /// By step, operand layouts and result layout.
    splits: HashMap<(NodeId, Vec<usize>, usize), Rc<Splits>>,
}

impl Packer {
    /// A packer of a graph.
    pub fn new(graph: &Graph) -> Packer {
        let of_step = |id: NodeId| match &graph.node(id).step {
            Step::Affine { terms, .. } => {
                let n_dims = graph.node(id).shape.len();
                let of = |(_, map): &(NodeId, LinearMap)| map.structure()?.slides(n_dims);
                terms.iter().map(of).collect()
            }
            Step::Input(_) | Step::Mul(..) | Step::Polynomial(..) | Step::Sine(..) => vec![],
        };
        let slides = graph.ids().map(of_step).collect();
        Packer {
            slides,
            layouts: vec![],
            ids: HashMap::new(),
            candidates: HashMap::new(),
            splits: HashMap::new(),
        }
    }

    /// Chooses layouts and schedules. Of many inputs every element may have a ciphertext of its own, with room for more inputs.
    ///
    /// # Errors
    /// If a step has no layout.
    pub fn pack(&mut self, graph: &Graph, config: PackConfig<'_>) -> Result<Packing, CompileError> {
        let by_element = PackConfig { batch: Batch::Slots, ..config };
        if config.space() == by_element.space() {
            return Ok(pack_by_element(graph, by_element));
        }
        let together = self.pack_together(graph, config)?;
        if config.batch == Batch::ONE || config.tiles.is_some() {
            return Ok(together);
        }
        let apart = pack_by_element(graph, by_element);
        Ok(if apart.seconds < together.seconds { apart } else { together })
    }

    /// Chooses layouts of several elements to a ciphertext; those of networks whose plaintexts are too many to keep with the time to
    /// encode them.
    ///
    /// # Errors
    /// If a step has no layout.
    pub fn pack_together(
        &mut self,
        graph: &Graph,
        config: PackConfig<'_>,
    ) -> Result<Packing, CompileError> {
        let kept = self.cheapest(graph, PackConfig { encodes: false, ..config })?;
        let bytes = |(schedule, id): (&Option<Schedule>, NodeId)| {
            let schedule = (*schedule)?;
            let shape = config.shape(config.levels[id.0] + 1);
            Some(
                schedule.n_products as u64
                    * shape.plaintext_bytes(schedule.extended, config.encoding()),
            )
        };
        let bytes: u64 = kept.schedules.iter().zip(graph.ids()).filter_map(bytes).sum();
        if bytes <= KEPT_BYTES {
            Ok(kept)
        } else {
            self.cheapest(graph, PackConfig { encodes: true, ..config })
        }
    }

    fn cheapest(&mut self, graph: &Graph, config: PackConfig<'_>) -> Result<Packing, CompileError> {
        let mut last_use = vec![0; graph.nodes.len()];
        for id in graph.ids() {
            graph.node(id).step.operands().iter().for_each(|operand| last_use[operand.0] = id.0);
        }
        let start = State { seconds: 0.0, choices: vec![] };
        let mut states: States = [(vec![], start)].into();
        for id in graph.ids() {
            let mut next = States::new();
            for (live, state) in &states {
                for (layout, schedule, seconds) in self.options(graph, id, &state.choices, config) {
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
            states = cheapest_of(next);
        }
        let best = states.into_values().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let best = best.expect("the loop leaves at least one state");
        let (layouts, schedules) = best
            .choices
            .into_iter()
            .map(|(layout, schedule)| (self.layouts[layout].clone(), schedule))
            .unzip();
        Ok(Packing { layouts, schedules, seconds: best.seconds })
    }

    /// Predicted seconds of every step, for each level up to `top` that its result may be at, with the layouts of a packing.
    pub fn seconds_by_level(
        &mut self,
        graph: &Graph,
        packing: &Packing,
        config: PackConfig<'_>,
        top: usize,
    ) -> Vec<Vec<f64>> {
        let layouts: Vec<usize> =
            packing.layouts.iter().map(|layout| self.intern(layout.clone())).collect();
        let mut at = |id: NodeId, level: usize| {
            let step = &graph.node(id).step;
            let sources: Vec<usize> =
                step.operands().iter().map(|source| layouts[source.0]).collect();
            let n_ciphertexts = packing.layouts[id.0].n_ciphertexts();
            match step {
                // Bootstraps are priced on their own.
                Step::Input(_) | Step::Sine(..) => 0.0,
                Step::Affine { .. } => {
                    let splits = self.splits(graph, id, &sources, layouts[id.0]);
                    splits.cheapest(config.shape(level + 1), config.costs, config.encoded()).seconds
                }
                Step::Mul(..) => config.products(level, n_ciphertexts, 1, 1),
                Step::Polynomial(_, coefficients) => {
                    let count = multiplications(coefficients);
                    config.products(level, n_ciphertexts, count, step.depth())
                }
            }
        };
        graph.ids().map(|id| (0..=top).map(|level| at(id, level)).collect()).collect()
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
        graph: &Graph,
        id: NodeId,
        choices: &[(usize, Option<Schedule>)],
        config: PackConfig<'_>,
    ) -> Vec<(usize, Option<Schedule>, f64)> {
        let node = graph.node(id);
        let space = config.space();
        let level = config.levels[id.0];
        match &node.step {
            Step::Input(_) => {
                let sizes = config.tiles.map(|tiles| &tiles.log_sizes[..]);
                let layouts = of_input(&node.shape, space, sizes).into_iter();
                let option = |layout: Layout| {
                    let seconds = config.upload(level, layout.n_ciphertexts());
                    (self.intern(layout), None, seconds)
                };
                layouts.map(option).collect()
            }
            Step::Affine { terms, .. } => {
                let sources: Vec<usize> =
                    terms.iter().map(|(source, _)| choices[source.0].0).collect();
                let list = self.candidates(graph, id, &sources, config);
                let of_layout = |&layout: &usize| {
                    let splits = self.splits(graph, id, &sources, layout);
                    let shape = config.shape(level + 1);
                    let schedule = splits.cheapest(shape, config.costs, config.encoded());
                    (layout, Some(schedule), schedule.seconds)
                };
                list.iter().map(of_layout).collect()
            }
            Step::Mul(a, b) => {
                let (a, b) = (choices[a.0].0, choices[b.0].0);
                if a != b {
                    return vec![];
                }
                let n_ciphertexts = self.layouts[a].n_ciphertexts();
                vec![(a, None, config.products(level, n_ciphertexts, 1, 1))]
            }
            Step::Sine(a, _) => vec![(choices[a.0].0, None, 0.0)],
            Step::Polynomial(a, coefficients) => {
                let layout = choices[a.0].0;
                let (count, depth) = (multiplications(coefficients), node.step.depth());
                let n_ciphertexts = self.layouts[layout].n_ciphertexts();
                vec![(layout, None, config.products(level, n_ciphertexts, count, depth))]
            }
        }
    }

    /// The layouts worth considering for the result of an affine map.
    fn candidates(
        &mut self,
        graph: &Graph,
        id: NodeId,
        sources: &[usize],
        config: PackConfig<'_>,
    ) -> Rc<[usize]> {
        let space = config.space();
        let key = (id, sources.to_vec());
        if let Some(known) = self.candidates.get(&key) {
            return known.clone();
        }
        let terms = affine_terms(graph, id);
        let slides = self.slides[id.0].iter().map(Option::as_deref);
        let layouts: Vec<&Layout> = sources.iter().map(|&source| &self.layouts[source]).collect();
        let inputs: Vec<(Option<&[Slide]>, &Layout)> =
            slides.zip(layouts.iter().copied()).collect();
        let diagonals = |output: &Layout| -> usize {
            let of_term = |((_, map), input): (&(NodeId, LinearMap), &&Layout)| {
                map.structure().map_or(0, |structure| most_moves(structure, input, output))
            };
            terms.iter().zip(&layouts).map(of_term).sum()
        };
        let mut all = candidates(&graph.node(id).shape, space, &inputs, config.tiles.is_some());
        // Every copy of a result has products of its own: no fewer plaintexts than these hold all of them.
        let entries: usize = terms.iter().map(|(_, map)| map.n_entries()).sum();
        let least = |layout: &Layout| entries * layout.copies().len() / space.n_slots();
        let fewest = all.iter().map(least).min().unwrap_or(0);
        let most = limits::COPIES_WORTH * fewest + limits::PRODUCTS_ALWAYS_COUNTED;
        all.retain(|layout| least(layout) <= most);
        let mut all: Vec<(usize, Layout)> =
            all.into_iter().map(|layout| (diagonals(&layout), layout)).collect();
        let fewest = all.iter().map(|(count, _)| *count).min().unwrap_or(0);
        let most = (limits::HOPELESS * fewest).max(limits::DIAGONALS_ALWAYS_COUNTED);
        all.retain(|(count, _)| *count <= most);
        let list: Rc<[usize]> = all.into_iter().map(|(_, layout)| self.intern(layout)).collect();
        self.candidates.insert(key, list.clone());
        list
    }

    /// The splits of an affine map between layouts.
    fn splits(
        &mut self,
        graph: &Graph,
        id: NodeId,
        sources: &[usize],
        layout: usize,
    ) -> Rc<Splits> {
        let key = (id, sources.to_vec(), layout);
        if let Some(known) = self.splits.get(&key) {
            return known.clone();
        }
        let terms = affine_terms(graph, id);
        let inputs: Vec<&Layout> = sources.iter().map(|&source| &self.layouts[source]).collect();
        let output = &self.layouts[layout];
        let of_term =
            |((_, map), input): (&(NodeId, LinearMap), &&Layout)| shifts(map, input, output);
        let shifts: Vec<Shifts> = terms.iter().zip(&inputs).map(of_term).collect();
        let list: Vec<ScheduleTerm<'_>> = terms
            .iter()
            .zip(&inputs)
            .zip(&shifts)
            .map(|(((operand, _), input), shifts)| ScheduleTerm {
                operand: operand.0,
                shifts,
                period: input.period().columns,
            })
            .collect();
        let n_collect = collect(joint_period(inputs), output.period()).len();
        let splits = Rc::new(Splits::new(&list, n_collect));
        self.splits.insert(key, splits.clone());
        splits
    }
}

/// The states that packing goes on with.
fn cheapest_of(states: States) -> States {
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds));
    states.truncate(limits::STATES);
    states.into_iter().collect()
}

fn affine_terms(graph: &Graph, id: NodeId) -> &[(NodeId, LinearMap)] {
    match &graph.node(id).step {
        Step::Affine { terms, .. } => terms,
        Step::Input(_) | Step::Mul(..) | Step::Polynomial(..) | Step::Sine(..) => {
            unreachable!("only affine maps are scheduled")
        }
    }
}
