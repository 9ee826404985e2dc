//! What a name stands for during import: something encrypted, or something known.

mod constant;
mod format;
mod grid;
mod weight;

use std::sync::Arc;

pub(super) use constant::Constant;
pub(super) use format::{Format, Kind};
pub(super) use grid::Grid;
use hecc_grammar::model::{ClientOp, Quantizer, Tensor};
pub(super) use weight::Weight;

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A tensor computed under encryption.
    Tensor(Tensor),
    /// A known array.
    Constant(Constant),
    /// The result of final operations that the client applies to a tensor; `by` names the last of them.
    Client { tensor: Tensor, ops: Vec<ClientOp>, by: String },
    /// An encrypted tensor between `QuantizeLinear` and `DequantizeLinear`.
    Quantized(Quantized),
    /// Known texts: names of classes.
    Strings(Strings),
    /// The result of a node that is refused: nodes that read it are skipped.
    Unknown,
    /// A result that hecc does not compute, and why.
    Absent(&'static str),
}

/// Known texts.
#[derive(Clone, Debug)]
pub(super) struct Strings {
    pub(super) names: Arc<[String]>,
    pub(super) shape: Vec<usize>,
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Value {
        Value::Tensor(tensor)
    }
}

impl From<Constant> for Value {
    fn from(constant: Constant) -> Value {
        Value::Constant(constant)
    }
}

/// What is about to be rounded to a grid: the integers between `QuantizeLinear` and `DequantizeLinear`.
#[derive(Clone, Debug)]
pub(super) struct Quantized {
    /// The tensor before it is rounded.
    pub(super) tensor: Tensor,
    /// What the client applies to it first, if it is already the client's.
    pub(super) client: Vec<ClientOp>,
    pub(super) quantizer: Quantizer,
    /// The node that quantizes.
    pub(super) by: String,
}

impl Quantized {
    /// What is rounded.
    pub(super) fn source(&self) -> Value {
        match self.client.is_empty() {
            true => Value::Tensor(self.tensor),
            false => {
                let (tensor, ops) = (self.tensor, self.client.clone());
                Value::Client { tensor, ops, by: self.by.clone() }
            }
        }
    }
}
