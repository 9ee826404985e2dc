//! A network as an arena of nodes.

use ndarray::ArrayD;

use super::client::ClientOp;
use super::ids::{Const, Tensor};
use super::op::Op;

/// One operation, its result's shape, and the name that its author knows it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Name of the ONNX node (or of the input) that this one comes from; several may share it.
    pub name: String,
    /// Shape of the result, batch dimension included.
    pub shape: Vec<usize>,
}

/// A named result of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Name of the ONNX output.
    pub name: String,
    /// The last tensor computed under encryption.
    pub tensor: Tensor,
    /// What the client applies after decryption, in order.
    pub client: Vec<ClientOp>,
}

/// A network: an arena of nodes in topological order and the constants they cite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Name of the graph.
    pub name: String,
    /// Nodes; operands precede their users.
    pub nodes: Vec<Node>,
    /// Constant arrays, in f64 so that folding loses nothing.
    pub constants: Vec<ArrayD<f64>>,
    /// Results, in the model's order.
    pub outputs: Vec<Output>,
}

impl Model {
    /// Appends a node. Its operands must already be in the model.
    pub fn push(&mut self, op: Op, name: &str, shape: Vec<usize>) -> Tensor {
        debug_assert!(op.operands().iter().all(|t| t.index() < self.nodes.len()));
        self.nodes.push(Node { op, name: name.to_owned(), shape });
        Tensor(self.nodes.len() as u32 - 1)
    }

    /// Adds a constant array.
    pub fn constant(&mut self, array: ArrayD<f64>) -> Const {
        self.constants.push(array);
        Const(self.constants.len() as u32 - 1)
    }

    /// The node that computes `tensor`.
    pub fn node(&self, tensor: Tensor) -> &Node {
        &self.nodes[tensor.index()]
    }

    /// The shape of `tensor`.
    pub fn shape(&self, tensor: Tensor) -> &[usize] {
        &self.node(tensor).shape
    }

    /// The array behind a constant.
    pub fn array(&self, constant: Const) -> &ArrayD<f64> {
        &self.constants[constant.index()]
    }

    /// All tensors in topological order, with their nodes.
    pub fn tensors(&self) -> impl Iterator<Item = (Tensor, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (Tensor(i as u32), node))
    }

    /// The tensors that are inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = (Tensor, &Node)> {
        self.tensors().filter(|(_, node)| matches!(node.op, Op::Input))
    }
}
