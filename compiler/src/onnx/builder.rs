//! Appends nodes to a model and computes their shapes: the only place of the importer that does.

use std::collections::BTreeSet;

use hecc_grammar::model::{Const, Function, Model, Op, Quantizer, Tensor};
use ndarray::{Array2, ArrayD, IxDyn};

use super::error::{Refused, refuse};
use super::finite;
use super::shape::{self, broadcast};
use super::value::Constant;
use super::weight::Weight;

/// Elements that constants may have in total, beyond twice those that the file stores.
///
/// It bounds what a small hostile file can ask for: `ConstantOfShape`, `Expand` and `Tile` create arrays of any size,
/// and a thousand nodes may each want a copy of the same weights.
const BUDGET: usize = 1 << 23;

/// Bytes of a name that nodes keep.
const MAX_NAME: usize = 256;

/// A model under construction.
pub(super) struct Builder {
    pub(super) model: Model,
    /// Constants that are integers because the network was trained so: nothing may be multiplied into them.
    pub(super) integers: BTreeSet<Const>,
    /// Name that new nodes get.
    name: String,
    /// In a scratch model: the arrays of its inputs, in order.
    bound: Option<Vec<ArrayD<f64>>>,
    budget: usize,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            model: Model::default(),
            integers: BTreeSet::new(),
            name: String::new(),
            bound: None,
            budget: BUDGET,
        }
    }

    /// Nodes appended from now on bear this name, or its beginning if it is very long: one node of the file may become
    /// many.
    pub(super) fn set_name(&mut self, name: &str) {
        let end = (0..=name.len().min(MAX_NAME)).rev().find(|&i| name.is_char_boundary(i));
        name[..end.unwrap_or(0)].clone_into(&mut self.name);
    }

    /// A model of its own for one node whose operands are all known, to be evaluated at once. It shares the budget.
    pub(super) fn scratch(&self) -> Builder {
        Builder {
            name: self.name.clone(),
            bound: Some(Vec::new()),
            budget: self.budget,
            ..Builder::new()
        }
    }

    /// Evaluates a scratch model's nodes and takes over what is left of its budget.
    pub(super) fn evaluate(&mut self, scratch: Builder) -> Result<Vec<ArrayD<f64>>, Refused> {
        self.budget = scratch.budget;
        let inputs = scratch.bound.unwrap_or_default();
        crate::interpret::run_all(&scratch.model, &inputs).map_err(|e| refuse(e.to_string()))
    }

    /// Whether this is a scratch model: every tensor is then a known array.
    pub(super) fn is_scratch(&self) -> bool {
        self.bound.is_some()
    }

    /// A known array as a tensor; only a scratch model has such.
    pub(super) fn bind(&mut self, constant: Constant) -> Result<Tensor, Refused> {
        let shape = constant.shape().to_vec();
        let Some(bound) = &mut self.bound else {
            return Err(refuse("an operand is a constant, expected an encrypted tensor"));
        };
        bound.push(constant.into_array());
        // Not counted against the budget: the array exists already.
        Ok(self.model.push(Op::Input, &self.name, shape))
    }

    /// Counts elements about to be created against the budget of constants.
    pub(super) fn spend(&mut self, elements: usize) -> Result<(), Refused> {
        let left = self.budget.checked_sub(elements);
        let reason = || {
            refuse(format!("constants would have more than {BUDGET} elements beyond the file's"))
        };
        self.budget = left.ok_or_else(reason)?;
        Ok(())
    }

    /// Adds to the budget what a stored constant holds, when it is first read.
    pub(super) fn earn(&mut self, elements: usize) {
        self.budget = self.budget.saturating_add(2 * elements);
    }

    /// Adds a constant to the model.
    pub(super) fn constant(&mut self, array: ArrayD<f64>) -> Result<Const, Refused> {
        self.spend(array.len())?;
        if !self.is_scratch() {
            finite::check(&array)?;
        }
        Ok(self.model.constant(array))
    }

    pub(super) fn push(&mut self, op: Op, shape: Vec<usize>) -> Result<Tensor, Refused> {
        if self.is_scratch() {
            // Exporters compute with empty lists; encrypted tensors have elements.
            self.spend(shape::count(&shape)?)?;
        } else {
            shape::elements(&shape)?;
        }
        Ok(self.model.push(op, &self.name, shape))
    }

    /// The shape of a tensor, owned so that the model can grow meanwhile.
    pub(super) fn shape(&self, x: Tensor) -> Vec<usize> {
        self.model.shape(x).to_vec()
    }

    pub(super) fn expand(&mut self, x: Tensor, shape: Vec<usize>) -> Result<Tensor, Refused> {
        if broadcast(self.model.shape(x), &shape)? != shape {
            let found = self.model.shape(x);
            return Err(refuse(format!("shape {found:?} does not broadcast to {shape:?}")));
        }
        if self.model.shape(x) == shape {
            return Ok(x);
        }
        self.push(Op::Expand(x), shape)
    }

    pub(super) fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(a), self.model.shape(b))?;
        let (a, b) = (self.expand(a, shape.clone())?, self.expand(b, shape.clone())?);
        self.push(Op::Add(a, b), shape)
    }

    pub(super) fn mul(&mut self, a: Tensor, b: Tensor) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(a), self.model.shape(b))?;
        let (a, b) = (self.expand(a, shape.clone())?, self.expand(b, shape.clone())?);
        self.push(Op::Mul(a, b), shape)
    }

    pub(super) fn add_const(&mut self, x: Tensor, c: ArrayD<f64>) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(x), c.shape())?;
        let x = self.expand(x, shape.clone())?;
        let c = self.constant(c)?;
        self.push(Op::AddConst(x, c), shape)
    }

    pub(super) fn mul_const(&mut self, x: Tensor, c: ArrayD<f64>) -> Result<Tensor, Refused> {
        let shape = broadcast(self.model.shape(x), c.shape())?;
        let x = self.expand(x, shape.clone())?;
        let c = self.constant(c)?;
        self.push(Op::MulConst(x, c), shape)
    }

    /// Multiplies by one number.
    pub(super) fn scale(&mut self, x: Tensor, factor: f64) -> Result<Tensor, Refused> {
        self.mul_const(x, ArrayD::from_elem(IxDyn(&[]), factor))
    }

    pub(super) fn negate(&mut self, x: Tensor) -> Result<Tensor, Refused> {
        self.scale(x, -1.0)
    }

    pub(super) fn activation(&mut self, x: Tensor, function: Function) -> Result<Tensor, Refused> {
        let shape = self.shape(x);
        self.push(Op::Activation { x, function }, shape)
    }

    pub(super) fn reshape(&mut self, x: Tensor, shape: Vec<usize>) -> Result<Tensor, Refused> {
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

    pub(super) fn transpose(&mut self, x: Tensor, perm: Vec<usize>) -> Result<Tensor, Refused> {
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            return Ok(x);
        }
        let shape = perm.iter().map(|&p| self.model.shape(x)[p]).collect();
        self.push(Op::Transpose { x, perm }, shape)
    }

    pub(super) fn sum(
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

    pub(super) fn gather(
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
    pub(super) fn pick(
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

    /// Multiplies every lane along `axis` by a matrix, `[from, to]`.
    pub(super) fn mat_mul_along(
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

    pub(super) fn concat(&mut self, xs: Vec<Tensor>, axis: usize) -> Result<Tensor, Refused> {
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
    pub(super) fn pad(
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

    /// Adds a factor's array to the model; its scale is for whoever asks to multiply the result by.
    pub(super) fn weight(&mut self, weight: Weight) -> Result<Const, Refused> {
        let constant = self.constant(weight.array)?;
        if weight.scale.is_some() {
            self.integers.insert(constant);
        }
        Ok(constant)
    }

    /// `x · weight`, as numpy's `matmul`; both have rank 2 or more. Scales are those of columns.
    pub(super) fn mat_mul(&mut self, x: Tensor, weight: Weight) -> Result<Tensor, Refused> {
        let shape = product_shape(self.model.shape(x), weight.array.shape())?;
        let scale = weight.scale.clone();
        let weight = self.weight(weight)?;
        let y = self.push(Op::MatMul { x, weight }, shape)?;
        self.scaled(y, scale)
    }

    /// `weight · x`, as numpy's `matmul`; both have rank 2 or more. Scales are those of rows.
    pub(super) fn mat_mul_left(&mut self, weight: Weight, x: Tensor) -> Result<Tensor, Refused> {
        let shape = product_shape(weight.array.shape(), self.model.shape(x))?;
        let scale = weight.scale.clone();
        let weight = self.weight(weight)?;
        let y = self.push(Op::MatMulLeft { weight, x }, shape)?;
        self.scaled(y, scale)
    }

    /// Multiplies by scales that broadcast to the shape of `x`, unless all are 1.
    pub(super) fn scaled(
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
    pub(super) fn fake_quant(
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
