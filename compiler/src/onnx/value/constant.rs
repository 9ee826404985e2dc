//! Known arrays.

use std::sync::Arc;

use ndarray::{ArcArray, ArrayD, IxDyn};

use super::format::{Format, Kind};
use super::grid::Grid;
use crate::onnx::error::{Refused, refuse};

/// A known array, shared between its users. Integers beyond 2^53 are rounded, which only extreme ends of slices are.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Constant {
    pub(in crate::onnx) array: ArcArray<f64, IxDyn>,
    pub(in crate::onnx) kind: Kind,
    /// The element type, where one is stored: what a zero point has room for.
    pub(in crate::onnx) format: Option<Format>,
    /// The same numbers as integers and scales, if they were dequantized.
    pub(in crate::onnx) grid: Option<Arc<Grid>>,
}

impl Constant {
    pub(in crate::onnx) fn new(array: ArrayD<f64>, kind: Kind) -> Constant {
        let array = if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        };
        Constant { array: array.into_shared(), kind, format: None, grid: None }
    }

    /// The same numbers, known to be stored as the element type.
    pub(in crate::onnx) fn stored_as(mut self, format: Option<Format>) -> Constant {
        self.format = format.filter(|format| format.kind() == self.kind);
        self
    }

    /// Integers times scales.
    pub(in crate::onnx) fn on_grid(grid: Grid) -> Constant {
        let values = Constant::new(grid.values(), Kind::Float);
        Constant { grid: Some(Arc::new(grid)), ..values }
    }

    /// A vector of integers.
    pub(in crate::onnx) fn integers(values: impl IntoIterator<Item = i64>) -> Constant {
        let array = ndarray::Array1::from_iter(values.into_iter().map(|v| v as f64));
        Constant::new(array.into_dyn(), Kind::Int)
    }

    pub(in crate::onnx) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// The elements in row-major order.
    pub(in crate::onnx) fn to_vec(&self) -> Vec<f64> {
        self.array.iter().copied().collect()
    }

    /// The elements as integers, which is what shapes, axes and indices are given as.
    pub(in crate::onnx) fn to_integers(&self) -> Result<Vec<i64>, Refused> {
        if self.kind == Kind::Float {
            return Err(refuse("a constant holds floats, expected integers"));
        }
        Ok(self.array.iter().map(|&v| v as i64).collect())
    }

    /// The only element, or the value that all elements share.
    pub(in crate::onnx) fn uniform(&self) -> Option<f64> {
        let first = *self.array.iter().next()?;
        self.array.iter().skip(1).all(|&v| v == first).then_some(first)
    }

    /// An owned array.
    pub(in crate::onnx) fn into_array(self) -> ArrayD<f64> {
        self.array.into_owned()
    }
}
