//! The tensor graph: a network with static shapes, in topological order.

mod client;
mod function;
mod op;
mod parse;
mod print;
mod quantizer;
mod shape;
mod verify;

pub use client::{ClientOp, Comparison, Integral, Norm};
pub use function::Function;
pub use op::{Op, Polynomial, Window};
pub use parse::{Resolve, parse};
pub(crate) use parse::{read_function, read_quantizer};
pub use quantizer::{Quantizer, Rounding};
pub use shape::{MAX_ELEMENTS, MAX_RANK, ShapeError};
pub use verify::ModelError;

use ndarray::ArrayD;

/// The result of one node. Prints as `t7`, in Rust and in model text alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(pub u32);

/// A constant array of the model. Prints as `c3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Const(pub u32);

impl Tensor {
    /// Position in [`Model::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Const {
    /// Position in [`Model::constants`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

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

macro_rules! prints_as {
    ($type:ty, $letter:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}
prints_as!(Tensor, "t");
prints_as!(Const, "c");
