//! Turns a packed graph into instructions.
//!
//! Before: layouts, schedules and levels. After: a plan whose rotations are already `decompose`, `apply_key` and
//! `mod_down`, so that sharing decompositions and dividing late are matters of ordinary passes.

mod affine;
mod bias;
mod channels;
mod choice;
mod tables;

use hecc_grammar::cost::Costs;
use hecc_grammar::plan::{
    Input, Key, Layer, LimbSet, Op, Output, OutputKind, Plan, Profile, Ranges, Runs, Scheme,
    TypeError, Value,
};

use crate::bootstrap::Bootstrap;
use crate::calibrate::Quantiles;
use crate::emit::Emit;
use crate::graph::{Graph, Node, NodeId, Step};
use crate::layout::Copies;
use crate::poly::{self, Target};
use crate::primes::HEADROOM;
use crate::scales::is_uniform;

use channels::Channels;
pub use choice::{Bootstraps, Choice, Method, Numbers, Products, Source};
use tables::Tables;

/// The kind of layers in which a step's result gets new levels.
const BOOTSTRAP: &str = "bootstrap";

/// Emits the plan. Its layers are those of the graph's steps, each followed by that of its bootstrap if it has one.
///
/// # Errors
/// If an instruction has no type, which is a defect of the compiler.
pub fn lower(
    graph: &Graph,
    choice: &Choice,
    source: &Source<'_>,
    costs: &Costs,
) -> Result<Plan, TypeError> {
    let mut plan = Plan::new(choice.ladder.params.clone(), &source.model.name);
    plan.batch = choice.packing.n_inputs();
    let tables = Tables::default();
    let mut lowering =
        Lowering { graph, choice, source, costs, plan, tables, values: vec![], layers: vec![] };
    for id in graph.ids() {
        if matches!(graph.node(id).step, Step::Input(_)) {
            lowering.declare_input(id);
        }
    }
    for id in graph.ids() {
        let mut values = lowering.step(id)?;
        let (kind, bootstrap) = (graph.node(id).step.kind(), lowering.bootstrap_of(id));
        // All of a sine is its bootstrap.
        let is_sine = matches!(graph.node(id).step, Step::Sine(..));
        if !is_sine {
            lowering.finish_layer(id, kind, &values);
        }
        if let Some(bootstrap) = bootstrap {
            values = lowering.bootstrapped(bootstrap, &values)?;
            lowering.finish_layer(id, if is_sine { kind } else { BOOTSTRAP }, &values);
        }
        lowering.values.push(values);
        lowering.layers.push(lowering.plan.layers.len() as u32 - 1);
    }
    for output in &graph.outputs {
        let node = graph.node(output.node);
        let values = lowering.lowest(output.node)?;
        let slots = lowering.place(output.node, &values);
        lowering.plan.outputs.push(Output {
            name: output.name.clone(),
            shape: output.shape.clone(),
            factor: 1.0 / node.factor,
            element_scales: lowering.own_scales(output.node).to_vec(),
            limit: lowering.limit(),
            magnitude: None,
            seen: Profile::default(),
            slots,
            client: output.client.clone(),
            kind: OutputKind::Values,
        });
    }
    lowering.plan.tables = lowering.tables.finish();
    Ok(lowering.plan)
}

/// Whether products are relinearized after they were summed up: where every element has a ciphertext of its own, so that sums need
/// no rotations, if there are so many fewer sums that their third polynomials cost less.
pub fn is_summed_first(graph: &Graph, id: NodeId, by_element: bool) -> bool {
    let mut readers = graph.ids().filter(|&x| graph.node(x).step.operands().contains(&id));
    let (Some(reader), None) = (readers.next(), readers.next()) else { return false };
    let is_product = matches!(graph.node(id).step, Step::Mul(..));
    let is_output = graph.outputs.iter().any(|output| output.node == id);
    let alone = matches!(&graph.node(reader).step, Step::Affine { terms, .. } if terms.len() == 1);
    by_element && is_product && !is_output && alone && 2 * graph.len(reader) <= graph.len(id)
}

/// The graph's nodes that layers of its plan are of, layer by layer.
pub fn nodes_of_layers<'a>(graph: &'a Graph, plan: &Plan) -> Vec<&'a Node> {
    let mut nodes: Vec<&Node> = vec![];
    let mut left = graph.nodes.iter();
    for layer in &plan.layers {
        let same = nodes.last().copied().filter(|_| layer.kind == BOOTSTRAP);
        nodes.extend(same.or_else(|| left.next()));
    }
    nodes
}

