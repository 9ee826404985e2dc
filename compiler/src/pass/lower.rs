//! Turns a packed graph into instructions.
//!
//! Before: layouts, schedules and levels. After: a plan whose rotations are already `decompose`, `apply_key` and
//! `mod_down`, so that sharing decompositions and dividing late are matters of ordinary passes.

use std::collections::BTreeMap;

use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{
    Constant, ConstantId, Form, Input, Key, Layer, LimbSet, Normalization, Op, Output, Params,
    Plan, Runs, TypeError, Value, View,
};

use crate::graph::{Graph, NodeId, Step};
use crate::layout::{Diagonals, Layout, Schedule, diagonals};
use crate::linear::Matrix;
use crate::poly;

use super::pack::Packing;
use super::table::Tables;

/// What lowering takes besides the graph and its packing.
pub struct LowerConfig<'a> {
    /// The source model, for names and shapes.
    pub model: &'a Model,
    /// Primes and scales.
    pub params: Params,
    /// Level of each step's result.
    pub levels: &'a [usize],
    /// Range of a tensor on the calibration data.
    pub range: &'a dyn Fn(Tensor) -> (f64, f64),
    /// How images are normalized before they are encrypted.
    pub normalization: Option<Normalization>,
}

/// Emits the plan.
pub fn lower(
    graph: &Graph,
    packing: &Packing,
    config: &LowerConfig<'_>,
) -> Result<Plan, TypeError> {
    let plan = Plan::new(config.params.clone(), &config.model.name);
    let mut lowering =
        Lowering { graph, packing, config, plan, tables: Tables::default(), values: vec![] };
    for id in graph.ids() {
        if matches!(graph.node(id).step, Step::Input(_)) {
            lowering.declare_input(id);
        }
    }
    for id in graph.ids() {
        let values = lowering.step(id)?;
        lowering.finish_layer(id, &values);
        lowering.values.push(values);
    }
    for output in &graph.outputs {
        let node = graph.node(output.node);
        let slots = lowering.place(output.node, &lowering.values[output.node.0], false);
        lowering.plan.outputs.push(Output {
            name: output.name.clone(),
            shape: node.shape.clone(),
            factor: 1.0 / node.factor,
            slots,
            client: output.client.clone(),
        });
    }
    lowering.plan.tables = lowering.tables.finish();
    Ok(lowering.plan)
}

struct Lowering<'a> {
    graph: &'a Graph,
    packing: &'a Packing,
    config: &'a LowerConfig<'a>,
    plan: Plan,
    tables: Tables,
    /// The ciphertexts of each step's result.
    values: Vec<Vec<Value>>,
}

