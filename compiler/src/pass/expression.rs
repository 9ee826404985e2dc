//! Tensors as affine functions of graph steps: what runs of linear operators are joined into.

use std::collections::BTreeMap;

use crate::graph::NodeId;
use crate::linear::LinearMap;

/// `Σ map · step + bias`.
#[derive(Clone)]
pub(super) struct Expression {
    pub(super) terms: BTreeMap<NodeId, LinearMap>,
    pub(super) bias: Vec<f64>,
    /// The operators that are joined in it.
    pub(super) names: Vec<String>,
}

impl Expression {
    /// A bias alone.
    pub(super) fn constant(bias: Vec<f64>) -> Expression {
        Expression { terms: BTreeMap::new(), bias, names: vec![] }
    }

    /// The result of a step, of some shape, as a tensor of another.
    pub(super) fn of_step(id: NodeId, shape: &[usize], tensor: &[usize]) -> Expression {
        let map = LinearMap::reshape(shape, tensor);
        let bias = vec![0.0; map.n_rows()];
        Expression { terms: [(id, map)].into(), ..Expression::constant(bias) }
    }

    /// The step whose result this is, if it is nothing more.
    pub(super) fn step(&self) -> Option<NodeId> {
        let (&id, map) = self.terms.iter().next()?;
        let is_it =
            self.terms.len() == 1 && self.bias.iter().all(|&b| b == 0.0) && map.is_identity();
        is_it.then_some(id)
    }

    /// Whether it is more than a rearrangement of one step's elements.
    pub(super) fn is_computed(&self) -> bool {
        self.terms.len() != 1 || !self.terms.values().all(LinearMap::is_selection)
    }

    /// Adds a map of what another expression is of its steps.
    pub(super) fn add_terms(&mut self, map: &LinearMap, inner: &Expression) {
        for (&source, own) in &inner.terms {
            let composed = map.after(own);
            let sum = match self.terms.get(&source) {
                Some(existing) => existing.plus(&composed),
                None => composed,
            };
            self.terms.insert(source, sum);
        }
    }

    /// Adds a map of another expression's bias.
    pub(super) fn add_bias(&mut self, map: &LinearMap, inner: &Expression) {
        let shift = map.apply(&inner.bias);
        self.bias.iter_mut().zip(shift).for_each(|(b, s)| *b += s);
    }

    /// Joins the operators of another expression.
    pub(super) fn add_names(&mut self, inner: &Expression) {
        for name in &inner.names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
    }

    /// Joins one more operator.
    pub(super) fn add_name(&mut self, name: &str) {
        if self.names.last().is_none_or(|last| last != name) {
            self.names.push(name.to_owned());
        }
    }

    /// The name of the step that it becomes.
    pub(super) fn name(&self) -> String {
        self.names.join(" + ")
    }
}