struct Lowering<'a> {
    graph: &'a Graph,
    choice: &'a Choice,
    source: &'a Source<'a>,
    costs: &'a Costs,
    plan: Plan,
    tables: Tables,
    /// The ciphertexts of each step's result, with new levels where it was bootstrapped.
    values: Vec<Vec<Value>>,
    /// The layer of each of these.
    layers: Vec<u32>,
}

impl<'a> Lowering<'a> {
    /// Appends to the layer after those that are finished.
    fn emit(&mut self) -> Emit<'_> {
        Emit { origin: self.plan.layers.len() as u32, plan: &mut self.plan }
    }

    fn limit(&self) -> Option<f64> {
        match self.source.numbers {
            Numbers::Approximate { .. } => None,
            Numbers::Integers { limit, .. } => limit,
        }
    }

    fn declare_input(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let quantizer = self.source.quantizers[self.plan.inputs.len()];
        let (lo, hi) = (self.source.range)(node.tensor);
        self.plan.inputs.push(Input {
            name: node.name.clone(),
            shape: node.shape.clone(),
            ranges: Ranges::all(lo, hi),
            seen: Profile::default(),
            factor: node.factor,
            quantizer,
            slots: self.slots(id, Copies::All),
            normalization: self.source.normalization.cloned(),
        });
    }

    fn step(&mut self, id: NodeId) -> Result<Vec<Value>, TypeError> {
        let graph = self.graph;
        match &graph.node(id).step {
            Step::Input(index) => {
                let first: usize =
                    self.plan.inputs[..*index].iter().map(|input| input.slots.len()).sum();
                let count = self.plan.inputs[*index].slots.len();
                let mut emit = self.emit();
                (first..first + count).map(|ct| emit.op(Op::Input(ct as u32))).collect()
            }
            Step::Affine { terms, bias } => self.affine(id, terms, bias),
            Step::Mul(a, b) => {
                let pairs = self.values[a.0].clone().into_iter().zip(self.values[b.0].clone());
                pairs.map(|(a, b)| self.product(id, a, b)).collect()
            }
            // All of it is the bootstrap.
            Step::Sine(x, _) => Ok(self.values[x.0].clone()),
            Step::Polynomial(x, coefficients) => {
                let (level, ladder) = (self.choice.levels[id.0], &self.choice.ladder);
                let scale = ladder.scale(level);
                let target = Target { level: ladder.limbs(level).len() - 1, scale };
                let limbs = ladder.limbs(level + graph.node(id).step.depth());
                let layout = &self.choice.packing.layouts[id.0];
                let places = Channels::new(coefficients.n_channels(), layout);
                let mut results = vec![];
                for (ct, x) in self.values[x.0].clone().into_iter().enumerate() {
                    let Lowering { plan, tables, .. } = self;
                    let mut emit = Emit { origin: plan.layers.len() as u32, plan };
                    let x = emit.on(x, limbs)?;
                    let mut plaintexts = |row: &[f64]| places.view(row, ct, tables);
                    results.push(poly::evaluate(
                        &mut emit,
                        x,
                        coefficients,
                        &mut plaintexts,
                        target,
                    )?);
                }
                Ok(results)
            }
        }
    }

    /// How a step's result is bootstrapped, if it was chosen for that.
    fn bootstrap_of(&self, id: NodeId) -> Option<Bootstrap<'a>> {
        let Method::Bootstrapped(bootstraps) = &self.choice.method else { return None };
        let Bootstraps { chain, levels } = &**bootstraps;
        let log_slots = self.choice.packing.layouts[id.0].log_bootstrapped();
        levels[id.0].map(|level| Bootstrap { chain, costs: self.costs, log_slots, level })
    }

    /// Ciphertexts with new levels, two at a time.
    fn bootstrapped(
        &mut self,
        bootstrap: Bootstrap<'_>,
        values: &[Value],
    ) -> Result<Vec<Value>, TypeError> {
        let mut emit = self.emit();
        let mut raised = vec![];
        for values in values.chunks(2) {
            raised.extend(bootstrap.emit(&mut emit, values)?);
        }
        Ok(raised)
    }

    /// A result on as few primes as hold it with room for sums beyond its range, as the client wants it; where levels have the
    /// primes of bootstrapping besides, these are dropped.
    fn lowest(&mut self, id: NodeId) -> Result<Vec<Value>, TypeError> {
        let values = self.values[id.0].clone();
        if !matches!(self.choice.method, Method::Bootstrapped(_)) {
            return Ok(values);
        }
        let ladder = &self.choice.ladder;
        let log_q = |count: usize| (0..count).map(|limb| ladder.params.log_q(limb)).sum::<f64>();
        let (all, wanted) = (ladder.limbs(0).len(), ladder.scale(0) + HEADROOM);
        let enough = (1..all).find(|&count| log_q(count) >= wanted);
        let limbs = LimbSet::first(enough.unwrap_or(all));
        let mut emit = Emit { origin: self.layers[id.0], plan: &mut self.plan };
        values.into_iter().map(|value| emit.on(value, limbs)).collect()
    }

    fn product(&mut self, id: NodeId, a: Value, b: Value) -> Result<Value, TypeError> {
        let (level, result) = (self.work_level(id), self.choice.levels[id.0]);
        let ladder = &self.choice.ladder;
        let (limbs, settled) = (ladder.limbs(level), ladder.limbs(result));
        let summed_first = is_summed_first(self.graph, id, self.choice.packing.is_by_element());
        let mul = match self.choice.method {
            Method::Integers(Products::Bgv) => Op::MulBgv,
            Method::Leveled
            | Method::Bootstrapped(_)
            | Method::Integers(Products::ScaleInvariant) => Op::Mul,
        };
        let mut emit = self.emit();
        let (a, b) = (emit.on(a, limbs)?, emit.on(b, limbs)?);
        let mut product = emit.op(mul(a, b))?;
        if !summed_first {
            product = emit.switch(product, Key::Relinearize)?;
        }
        emit.settle(product, settled)
    }

    /// The level that a step is computed at: in CKKS one above that of its result, in BFV where its operands are.
    fn work_level(&self, id: NodeId) -> usize {
        let levels = &self.choice.levels;
        let operands = self.graph.node(id).step.operands();
        match self.plan.params.scheme() {
            Scheme::Ckks => levels[id.0] + 1,
            Scheme::Bfv => operands.iter().map(|x| levels[x.0]).min().unwrap_or(levels[id.0]),
        }
    }

    /// For each ciphertext of a step the slots of its elements, of a batch those of the first input.
    fn slots(&self, id: NodeId, copies: Copies) -> Vec<Runs> {
        let layout = &self.choice.packing.layouts[id.0];
        layout.runs(copies).into_iter().map(|runs| layout.space.in_ring(runs)).collect()
    }

    /// The values of a step with the slots of its elements, one for each.
    fn place(&self, id: NodeId, values: &[Value]) -> Vec<(Value, Runs)> {
        values.iter().copied().zip(self.slots(id, Copies::First)).collect()
    }

    /// What the integers of a result stand for, if its elements differ in that.
    fn own_scales(&self, id: NodeId) -> &[f64] {
        match self.source.numbers {
            Numbers::Approximate { .. } => &[],
            Numbers::Integers { scales, .. } if is_uniform(&scales[id.0]) => &[],
            Numbers::Integers { scales, .. } => &scales[id.0],
        }
    }

    /// Ends a layer of some kind.
    fn finish_layer(&mut self, id: NodeId, kind: &str, values: &[Value]) {
        let node = self.graph.node(id);
        let degree = if kind == BOOTSTRAP { 1 } else { node.step.degree() };
        let origin = (self.source.origin)(node.tensor);
        self.plan.layers.push(Layer {
            name: node.name.clone(),
            kind: kind.to_owned(),
            // Integers of different scales are not the tensor times a number.
            tensor: origin.filter(|_| self.own_scales(id).is_empty()).map(|tensor| tensor.0),
            shape: node.shape.clone(),
            factor: 1.0 / node.factor,
            offset: -node.offset / node.factor,
            slots: self.place(id, values),
            layout: self.choice.packing.layouts[id.0].to_string(),
            degree,
            range: (self.source.range)(node.tensor),
            quantiles: self.slot_quantiles(id),
        });
    }

    /// Quantiles of what the slots of a step hold.
    fn slot_quantiles(&self, id: NodeId) -> Vec<f64> {
        let node = self.graph.node(id);
        let Numbers::Approximate { quantiles } = self.source.numbers else { return vec![] };
        let Some(quantiles) = quantiles.get(node.tensor.index()) else { return vec![] };
        let of_class = |quantiles: &Quantiles| {
            let mut slots = quantiles.map(|x| node.factor * x + node.offset);
            slots.sort_by(f64::total_cmp);
            slots
        };
        let slots: Vec<f64> = quantiles.iter().flat_map(of_class).collect();
        if slots.iter().all(|x| x.is_finite()) { slots } else { vec![] }
    }
}
