//! Many images through a model, all of them one node at a time.

use hecc_grammar::model::{Model, Tensor};
use ndarray::ArrayD;
use rayon::prelude::*;

use super::{InterpretError, images, node};

/// Images that have come as far as the same node. Values are kept until their last use.
pub struct Lockstep<'m> {
    model: &'m Model,
    images: Vec<Image>,
    last_uses: Vec<usize>,
}

struct Image {
    inputs: Vec<ArrayD<f64>>,
    /// Of the nodes so far; empty where nothing reads them any more.
    values: Vec<ArrayD<f64>>,
}

impl<'m> Lockstep<'m> {
    /// Before the first node.
    ///
    /// # Errors
    /// If the inputs do not fit the model.
    pub fn new(model: &'m Model, inputs: &[ArrayD<f64>]) -> Result<Lockstep<'m>, InterpretError> {
        let images = images(model, inputs)?;
        let images = images.into_iter().map(|inputs| Image { inputs, values: vec![] }).collect();
        Ok(Lockstep { model, images, last_uses: last_uses(model) })
    }

    /// Computes the next node, as the model says.
    pub fn step(&mut self) {
        self.step_in(self.model);
    }

    /// Computes the next node, as another model says that has the same nodes with other constants.
    pub fn step_in(&mut self, other: &Model) {
        self.advance(|_, tensor, values, inputs| {
            let n_before = other.inputs().take_while(|(input, _)| *input < tensor).count();
            let value = |t: Tensor| &values[t.index()];
            node::evaluate(other, other.node(tensor), value, &mut inputs[n_before..].iter())
        });
    }

    /// Computes the next node, a function of the value of `x`, as told.
    pub fn step_as(&mut self, x: Tensor, f: impl Fn(&ArrayD<f64>) -> ArrayD<f64> + Sync) {
        self.advance(|_, _, values, _| f(&values[x.index()]));
    }

    /// For each image the value of a node, which is still to be read.
    pub fn values(&self, tensor: Tensor) -> impl Iterator<Item = &ArrayD<f64>> {
        self.images.iter().map(move |image| &image.values[tensor.index()])
    }

    fn advance(
        &mut self,
        value: impl Fn(&Model, Tensor, &[ArrayD<f64>], &[ArrayD<f64>]) -> ArrayD<f64> + Sync,
    ) {
        let (model, last_uses) = (self.model, &self.last_uses);
        self.images.par_iter_mut().for_each(|Image { inputs, values }| {
            let tensor = Tensor(values.len() as u32);
            values.push(value(model, tensor, values, inputs));
            for operand in model.node(tensor).op.operands() {
                if last_uses[operand.index()] == tensor.index() {
                    values[operand.index()] = ArrayD::zeros(vec![0]);
                }
            }
        });
    }
}

/// How many numbers of one image exist at a time, at most.
pub fn most_alive(model: &Model) -> usize {
    let last_uses = last_uses(model);
    let (mut alive, mut most) = (0, 0);
    for (tensor, node) in model.tensors() {
        alive += node.shape.iter().product::<usize>();
        most = most.max(alive);
        let mut operands = node.op.operands();
        operands.sort_unstable();
        operands.dedup();
        for operand in operands.into_iter().filter(|x| last_uses[x.index()] == tensor.index()) {
            alive -= model.shape(operand).iter().product::<usize>();
        }
    }
    most
}

/// The last node that reads each; past the end for outputs and what nothing reads.
fn last_uses(model: &Model) -> Vec<usize> {
    let mut last_uses = vec![model.nodes.len(); model.nodes.len()];
    for (tensor, node) in model.tensors() {
        node.op.operands().iter().for_each(|x| last_uses[x.index()] = tensor.index());
    }
    model.outputs.iter().for_each(|output| last_uses[output.tensor.index()] = model.nodes.len());
    last_uses
}
