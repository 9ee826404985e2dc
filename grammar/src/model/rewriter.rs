//! A model made anew, node by node, from another one.

use super::graph::{Model, Node};
use super::ids::{Const, Tensor};

/// A model while it is rewritten. It has the old one's constants from the start; those that nothing reads go in the end.
pub struct Rewriter<'a> {
    old: &'a Model,
    new: Model,
    new_tensors: Vec<Tensor>,
}

impl<'a> Rewriter<'a> {
    /// Starts with no nodes.
    pub fn new(old: &'a Model) -> Rewriter<'a> {
        let new = Model { nodes: vec![], outputs: vec![], ..old.clone() };
        Rewriter { old, new, new_tensors: vec![] }
    }

    /// The model built so far.
    pub fn model(&mut self) -> &mut Model {
        &mut self.new
    }

    /// An old node whose operands are what they became.
    pub fn node(&self, tensor: Tensor) -> Node {
        let mut node = self.old.node(tensor).clone();
        let operands = node.op.operands_mut();
        operands.into_iter().for_each(|x| *x = self.new_tensors[x.index()]);
        node
    }

    /// Appends a node of the new model.
    pub fn push(&mut self, node: Node) -> Tensor {
        self.new.push(node.op, &node.name, node.shape)
    }

    /// Declares what the next old tensor became: in order, each once.
    pub fn define(&mut self, new: Tensor) {
        self.new_tensors.push(new);
    }

    /// The finished model.
    pub fn finish(mut self) -> Model {
        self.new.outputs = self.old.outputs.clone();
        for output in &mut self.new.outputs {
            output.tensor = self.new_tensors[output.tensor.index()];
        }
        drop_unused_constants(&mut self.new);
        self.new
    }
}

fn drop_unused_constants(model: &mut Model) {
    let mut is_used = vec![false; model.constants.len()];
    let used = model.nodes.iter().flat_map(|node| node.op.constants());
    used.for_each(|constant| is_used[constant.index()] = true);
    let mut places = Vec::with_capacity(is_used.len());
    let mut n_used = 0;
    for &is_used in &is_used {
        places.push(Const(n_used));
        n_used += u32::from(is_used);
    }
    let mut keep = is_used.iter();
    model.constants.retain(|_| keep.next() == Some(&true));
    for node in &mut model.nodes {
        node.op.constants_mut().into_iter().for_each(|c| *c = places[c.index()]);
    }
}
