//! Merges constants into the linear nodes before them, and activations that exporters write out into one.
//!
//! Before: as imported. After: no factor or offset follows a convolution or a matrix that could hold it, nor another
//! factor or offset; convolutions pad by themselves; no node and no constant is unused (inputs stay); rounding and
//! activations that come last are the client's. Weights that are integers stay as they are.

use std::collections::BTreeSet;

use hecc_grammar::model::{ClientOp, Const, Function, Model, Node, Op, Tensor};
use ndarray::{ArrayD, IxDyn};

use super::{last_steps, recognize};

/// Returns an equal model with fewer nodes. Into the weights that are `integers` nothing is merged.
pub(super) fn fold(mut model: Model, integers: &BTreeSet<Const>) -> Model {
    leave_rounding_to_client(&mut model);
    let mut uses = vec![0; model.nodes.len()];
    for tensor in model.nodes.iter().flat_map(|node| node.op.operands()) {
        uses[tensor.index()] += 1;
    }
    for output in &model.outputs {
        uses[output.tensor.index()] += 1;
    }
    let Model { name, nodes, constants, outputs } = model;
    let model = Model { name, nodes: vec![], constants, outputs };
    let mut fold = Fold { model, uses: vec![], integers };
    let mut map = Vec::with_capacity(nodes.len());
    for (node, uses) in nodes.into_iter().zip(uses) {
        let tensor = fold.node(node, &map);
        fold.uses[tensor.index()] = uses;
        map.push(tensor);
    }
    for output in &mut fold.model.outputs {
        output.tensor = map[output.tensor.index()];
    }
    last_steps::leave_to_client(&mut fold.model);
    without_unused(fold.model)
}

/// What is decrypted need not be rounded before.
fn leave_rounding_to_client(model: &mut Model) {
    for output in &mut model.outputs {
        while let Op::FakeQuant { x, quantizer } = model.nodes[output.tensor.index()].op {
            output.tensor = x;
            output.client.insert(0, ClientOp::FakeQuant(quantizer));
        }
    }
}

struct Fold<'a> {
    /// The model being built; its constants begin with all of the old model's.
    model: Model,
    /// How many operands and outputs of the old model each tensor serves.
    uses: Vec<usize>,
    integers: &'a BTreeSet<Const>,
}

