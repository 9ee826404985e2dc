//! Sums, and products with constant matrices.

use hecc_grammar::model::{Const, Op, Tensor};
use ndarray::Array2;

use super::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::shape::broadcast;
use crate::onnx::value::Weight;

impl Builder {
    pub(in crate::onnx) fn sum(
        &mut self,
        x: Tensor,
        axes: Vec<usize>,
        keepdims: bool,
    ) -> Result<Tensor, Refused> {
        let mut shape = self.shape(x);
        for &axis in axes.iter().rev() {
            if keepdims {
                shape[axis] = 1;
            } else {
                shape.remove(axis);
            }
        }
        self.push(Op::Sum { x, axes, keepdims }, shape)
    }

    /// Multiplies every lane along `axis` by a matrix, `[from, to]`.
    pub(in crate::onnx) fn mat_mul_along(
        &mut self,
        x: Tensor,
        axis: usize,
        matrix: Array2<f64>,
    ) -> Result<Tensor, Refused> {
        let shape = self.shape(x);
        if axis + 2 == shape.len() {
            let matrix = matrix.reversed_axes().as_standard_layout().into_owned();
            return self.mat_mul_left(Weight::plain(matrix.into_dyn()), x);
        }
        let weight = Weight::plain(matrix.into_dyn());
        if shape.len() == 1 {
            let row = self.reshape(x, vec![1, shape[0]])?;
            let row = self.mat_mul(row, weight)?;
            let extent = self.model.shape(row)[1];
            return self.reshape(row, vec![extent]);
        }
        // Exchanging two dimensions is its own inverse.
        let mut swap: Vec<usize> = (0..shape.len()).collect();
        swap.swap(axis, shape.len() - 1);
        let x = self.transpose(x, swap.clone())?;
        let y = self.mat_mul(x, weight)?;
        self.transpose(y, swap)
    }

    /// Adds a factor's array to the model; its scale is for whoever asks to multiply the result by.
    pub(in crate::onnx) fn weight(&mut self, weight: Weight) -> Result<Const, Refused> {
        let constant = self.constant(weight.array)?;
        if weight.scale.is_some() {
            self.integers.insert(constant);
        }
        Ok(constant)
    }

    /// `x · weight`, as numpy's `matmul`; both have rank 2 or more. Scales are those of columns.
    pub(in crate::onnx) fn mat_mul(
        &mut self,
        x: Tensor,
        weight: Weight,
    ) -> Result<Tensor, Refused> {
        let shape = product_shape(self.model.shape(x), weight.array.shape())?;
        let scale = weight.scale.clone();
        let weight = self.weight(weight)?;
        let y = self.push(Op::MatMul { x, weight }, shape)?;
        self.scaled(y, scale)
    }

    /// `weight · x`, as numpy's `matmul`; both have rank 2 or more. Scales are those of rows.
    pub(in crate::onnx) fn mat_mul_left(
        &mut self,
        weight: Weight,
        x: Tensor,
    ) -> Result<Tensor, Refused> {
        let shape = product_shape(weight.array.shape(), self.model.shape(x))?;
        let scale = weight.scale.clone();
        let weight = self.weight(weight)?;
        let y = self.push(Op::MatMulLeft { weight, x }, shape)?;
        self.scaled(y, scale)
    }
}

fn product_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refused> {
    let (lead_a, last_a) = a.split_at(a.len() - 2);
    let (lead_b, last_b) = b.split_at(b.len() - 2);
    if last_a[1] != last_b[0] {
        return Err(refuse(format!(
            "shapes {a:?} and {b:?} do not multiply: {} against {}",
            last_a[1], last_b[0]
        )));
    }
    let mut shape = broadcast(lead_a, lead_b)?;
    shape.extend([last_a[0], last_b[1]]);
    Ok(shape)
}
