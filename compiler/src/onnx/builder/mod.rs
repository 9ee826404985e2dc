//! Appends nodes to a model and computes their shapes: the only place of the importer that does.

mod elementwise;
mod moves;
mod products;

use std::collections::BTreeSet;

use hecc_grammar::model::{Const, Model, Op, Tensor};
use ndarray::ArrayD;

use super::error::{Refused, refuse};
use super::finite;
use super::shape;
use super::value::Constant;

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
            shape::encrypted(&shape)?;
        }
        Ok(self.model.push(op, &self.name, shape))
    }

    /// The shape of a tensor, owned so that the model can grow meanwhile.
    pub(super) fn shape(&self, x: Tensor) -> Vec<usize> {
        self.model.shape(x).to_vec()
    }
}
