//! Chooses what slots hold: `factor · element + offset`, within [−1, 1] on the calibration data.
//!
//! Before: factor 1, offset 0 everywhere. After: operands of polynomials are mapped to [−1, 1] exactly (the Chebyshev
//! variable), operands of products and all results are divided by their range. Affine maps and polynomials absorb
//! the change in their numbers at no cost; where a step cannot (two consumers that ask for different maps, an input
//! with an offset), an affine map is put between, at the cost of a level.

use hecc_grammar::model::{Model, Op, Tensor};

use crate::graph::{Graph, Node, NodeId, Step, to_unit_interval};
use crate::linear::LinearMap;

/// A normalization: `slot = factor · element + offset`.
type Map = (f64, f64);

/// An operand of a product whose values stay below this is brought back to [−1, 1] first, which takes a level: the factors
/// of squares of squares would leave the range of numbers.
const SMALLEST_OPERAND: f64 = 1.0 / 256.0;

/// Normalizes a graph. `range` gives the range of a tensor, margin included.
pub fn normalize(model: &Model, graph: &Graph, range: &dyn Fn(Tensor) -> (f64, f64)) -> Graph {
    let mut pass = Pass { model, new: Graph::default(), rebuilt: vec![], plains: vec![] };
    let users = graph.users();
    for id in graph.ids() {
        let node = graph.node(id);
        let (lo, hi) = range(node.tensor);
        let largest = lo.abs().max(hi.abs());
        let plain = (if largest > 0.0 { 1.0 / largest } else { 1.0 }, 0.0);
        let wanted = users[id.0].iter().find_map(|&user| operand_map(model, graph.node(user)));
        let became = pass.rebuild(node, wanted.unwrap_or(plain), plain.0);
        pass.rebuilt.push(became);
        pass.plains.push(plain.0);
    }
    let outputs = graph.outputs.iter().cloned();
    pass.new.outputs = outputs
        .map(|mut output| {
            let became = pass.rebuilt[output.node.0];
            let node = pass.new.node(became);
            output.node =
                if node.offset == 0.0 { became } else { pass.convert(became, (node.factor, 0.0)) };
            output
        })
        .collect();
    pass.new
}

/// The normalization that a step asks of its operand, if it asks for one.
fn operand_map(model: &Model, node: &Node) -> Option<Map> {
    match node.step {
        Step::Input(_) | Step::Affine { .. } | Step::Mul(..) => return None,
        Step::Polynomial(..) | Step::Sine(..) => {}
    }
    if let Op::Polynomial { polynomial, .. } = &model.node(node.tensor).op {
        return Some(to_unit_interval(polynomial));
    }
    // Sines and polynomials for channels have arguments in this interval.
    Some((1.0, 0.0))
}

struct Pass<'a> {
    model: &'a Model,
    new: Graph,
    rebuilt: Vec<NodeId>,
    /// For each step so far, the factor that takes its range to [−1, 1].
    plains: Vec<f64>,
}

impl Pass<'_> {
    /// Appends the normalized form of a step, as near to `map` as it can be.
    fn rebuild(&mut self, node: &Node, map: Map, plain: f64) -> NodeId {
        let (step, (factor, offset)) = match &node.step {
            Step::Input(index) => {
                (Step::Input(*index), (if map.1 == 0.0 { map.0 } else { plain }, 0.0))
            }
            Step::Affine { terms, bias } => {
                let mut new_bias: Vec<f64> = bias.clone();
                let mut new_terms = vec![];
                for (source, matrix) in terms {
                    let became = self.rebuilt[source.0];
                    let (f, o) = (self.new.node(became).factor, self.new.node(became).offset);
                    if o != 0.0 {
                        let shift = matrix.apply(&vec![o / f; matrix.n_cols()]);
                        new_bias.iter_mut().zip(shift).for_each(|(b, s)| *b -= s);
                    }
                    new_terms.push((became, matrix.scaled(map.0 / f)));
                }
                let bias = new_bias.iter().map(|b| b * map.0 + map.1).collect();
                (Step::Affine { terms: new_terms, bias }, map)
            }
            Step::Mul(a, b) => {
                let (a, b) = (self.operand(*a), self.operand(*b));
                let factor = self.new.node(a).factor * self.new.node(b).factor;
                (Step::Mul(a, b), (factor, 0.0))
            }
            Step::Polynomial(x, coefficients) => {
                (Step::Polynomial(self.argument(node, *x), coefficients.mapped(map)), map)
            }
            // What it leaves is within [−1, 1].
            Step::Sine(x, ratio) => (Step::Sine(self.argument(node, *x), *ratio), (1.0, 0.0)),
        };
        self.new.push(Node { step, factor, offset, ..node.clone() })
    }

    /// What a step became, as the argument of a polynomial or sine, on the interval that it asks for.
    fn argument(&mut self, node: &Node, x: NodeId) -> NodeId {
        let wanted = operand_map(self.model, node).expect("it asks for an interval");
        let became = self.rebuilt[x.0];
        let found = (self.new.node(became).factor, self.new.node(became).offset);
        if found == wanted { became } else { self.convert(became, wanted) }
    }

    /// What a step became, as an operand of a product: without offset, and not so small that products of products
    /// vanish.
    fn operand(&mut self, id: NodeId) -> NodeId {
        let (became, plain) = (self.rebuilt[id.0], self.plains[id.0]);
        let node = self.new.node(became);
        if node.offset != 0.0 {
            self.convert(became, (node.factor / 2.0, 0.0))
        } else if node.factor < plain * SMALLEST_OPERAND {
            self.convert(became, (plain, 0.0))
        } else {
            became
        }
    }

    /// Puts an affine map behind a step that changes its normalization.
    fn convert(&mut self, id: NodeId, (factor, offset): Map) -> NodeId {
        let node = self.new.node(id).clone();
        let ratio = factor / node.factor;
        let len = self.new.len(id);
        let matrix = LinearMap::identity(&node.shape).scaled(ratio);
        let bias = vec![offset - node.offset * ratio; len];
        let name = format!("{} (rescaled)", node.name);
        self.new.push(Node {
            step: Step::Affine { terms: vec![(id, matrix)], bias },
            name,
            factor,
            offset,
            ..node
        })
    }
}
