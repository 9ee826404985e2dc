//! What a name stands for during import: something encrypted, or something known.

use hecc_grammar::model::{ClientOp, Tensor};
use ndarray::{ArcArray, ArrayD, IxDyn};

use super::error::{Refused, refuse};

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A tensor computed under encryption.
    Tensor(Tensor),
    /// A known array.
    Constant(Constant),
    /// The result of final operations that the client applies to a tensor; `by` names the last of them.
    Client { tensor: Tensor, ops: Vec<ClientOp>, by: String },
    /// The result of a node that is refused: nodes that read it are skipped.
    Unknown,
    /// A result that hecc does not compute, and why.
    Absent(&'static str),
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
}

impl Constant {
    pub(super) fn new(array: ArrayD<f64>, kind: Kind) -> Constant {
        let array = if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        };
        Constant { array: array.into_shared(), kind }
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
        self.array.iter().all(|&v| v == first).then_some(first)
    }

    /// An owned array.
    pub(super) fn into_array(self) -> ArrayD<f64> {
        self.array.into_owned()
    }
}