impl Lowering<'_> {
    fn emit(&mut self, id: NodeId, op: Op) -> Result<Value, TypeError> {
        self.plan.push(op, id.0 as u32)
    }

    fn constant(&mut self, view: View, scale: f64) -> ConstantId {
        self.plan.constants.push(Constant { view, scale });
        ConstantId(self.plan.constants.len() as u32 - 1)
    }

    fn declare_input(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        self.plan.inputs.push(Input {
            name: node.name.clone(),
            shape: node.shape.clone(),
            range: (self.config.range)(node.tensor),
            factor: node.factor,
            slots: self.packing.layouts[id.0].runs(true),
            normalization: self.config.normalization.clone(),
        });
    }

    fn step(&mut self, id: NodeId) -> Result<Vec<Value>, TypeError> {
        let graph = self.graph;
        match &graph.node(id).step {
            Step::Input(index) => {
                let first: usize =
                    self.plan.inputs[..*index].iter().map(|input| input.slots.len()).sum();
                let count = self.plan.inputs[*index].slots.len();
                (first..first + count).map(|ct| self.emit(id, Op::Input(ct as u32))).collect()
            }
            Step::Affine { terms, bias } => self.affine(id, terms, bias),
            Step::Mul(a, b) => {
                let pairs = self.values[a.0].clone().into_iter().zip(self.values[b.0].clone());
                pairs.map(|(a, b)| self.product(id, a, b)).collect()
            }
            Step::Polynomial(x, coefficients) => {
                let level = self.config.levels[id.0];
                let target = (level, self.plan.params.scale_at(level));
                let xs = self.values[x.0].clone();
                let origin = id.0 as u32;
                xs.into_iter()
                    .map(|x| poly::evaluate(&mut self.plan, origin, x, coefficients, target))
                    .collect()
            }
        }
    }

    fn product(&mut self, id: NodeId, a: Value, b: Value) -> Result<Value, TypeError> {
        let level = self.config.levels[id.0] + 1;
        let (a, b) = (self.at_level(id, a, level)?, self.at_level(id, b, level)?);
        let product = self.emit(id, Op::Mul(a, b))?;
        let digits = self.emit(id, Op::Decompose(product))?;
        let switched = self.emit(id, Op::ApplyKey(digits, Key::Relinearize))?;
        let linear = self.emit(id, Op::ModDown(switched))?;
        self.emit(id, Op::Rescale(linear))
    }

    fn at_level(&mut self, id: NodeId, value: Value, level: usize) -> Result<Value, TypeError> {
        let limbs = LimbSet::first(level + 1);
        if self.plan.ty(value).limbs == limbs {
            Ok(value)
        } else {
            self.emit(id, Op::Drop(value, limbs))
        }
    }

    fn affine(
        &mut self,
        id: NodeId,
        terms: &[(NodeId, Matrix)],
        bias: &[f64],
    ) -> Result<Vec<Value>, TypeError> {
        let level = self.config.levels[id.0] + 1;
        let schedule = self.packing.schedules[id.0].expect("packing schedules every affine map");
        let layout = self.packing.layouts[id.0].clone();
        let mut map =
            LinearMap { id, schedule, level, babies: BTreeMap::new(), sums: BTreeMap::new() };
        let mut collect = vec![];
        for (source, matrix) in terms {
            let operands: Vec<Value> = self.values[source.0].clone();
            let operands = operands
                .into_iter()
                .map(|v| self.at_level(id, v, level))
                .collect::<Result<Vec<_>, _>>()?;
            let input = &self.packing.layouts[source.0];
            let table = self.tables.add(matrix);
            let steps = crate::layout::pattern(matrix, input, &layout).collect;
            if steps.len() > collect.len() {
                collect = steps;
            }
            let entries = diagonals(matrix, input, &layout);
            self.products(
                &mut map,
                *source,
                &operands,
                (entries, table, input.period().max(layout.period())),
            )?;
        }
        let bias_views = self.bias_views(bias, &layout);
        let mut results = vec![];
        for (ct, bias) in bias_views.into_iter().enumerate() {
            let sums = map.sums.remove(&ct).unwrap_or_default();
            let mut value = self.sum(&map, sums, terms)?;
            for &step in &collect {
                let rotated = self.rotate(id, value, step)?;
                value = self.emit(id, Op::Add(value, rotated))?;
            }
            if let Some(view) = bias {
                let constant = self.constant(view, self.plan.ty(value).scale);
                value = self.emit(id, Op::AddPlain(value, constant))?;
            }
            results.push(value);
        }
        Ok(results)
    }

    /// Adds the products of one term of an affine map to its sums, by (result ciphertext, giant step).
    fn products(
        &mut self,
        map: &mut LinearMap,
        source: NodeId,
        operands: &[Value],
        (entries, table, window): (Diagonals, u32, usize),
    ) -> Result<(), TypeError> {
        let period = self.packing.layouts[source.0].period();
        let n_slots = self.plan.params.n_slots();
        for ((out, input), rotations) in entries {
            for (rotation, entries) in rotations {
                let (baby, giant) = map.schedule.split(rotation, period);
                let operand = self.baby(map, operands[input], baby)?;
                // The product is rotated by the giant step afterwards, so its plaintext is shifted back.
                let mut pairs = vec![];
                for copy in 0..n_slots / window {
                    pairs.extend(entries.iter().map(|&(slot, value)| {
                        let slot = (slot as usize + copy * window + giant as usize) % n_slots;
                        (slot as u32, self.tables.index(table, value))
                    }));
                }
                pairs.sort_unstable();
                let view = View::Table { table, factor: 1.0, runs: Runs::from_pairs(&pairs) };
                let target = 2.0 * self.plan.params.scale_at(map.level);
                let constant = self.constant(view, target - self.plan.ty(operand).scale);
                map.sums
                    .entry(out)
                    .or_default()
                    .entry(giant)
                    .or_default()
                    .push((operand, constant));
            }
        }
        Ok(())
    }

    /// An operand rotated by a baby step, in QP if the schedule says so; computed once.
    fn baby(&mut self, map: &mut LinearMap, operand: Value, step: u32) -> Result<Value, TypeError> {
        if let Some(&known) = map.babies.get(&(operand, step)) {
            return Ok(known);
        }
        let value = match (step, map.schedule.extended) {
            (0, false) => operand,
            (0, true) => self.emit(map.id, Op::ModUp(operand))?,
            (_, extended) => {
                let rotated = self.apply_rotation(map.id, operand, step)?;
                if extended { rotated } else { self.emit(map.id, Op::ModDown(rotated))? }
            }
        };
        map.babies.insert((operand, step), value);
        Ok(value)
    }

    fn apply_rotation(&mut self, id: NodeId, value: Value, step: u32) -> Result<Value, TypeError> {
        let digits = self.emit(id, Op::Decompose(value))?;
        self.emit(id, Op::ApplyKey(digits, Key::Rotate(step)))
    }

    fn rotate(&mut self, id: NodeId, value: Value, step: u32) -> Result<Value, TypeError> {
        let rotated = self.apply_rotation(id, value, step)?;
        self.emit(id, Op::ModDown(rotated))
    }

    /// The sum over giant steps of one result ciphertext, rescaled.
    fn sum(
        &mut self,
        map: &LinearMap,
        sums: BTreeMap<u32, Vec<(Value, ConstantId)>>,
        terms: &[(NodeId, Matrix)],
    ) -> Result<Value, TypeError> {
        let (mut in_q, mut in_qp) = (None, None);
        let id = map.id;
        for (giant, products) in sums {
            let mut part = self.emit(id, Op::DotPlain(products))?;
            if giant != 0 {
                if self.plan.ty(part).form == Form::QP {
                    part = self.emit(id, Op::ModDown(part))?;
                }
                part = self.apply_rotation(id, part, giant)?;
            }
            let total = if self.plan.ty(part).form == Form::QP { &mut in_qp } else { &mut in_q };
            *total = Some(match *total {
                Some(others) => self.plan.push(Op::Add(others, part), id.0 as u32)?,
                None => part,
            });
        }
        let from_qp = in_qp.map(|value| self.emit(id, Op::ModDown(value))).transpose()?;
        let total = match (in_q, from_qp) {
            (Some(a), Some(b)) => self.emit(id, Op::Add(a, b))?,
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => self.zero(map, terms)?,
        };
        self.emit(id, Op::Rescale(total))
    }

    /// A ciphertext of zeros: a result that no operand reaches (all its weights are zero).
    fn zero(&mut self, map: &LinearMap, terms: &[(NodeId, Matrix)]) -> Result<Value, TypeError> {
        let any = self.values[terms[0].0.0][0];
        let any = self.at_level(map.id, any, map.level)?;
        let target = 2.0 * self.plan.params.scale_at(map.level);
        let zero = self.constant(View::Splat(0.0), target - self.plan.ty(any).scale);
        self.emit(map.id, Op::MulPlain(any, zero))
    }

    /// The bias on every copy of every element, per ciphertext; `None` where it is zero.
    fn bias_views(&mut self, bias: &[f64], layout: &Layout) -> Vec<Option<View>> {
        let column = Matrix::from_rows(bias.len(), 1, |o, row| row.push((0, bias[o])));
        let table = self.tables.add(&column);
        let runs = layout.runs(true);
        runs.into_iter()
            .map(|runs| {
                let pairs: Vec<(u32, u32)> = runs
                    .pairs()
                    .into_iter()
                    .filter(|&(_, element)| bias[element as usize] != 0.0)
                    .map(|(slot, element)| (slot, self.tables.index(table, bias[element as usize])))
                    .collect();
                (!pairs.is_empty()).then(|| View::Table {
                    table,
                    factor: 1.0,
                    runs: Runs::from_pairs(&pairs),
                })
            })
            .collect()
    }

    /// The values of a step with the slots of its elements.
    fn place(&self, id: NodeId, values: &[Value], copies: bool) -> Vec<(Value, Runs)> {
        values.iter().copied().zip(self.packing.layouts[id.0].runs(copies)).collect()
    }

    fn finish_layer(&mut self, id: NodeId, values: &[Value]) {
        let node = self.graph.node(id);
        let (kind, degree) = match &node.step {
            Step::Input(_) => ("input", 1),
            Step::Affine { .. } => ("linear", 1),
            Step::Mul(a, b) if a == b => ("square", 2),
            Step::Mul(..) => ("product", 2),
            Step::Polynomial(_, coefficients) => ("polynomial", coefficients.len() as u32 - 1),
        };
        self.plan.layers.push(Layer {
            name: node.name.clone(),
            kind: kind.to_owned(),
            tensor: Some(node.tensor.0),
            shape: node.shape.clone(),
            factor: 1.0 / node.factor,
            offset: -node.offset / node.factor,
            slots: self.place(id, values, false),
            layout: self.packing.layouts[id.0].to_string(),
            degree,
            range: (self.config.range)(node.tensor),
        });
    }
}

/// An affine map under construction.
struct LinearMap {
    id: NodeId,
    schedule: Schedule,
    level: usize,
    babies: BTreeMap<(Value, u32), Value>,
    sums: BTreeMap<usize, BTreeMap<u32, Vec<(Value, ConstantId)>>>,
}
