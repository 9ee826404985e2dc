//! What moves elements and computes nothing.

use hecc_grammar::model::{Op, Tensor};
use ndarray::{ArrayD, IxDyn};

use super::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::finite;
use crate::onnx::shape;

impl Builder {
    pub(in crate::onnx) fn reshape(
        &mut self,
        x: Tensor,
        shape: Vec<usize>,
    ) -> Result<Tensor, Refused> {
        let (found, wanted) = (shape::count(self.model.shape(x))?, shape::count(&shape)?);
        if found != wanted {
            let from = self.model.shape(x);
            return Err(refuse(format!(
                "shape {from:?} has {found} elements, {shape:?} has {wanted}"
            )));
        }
        if self.model.shape(x) == shape {
            return Ok(x);
        }
        self.push(Op::Reshape(x), shape)
    }

    pub(in crate::onnx) fn transpose(
        &mut self,
        x: Tensor,
        perm: Vec<usize>,
    ) -> Result<Tensor, Refused> {
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            return Ok(x);
        }
        let shape = perm.iter().map(|&p| self.model.shape(x)[p]).collect();
        self.push(Op::Transpose { x, perm }, shape)
    }

    pub(in crate::onnx) fn gather(
        &mut self,
        x: Tensor,
        axis: usize,
        indices: Vec<usize>,
    ) -> Result<Tensor, Refused> {
        let mut shape = self.shape(x);
        shape[axis] = indices.len();
        self.push(Op::Gather { x, axis, indices }, shape)
    }

    /// Takes elements by their position in row-major order; there are as many as `shape` has.
    pub(in crate::onnx) fn pick(
        &mut self,
        x: Tensor,
        positions: Vec<usize>,
        shape: Vec<usize>,
    ) -> Result<Tensor, Refused> {
        let count = shape::count(self.model.shape(x))?;
        // A batch of one stays the first dimension.
        let flat =
            if self.model.shape(x).first() == Some(&1) { vec![1, count] } else { vec![count] };
        let axis = flat.len() - 1;
        let x = self.reshape(x, flat)?;
        let picked = if positions.iter().copied().eq(0..count) {
            x
        } else {
            self.gather(x, axis, positions)?
        };
        self.reshape(picked, shape)
    }

    pub(in crate::onnx) fn concat(
        &mut self,
        xs: Vec<Tensor>,
        axis: usize,
    ) -> Result<Tensor, Refused> {
        if let [only] = xs[..] {
            return Ok(only);
        }
        let mut shape = self.shape(xs[0]);
        shape[axis] = 0;
        for &x in &xs {
            let other = self.model.shape(x);
            let agrees = other.len() == shape.len()
                && (0..shape.len()).all(|d| d == axis || other[d] == shape[d]);
            if !agrees {
                let first = self.model.shape(xs[0]);
                return Err(refuse(format!(
                    "shapes {first:?} and {other:?} do not join along axis {axis}"
                )));
            }
            shape[axis] += other[axis];
        }
        self.push(Op::Concat { xs, axis }, shape)
    }

    /// Pads with `value`; see [`Op::Pad`].
    pub(in crate::onnx) fn pad(
        &mut self,
        x: Tensor,
        before: Vec<usize>,
        after: Vec<usize>,
        value: f64,
    ) -> Result<Tensor, Refused> {
        if before.iter().chain(&after).all(|&n| n == 0) {
            return Ok(x);
        }
        if !self.is_scratch() {
            finite::check(&ArrayD::from_elem(IxDyn(&[]), value))?;
        }
        let shape = self.model.shape(x).iter().zip(before.iter().zip(&after));
        let shape = shape.map(|(d, (b, a))| d.saturating_add(*b).saturating_add(*a)).collect();
        self.push(Op::Pad { x, before, after, value }, shape)
    }
}
