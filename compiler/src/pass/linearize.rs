//! Joins every run of linear operators between two non-linear steps into one linear map.
//!
//! Before: a model whose activations are polynomials. After: a [`Graph`] of affine maps, products and polynomials
//! over unnormalized elements (factor 1, offset 0). An affine map costs one level, however many operators it joins.

use hecc_grammar::model::{Model, Op, Tensor};

use crate::error::CompileError;
use crate::graph::{Graph, GraphOutput, Node, NodeId, Step};
use crate::limits;
use crate::linear::{LinearMap, affine_of};
use crate::poly::Coefficients;

use super::expression::Expression;

/// The graph of a model whose activations are approximated.
///
/// # Errors
/// If an activation is not approximated.
pub fn linearize(model: &Model) -> Result<Graph, CompileError> {
    let has_sines = model.nodes.iter().any(|node| matches!(node.op, Op::Sine { .. }));
    let max_growth =
        if has_sines { limits::JOINED_GROWTH_WITH_SINES } else { limits::JOINED_GROWTH };
    let (graph, expressions) = (Graph::default(), vec![]);
    let mut builder = Builder { model, max_growth, graph, expressions };
    let uses = count_uses(model);
    let mut n_inputs = 0;
    for (tensor, node) in model.tensors() {
        let expression = match &node.op {
            Op::Input => {
                n_inputs += 1;
                builder.step(Step::Input(n_inputs - 1), &node.name, tensor)
            }
            Op::Mul(a, b) => {
                let (a, b) = (builder.materialize(*a), builder.materialize(*b));
                builder.step(Step::Mul(a, b), &node.name, tensor)
            }
            Op::Polynomial { x, polynomial } => {
                let x = builder.materialize(*x);
                let coefficients = Coefficients::one(&polynomial.coefficients);
                builder.step(Step::Polynomial(x, coefficients), &node.name, tensor)
            }
            Op::ChannelPolynomials { x, coefficients } => {
                let x = builder.materialize(*x);
                let coefficients = Coefficients::of_channels(model.array(*coefficients));
                builder.step(Step::Polynomial(x, coefficients), &node.name, tensor)
            }
            Op::Sine { x, ratio } => {
                let x = builder.materialize(*x);
                builder.step(Step::Sine(x, *ratio), &node.name, tensor)
            }
            Op::Activation { function, .. } => {
                return Err(CompileError::NotApproximated {
                    node: node.name.clone(),
                    function: format!("{function:?}"),
                });
            }
            Op::FakeQuant { quantizer, .. } => {
                return Err(CompileError::NotApproximated {
                    node: node.name.clone(),
                    function: format!("FakeQuant ({quantizer})"),
                });
            }
            Op::Conv { .. }
            | Op::AveragePool { .. }
            | Op::MatMul { .. }
            | Op::MatMulLeft { .. }
            | Op::Add(..)
            | Op::AddConst(..)
            | Op::MulConst(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. } => builder.linear(tensor),
        };
        builder.expressions.push(expression);
        if uses[tensor.index()] > 1 && builder.expressions[tensor.index()].is_computed() {
            builder.materialize(tensor);
        }
    }
    for output in &model.outputs {
        let node = builder.materialize(output.tensor);
        let (name, client) = (output.name.clone(), output.client.clone());
        let shape = model.shape(output.tensor).to_vec();
        builder.graph.outputs.push(GraphOutput { name, node, shape, client });
    }
    Ok(builder.graph)
}

fn count_uses(model: &Model) -> Vec<usize> {
    let mut uses = vec![0; model.nodes.len()];
    for (_, node) in model.tensors() {
        let mut operands = node.op.operands();
        operands.dedup();
        operands.iter().for_each(|x| uses[x.index()] += 1);
    }
    model.outputs.iter().for_each(|output| uses[output.tensor.index()] += 1);
    uses
}

struct Builder<'a> {
    model: &'a Model,
    max_growth: usize,
    graph: Graph,
    expressions: Vec<Expression>,
}

impl Builder<'_> {
    /// Appends a step; its result is the identity of itself.
    fn step(&mut self, step: Step, name: &str, tensor: Tensor) -> Expression {
        let shape = self.graph.shape_of(&step, self.model.shape(tensor));
        let name = name.to_owned();
        let node = Node { step, name, tensor, shape: shape.clone(), factor: 1.0, offset: 0.0 };
        Expression::of_step(self.graph.push(node), &shape, self.model.shape(tensor))
    }

    /// The step that holds `tensor`, appended if there is none yet.
    fn materialize(&mut self, tensor: Tensor) -> NodeId {
        let expression = &self.expressions[tensor.index()];
        if let Some(id) = expression.step() {
            return id;
        }
        let name = expression.name();
        let Expression { terms, bias, .. } = expression.clone();
        let step = Step::Affine { terms: terms.into_iter().collect(), bias };
        self.expressions[tensor.index()] = self.step(step, &name, tensor);
        NodeId(self.graph.nodes.len() - 1)
    }

    fn linear(&mut self, tensor: Tensor) -> Expression {
        let affine = affine_of(self.model, tensor).expect("called for linear operators only");
        let n_out = self.model.shape(tensor).iter().product();
        let mut result = Expression::constant(affine.bias.unwrap_or_else(|| vec![0.0; n_out]));
        for (x, map) in affine.terms {
            let inner = &self.expressions[x.index()].terms;
            if inner.values().any(|inner| grows_beyond(self.max_growth, &map, inner)) {
                self.materialize(x);
            }
            let inner = &self.expressions[x.index()];
            result.add_terms(&map, inner);
            result.add_bias(&map, inner);
            result.add_names(inner);
        }
        result.add_name(&self.model.node(tensor).name);
        result
    }
}

/// Whether two maps, `inner` first, are better kept apart: their product has many more entries than both together.
pub(super) fn composition_grows(matrix: &LinearMap, inner: &LinearMap) -> bool {
    grows_beyond(limits::JOINED_GROWTH, matrix, inner)
}

/// Whether the product of two maps has more than so many times the entries of both together.
fn grows_beyond(max_growth: usize, matrix: &LinearMap, inner: &LinearMap) -> bool {
    if matrix.is_selection() || inner.is_selection() {
        return false;
    }
    let (outer_entries, inner_entries) = (matrix.n_entries(), inner.n_entries());
    let most = max_growth * (outer_entries + inner_entries);
    // An upper bound on the product's entries first: counting them takes as long as composing.
    let per_row = inner_entries.div_ceil(inner.n_rows().max(1));
    let bound = (outer_entries * per_row).min(matrix.n_rows() * inner.n_cols());
    bound > most && matrix.after_exceeds(inner, most)
}
