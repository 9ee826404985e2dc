//! What is computed element by element; operands are expanded to their common shape first.

use hecc_grammar::model::{Const, Function, Op, Quantizer, Tensor};
use ndarray::{ArrayD, IxDyn};

use super::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::shape::broadcast;

impl Builder {
    pub(in crate::onnx) fn expand(
        &mut self,
        x: Tensor,
        shape: Vec<usize>,
    ) -> Result<Tensor, Refused> {
        if broadcast(self.model.shape(x), &shape)? != shape {
            let found = self.model.shape(x);
            return Err(refuse(format!("shape {found:?} does not broadcast to {shape:?}")));
        }
        if self.model.shape(x) == shape {
            return Ok(x);
        }
        self.push(Op::Expand(x), shape)
    }

    pub(in crate::onnx) fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor, Refused> {
        self.of_two(a, b, Op::Add)
    }

    pub(in crate::onnx) fn mul(&mut self, a: Tensor, b: Tensor) -> Result<Tensor, Refused> {
        self.of_two(a, b, Op::Mul)
    }

    pub(in crate::onnx) fn add_const(
        &mut self,
        x: Tensor,
        c: ArrayD<f64>,
    ) -> Result<Tensor, Refused> {
        self.with_const(x, c, Op::AddConst)
    }

    pub(in crate::onnx) fn mul_const(
        &mut self,
        x: Tensor,
        c: ArrayD<f64>,
    ) -> Result<Tensor, Refused> {
        self.with_const(x, c, Op::MulConst)
    }

    /// An operation on two tensors that broadcast to one shape.
    fn of_two(
        &mut self,
        a: Tensor,
        b: Tensor,
        op: fn(Tensor, Tensor) -> Op,
    ) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(a), self.model.shape(b))?;
        let (a, b) = (self.expand(a, shape.clone())?, self.expand(b, shape.clone())?);
        self.push(op(a, b), shape)
    }

    /// An operation on a tensor and numbers that broadcast to one shape.
    fn with_const(
        &mut self,
        x: Tensor,
        c: ArrayD<f64>,
        op: fn(Tensor, Const) -> Op,
    ) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(x), c.shape())?;
        let x = self.expand(x, shape.clone())?;
        let c = self.constant(c)?;
        self.push(op(x, c), shape)
    }

    /// Multiplies by one number.
    pub(in crate::onnx) fn scale(&mut self, x: Tensor, factor: f64) -> Result<Tensor, Refused> {
        self.mul_const(x, ArrayD::from_elem(IxDyn(&[]), factor))
    }

    pub(in crate::onnx) fn negate(&mut self, x: Tensor) -> Result<Tensor, Refused> {
        self.scale(x, -1.0)
    }

    pub(in crate::onnx) fn activation(
        &mut self,
        x: Tensor,
        function: Function,
    ) -> Result<Tensor, Refused> {
        let shape = self.shape(x);
        self.push(Op::Activation { x, function }, shape)
    }

    /// Multiplies by scales that broadcast to the shape of `x`, unless all are 1.
    pub(in crate::onnx) fn scaled(
        &mut self,
        x: Tensor,
        scale: Option<ArrayD<f64>>,
    ) -> Result<Tensor, Refused> {
        match scale {
            Some(scale) if scale.iter().all(|&v| v == 1.0) => Ok(x),
            Some(scale) if scale.len() == 1 => self.scale(x, scale.sum()),
            Some(scale) => self.mul_const(x, scale),
            None => Ok(x),
        }
    }

    /// Rounds to a grid. What is on that grid stays as it is, and what was asked for before is the same tensor.
    pub(in crate::onnx) fn fake_quant(
        &mut self,
        x: Tensor,
        quantizer: Quantizer,
    ) -> Result<Tensor, Refused> {
        quantizer.check().map_err(|error| refuse(error.to_string()))?;
        if self.is_on_grid(x, quantizer) {
            return Ok(x);
        }
        let op = Op::FakeQuant { x, quantizer };
        if let Some((same, _)) = self.model.tensors().find(|(_, node)| node.op == op) {
            return Ok(same);
        }
        let shape = self.shape(x);
        self.push(op, shape)
    }

    /// Whether `x` was rounded to the same grid and at most moved since.
    fn is_on_grid(&self, mut x: Tensor, grid: Quantizer) -> bool {
        while let Op::Reshape(y) | Op::Transpose { x: y, .. } | Op::Slice { x: y, .. } =
            self.model.node(x).op
        {
            x = y;
        }
        matches!(self.model.node(x).op, Op::FakeQuant { quantizer, .. } if quantizer == grid)
    }
}
