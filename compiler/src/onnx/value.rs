//! What a name stands for during import: something encrypted, or something known.

use std::sync::Arc;

use hecc_grammar::model::{ClientOp, Quantizer, Tensor};
use ndarray::{ArcArray, ArrayD, IxDyn};

use super::error::{Refused, refuse};
use super::tensor::Format;
use super::weight::Grid;

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

/// What kind of numbers a constant holds: integers are divided and cast differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Int,
    Bool,
}

/// A known array, shared between its users. Integers beyond 2^53 are rounded, which only extreme ends of slices are.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) array: ArcArray<f64, IxDyn>,
    pub(super) kind: Kind,
    /// The element type, where one is stored: what a zero point has room for.
    pub(super) format: Option<Format>,
    /// The same numbers as integers and scales, if they were dequantized.
    pub(super) grid: Option<Arc<Grid>>,
}

impl Constant {
    pub(super) fn new(array: ArrayD<f64>, kind: Kind) -> Constant {
        let array = if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        };
        Constant { array: array.into_shared(), kind, format: None, grid: None }
    }

    /// The same numbers, known to be stored as the element type.
    pub(super) fn stored_as(mut self, format: Option<Format>) -> Constant {
        self.format = format.filter(|format| format.kind() == self.kind);
        self
    }

    /// Integers times scales.
    pub(super) fn on_grid(grid: Grid) -> Constant {
        let values = Constant::new(grid.values(), Kind::Float);
        Constant { grid: Some(Arc::new(grid)), ..values }
    }

    /// A vector of integers.
    pub(super) fn integers(values: impl IntoIterator<Item = i64>) -> Constant {
        let array = ndarray::Array1::from_iter(values.into_iter().map(|v| v as f64));
        Constant::new(array.into_dyn(), Kind::Int)
    }

    pub(super) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// The elements in row-major order.
    pub(super) fn to_vec(&self) -> Vec<f64> {
        self.array.iter().copied().collect()
    }

    /// The elements as integers, which is what shapes, axes and indices are given as.
    pub(super) fn to_integers(&self) -> Result<Vec<i64>, Refused> {
        if self.kind == Kind::Float {
            return Err(refuse("a constant holds floats, expected integers"));
        }
        Ok(self.array.iter().map(|&v| v as i64).collect())
    }

    /// The only element, or the value that all elements share.
    pub(super) fn uniform(&self) -> Option<f64> {
        let first = *self.array.iter().next()?;
        self.array.iter().skip(1).all(|&v| v == first).then_some(first)
    }

    /// An owned array.
    pub(super) fn into_array(self) -> ArrayD<f64> {
        self.array.into_owned()
    }
}