impl Fold<'_> {
    fn node(&mut self, mut node: Node, map: &[Tensor]) -> Tensor {
        for operand in node.op.operands_mut() {
            *operand = map[operand.index()];
        }
        self.take_padding(&mut node);
        self.replaced(&node).unwrap_or_else(|| self.push(node.op.clone(), &node))
    }

    /// What a node becomes that something else than itself is as good as.
    fn replaced(&mut self, node: &Node) -> Option<Tensor> {
        if let Op::MulConst(x, c) = node.op {
            let c = self.model.array(c).clone();
            return Some(self.mul_const(x, c, node));
        }
        if let Op::AddConst(x, c) = node.op {
            let c = self.model.array(c).clone();
            return Some(self.add_const(x, c, node));
        }
        if let Op::Mul(a, b) = node.op {
            let (function, x, factor) = recognize::product(&self.model, a, b)?;
            let activation = self.push(Op::Activation { x, function }, node);
            return Some(self.mul_const(activation, ArrayD::from_elem(IxDyn(&[]), factor), node));
        }
        if let Op::Activation { x, function: Function::Log } = node.op {
            // log(1 + e^z)
            let x = recognize::one_plus_exp(&self.model, x)?;
            return Some(self.push(Op::Activation { x, function: Function::Softplus }, node));
        }
        None
    }

    /// Appends an operation under the name and shape of `like`.
    fn push(&mut self, op: Op, like: &Node) -> Tensor {
        self.uses.push(1);
        self.model.push(op, &like.name, like.shape.clone())
    }

    /// Appends what replaces `x`, under its name and shape.
    fn merged(&mut self, x: Tensor, op: Op) -> Tensor {
        let like = self.model.node(x).clone();
        self.push(op, &like)
    }

    /// `c · x`, where `like` is the node that says so.
    fn mul_const(&mut self, x: Tensor, c: ArrayD<f64>, like: &Node) -> Tensor {
        if c.iter().all(|&v| v == 1.0) {
            return x;
        }
        if self.uses[x.index()] == 1 {
            let op = self.model.node(x).op.clone();
            if let Op::MulConst(y, d) = op {
                let product = self.model.array(d) * &c;
                return self.mul_const(y, product, like);
            }
            if let Op::AddConst(y, d) = op {
                let offset = self.model.array(d) * &c;
                let product = self.mul_const(y, c, like);
                return self.add_const(product, offset, like);
            }
            if let Some(op) = self.scaled_weight(op, &c, &like.shape) {
                return self.merged(x, op);
            }
        }
        let c = self.model.constant(c);
        self.push(Op::MulConst(x, c), like)
    }

    /// A convolution or product whose result, of the shape given, is multiplied by `c`, if its weight can hold that.
    fn scaled_weight(&mut self, op: Op, c: &ArrayD<f64>, shape: &[usize]) -> Option<Op> {
        if let Op::Conv { x, weight, bias, window, groups } = op {
            let factors = self.merges(weight, c, shape, 1)?;
            let weight = self.model.array(weight) * &in_axis(&factors, shape.len(), 0);
            let bias = bias.map(|b| self.model.array(b) * &in_axis(&factors, 1, 0));
            let weight = self.model.constant(weight);
            let bias = bias.map(|b| self.model.constant(b));
            return Some(Op::Conv { x, weight, bias, window, groups });
        }
        if let Op::MatMul { x, weight } = op {
            // The result's last dimension is the matrix's, unless the result lost it (a product of vectors).
            let factors = self.merges(weight, c, shape, shape.len().wrapping_sub(1))?;
            let columns = self.model.array(weight).shape().last().copied();
            if Some(factors.len()) != columns {
                return None;
            }
            let weight = self.model.array(weight) * &in_axis(&factors, 1, 0);
            let weight = self.model.constant(weight);
            return Some(Op::MatMul { x, weight });
        }
        None
    }

    /// The factors of a weight that is no integer, one along an axis of the result.
    fn merges(
        &self,
        weight: Const,
        c: &ArrayD<f64>,
        shape: &[usize],
        axis: usize,
    ) -> Option<Vec<f64>> {
        if self.integers.contains(&weight) { None } else { along(c, shape, axis) }
    }

    /// `x + c`, where `like` is the node that says so.
    fn add_const(&mut self, x: Tensor, c: ArrayD<f64>, like: &Node) -> Tensor {
        if c.iter().all(|&v| v == 0.0) {
            return x;
        }
        if self.uses[x.index()] == 1 {
            let op = self.model.node(x).op.clone();
            if let Op::AddConst(y, d) = op {
                let sum = self.model.array(d) + &c;
                return self.add_const(y, sum, like);
            }
            if let Op::Conv { x: data, weight, bias, window, groups } = op
                && let Some(offsets) = along(&c, &like.shape, 1)
                && !self.integers.contains(&weight)
            {
                let mut sum = in_axis(&offsets, 1, 0);
                if let Some(bias) = bias {
                    sum += self.model.array(bias);
                }
                let bias = Some(self.model.constant(sum));
                return self.merged(x, Op::Conv { x: data, weight, bias, window, groups });
            }
        }
        let c = self.model.constant(c);
        self.push(Op::AddConst(x, c), like)
    }

    /// Lets a convolution pad with zeros itself.
    fn take_padding(&self, conv: &mut Node) {
        let Op::Conv { x: data, window, .. } = &mut conv.op else { return };
        let x = *data;
        let Op::Pad { x: inner, before, after, value: 0.0 } = &self.model.node(x).op else {
            return;
        };
        let spatial_only = before[..2].iter().chain(&after[..2]).all(|&n| n == 0);
        if spatial_only && self.uses[x.index()] == 1 {
            *data = *inner;
            for (d, (b, a)) in before[2..].iter().zip(&after[2..]).enumerate() {
                window.pads_begin[d] += b;
                window.pads_end[d] += a;
            }
        }
    }
}

/// The numbers of a constant that, broadcast to `shape`, varies along `axis` alone.
fn along(c: &ArrayD<f64>, shape: &[usize], axis: usize) -> Option<Vec<f64>> {
    let extent = *shape.get(axis)?;
    let missing = shape.len() - c.ndim();
    let varies = |d: usize| d >= missing && c.shape()[d - missing] != 1;
    match (0..shape.len()).filter(|&d| varies(d)).collect::<Vec<_>>()[..] {
        [] => Some(vec![*c.iter().next()?; extent]),
        [only] if only == axis => Some(c.iter().copied().collect()),
        _ => None,
    }
}

/// A vector as an array of the given rank that varies along `axis`.
fn in_axis(values: &[f64], rank: usize, axis: usize) -> ArrayD<f64> {
    let mut shape = vec![1; rank];
    shape[axis] = values.len();
    ArrayD::from_shape_fn(shape, |index| values[index[axis]])
}

/// Drops nodes that no output needs, except inputs, and constants that no node cites.
fn without_unused(model: Model) -> Model {
    let mut needed = vec![false; model.nodes.len()];
    for output in &model.outputs {
        needed[output.tensor.index()] = true;
    }
    for (i, node) in model.nodes.iter().enumerate().rev() {
        needed[i] |= matches!(node.op, Op::Input);
        for operand in node.op.operands() {
            needed[operand.index()] |= needed[i];
        }
    }
    let Model { name, nodes, constants, outputs } = model;
    let mut constants: Vec<Option<ArrayD<f64>>> = constants.into_iter().map(Some).collect();
    let mut moved = vec![None; constants.len()];
    let mut kept = Model { name, outputs, ..Model::default() };
    let mut map = vec![Tensor(0); nodes.len()];
    for (i, mut node) in nodes.into_iter().enumerate().filter(|(i, _)| needed[*i]) {
        for operand in node.op.operands_mut() {
            *operand = map[operand.index()];
        }
        for constant in node.op.constants_mut() {
            let old = constant.index();
            if let Some(array) = constants[old].take() {
                moved[old] = Some(kept.constant(array));
            }
            *constant = moved[old].expect("taken here, at first sight");
        }
        map[i] = kept.push(node.op, &node.name, node.shape);
    }
    for output in &mut kept.outputs {
        output.tensor = map[output.tensor.index()];
    }
    kept
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Op;

    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn chains_of_constants_become_one() {
        let case = Case::new(13, &[1, 2])
            .floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
            .floats("a", &[2], &[1.0, 2.0])
            .floats("b", &[1], &[3.0])
            .node("MatMul", "x w", "t0", &[])
            .node("Add", "t0 a", "t1", &[])
            .node("Mul", "t1 b", "t2", &[])
            .node("Mul", "a t2", "t3", &[])
            .node("Sub", "t3 b", "y", &[]);
        // (x·w + a)·3·a − 3
        assert_eq!(case.result(&[1.0, 1.0]).1, [(4.0 + 1.0) * 3.0 - 3.0, (6.0 + 2.0) * 6.0 - 3.0]);
        let model = case.import().unwrap();
        assert_eq!(model.nodes.len(), 3);
        assert_eq!(model.constants.len(), 2);
    }

    #[test]
    fn what_others_read_stays() {
        let case = Case::new(13, &[1, 1, 2])
            .floats("w", &[1, 1, 1], &[2.0])
            .floats("c", &[1], &[3.0])
            .node("Conv", "x w", "t", &[])
            .node("Mul", "t c", "s", &[])
            .node("Add", "s t", "y", &[]);
        assert_eq!(case.result(&[1.0, 10.0]).1, [8.0, 80.0]);
        assert_eq!(case.import().unwrap().nodes.len(), 4);
    }

    #[test]
    fn factors_that_vary_over_space_stay() {
        let case = Case::new(13, &[1, 1, 2])
            .floats("w", &[2, 1, 1], &[2.0, 4.0])
            .floats("space", &[2], &[1.0, 10.0])
            .floats("channel", &[2, 1], &[1.0, 10.0])
            .node("Conv", "x w", "t", &[])
            .node("Mul", "t channel", "s", &[])
            .node("Mul", "s space", "y", &[]);
        assert_eq!(case.result(&[1.0, 1.0]).1, [2.0, 20.0, 40.0, 400.0]);
        assert_eq!(case.import().unwrap().nodes.len(), 3);
    }

    #[test]
    fn convolutions_pad_by_themselves() {
        let pads = |values| [("pads", Attr::Ints(values))];
        let case = |values| {
            Case::new(7, &[1, 1, 2])
                .floats("w", &[1, 1, 3], &[1.0, 2.0, 3.0])
                .node("Pad", "x", "p", &pads(values))
                .node("Conv", "p w", "y", &[("pads", Attr::Ints(&[1, 0]))])
        };
        let model = case(&[0, 0, 1, 0, 0, 2]).import().unwrap();
        let Op::Conv { window, .. } = &model.nodes[1].op else { panic!("a convolution") };
        assert_eq!((&window.pads_begin[..], &window.pads_end[..]), (&[2][..], &[2][..]));
        assert_eq!(case(&[0, 0, 1, 0, 0, 2]).result(&[1.0, 1.0]).1, [3.0, 5.0, 3.0, 1.0]);
        assert_eq!(case(&[1, 0, 1, 0, 0, 2]).import().unwrap().nodes.len(), 3);
    }

    #[test]
    fn unused_nodes_go_but_inputs_stay() {
        let case = Case::new(13, &[1]).input("unused", &[3]).ints("zero", &[0]);
        let case = case.node("Relu", "unused", "dead", &[]).node("Neg", "x", "y", &[]);
        let model = case.import().unwrap();
        assert_eq!(model.inputs().count(), 2);
        assert_eq!(model.nodes.len(), 3);
    }
}
