//! Evaluates a model on cleartext in f64: the reference that every later stage is compared with.
//!
//! A model also takes `B` images at once: it runs on each, in parallel. `B` stands in place of an input's first dimension
//! where that is 1, else before its shape.

mod convolve;
mod lockstep;
mod node;
mod reorder;

use hecc_grammar::model::{Model, Node, Output, Tensor, apply_client_ops};
use ndarray::{ArrayD, Axis, Slice};
use rayon::prelude::*;

pub(crate) use convolve::Grid;
pub use lockstep::{Lockstep, most_alive};

/// Why a model cannot run on the arrays given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterpretError {
    /// The number of arrays is not the number of inputs.
    #[error("the model has {expected} inputs, got {found} arrays")]
    Inputs {
        /// Arrays given.
        found: usize,
        /// Inputs of the model.
        expected: usize,
    },
    /// An array has a shape that the input does not take.
    #[error(
        "input `{name}`: shape {found:?}, expected {expected:?} (or a batch of these in front)"
    )]
    Shape {
        /// Name of the input.
        name: String,
        /// Shape of the array.
        found: Vec<usize>,
        /// Shape of the input.
        expected: Vec<usize>,
    },
    /// A value is no number that can be computed with.
    #[error(
        "after node `{name}` values are infinite or not numbers: weights or inputs are too large"
    )]
    NotFinite {
        /// Name of the node.
        name: String,
    },
    /// Two arrays hold different numbers of images.
    #[error("input `{name}`: {found} images, but the first input has {expected}")]
    Batch {
        /// Name of the input.
        name: String,
        /// Images in the array.
        found: usize,
        /// Images in the first array.
        expected: usize,
    },
}

/// Returns the outputs, before what is left to the client ([`Output::client`], [`apply_client_ops`]).
///
/// The arrays have the shapes of the model's inputs, in order, or hold `B` images each (see above); so do the outputs
/// then.
///
/// # Errors
/// If the arrays do not fit, or values become infinite or no numbers.
pub fn run(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>, InterpretError> {
    outputs(model, inputs, |_, x| x)
}

/// As [`run`], then applies what is left to the client: what a user of the network sees.
///
/// # Errors
/// Those of [`run`].
pub fn run_with_client(
    model: &Model,
    inputs: &[ArrayD<f64>],
) -> Result<Vec<ArrayD<f64>>, InterpretError> {
    outputs(model, inputs, |output, x| apply_client_ops(&output.client, x))
}

/// What `map` makes of every image's outputs, those of a batch in one array.
fn outputs(
    model: &Model,
    inputs: &[ArrayD<f64>],
    map: impl Fn(&Output, ArrayD<f64>) -> ArrayD<f64> + Sync,
) -> Result<Vec<ArrayD<f64>>, InterpretError> {
    let images = images(model, inputs)?;
    let one = |image: &Vec<ArrayD<f64>>| -> Vec<ArrayD<f64>> {
        let values = values(model, image);
        let outputs = model.outputs.iter();
        outputs.map(|output| map(output, values[output.tensor.index()].clone())).collect()
    };
    let mut results: Vec<Vec<ArrayD<f64>>> = images.par_iter().map(one).collect();
    if results.len() == 1 {
        return Ok(results.remove(0));
    }
    let stacked = (0..model.outputs.len()).map(|i| {
        let views: Vec<_> = results.iter().map(|outputs| outputs[i].view()).collect();
        // An output without a batch dimension gets one, so that no image's result is lost.
        let has_batch = views[0].ndim() > 0 && views[0].shape()[0] == 1;
        let joined = if has_batch {
            ndarray::concatenate(Axis(0), &views)
        } else {
            ndarray::stack(Axis(0), &views)
        };
        joined.expect("the model gives every image's result one shape")
    });
    Ok(stacked.collect())
}

/// Returns every node's value, for one image.
///
/// # Errors
/// Those of [`run`].
pub fn run_all(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>, InterpretError> {
    let mut images = images(model, inputs)?;
    match images.len() {
        1 => Ok(values(model, &images.remove(0))),
        found => Err(InterpretError::Batch { name: input_name(model, 0), found, expected: 1 }),
    }
}

/// Calls `visit` with every image's number and the values of all nodes on it, from several threads at once; returns
/// the results in the images' order. What calibration uses: only a few images' values exist at a time.
///
/// # Errors
/// Those of [`run`].
pub fn visit<T: Send>(
    model: &Model,
    inputs: &[ArrayD<f64>],
    visit: impl Fn(usize, &[ArrayD<f64>]) -> T + Sync,
) -> Result<Vec<T>, InterpretError> {
    let images = images(model, inputs)?;
    let visit_one = |(i, image): (usize, &Vec<ArrayD<f64>>)| visit(i, &values(model, image));
    Ok(images.par_iter().enumerate().map(visit_one).collect())
}

/// Returns the outputs if `changed` had the value `value`, for one image whose other values are known: only what
/// depends on it is computed again.
pub fn resume(
    model: &Model,
    values: &[ArrayD<f64>],
    changed: Tensor,
    value: ArrayD<f64>,
) -> Vec<ArrayD<f64>> {
    let mut anew: Vec<Option<ArrayD<f64>>> = vec![None; values.len()];
    anew[changed.index()] = Some(value);
    for (tensor, node) in model.tensors().skip(changed.index() + 1) {
        if node.op.operands().iter().any(|operand| anew[operand.index()].is_some()) {
            let value = |t: Tensor| anew[t.index()].as_ref().unwrap_or(&values[t.index()]);
            anew[tensor.index()] =
                Some(node::evaluate(model, node, value, &mut std::iter::empty()));
        }
    }
    let output = |o: &Output| anew[o.tensor.index()].as_ref().unwrap_or(&values[o.tensor.index()]);
    model.outputs.iter().map(|o| output(o).clone()).collect()
}

/// Splits the arrays into what one run of the model takes.
fn images(model: &Model, inputs: &[ArrayD<f64>]) -> Result<Vec<Vec<ArrayD<f64>>>, InterpretError> {
    let nodes: Vec<&Node> = model.inputs().map(|(_, node)| node).collect();
    if nodes.len() != inputs.len() {
        return Err(InterpretError::Inputs { found: inputs.len(), expected: nodes.len() });
    }
    if nodes.iter().zip(inputs).all(|(node, array)| node.shape == array.shape()) {
        return Ok(vec![inputs.to_vec()]);
    }
    let mut count = None;
    for (node, array) in nodes.iter().zip(inputs) {
        if !takes_first(node, array) && array.shape().get(1..) != Some(&node.shape[..]) {
            let (found, expected) = (array.shape().to_vec(), node.shape.clone());
            return Err(InterpretError::Shape { name: node.name.clone(), found, expected });
        }
        let (found, expected) = (array.shape()[0], *count.get_or_insert(array.shape()[0]));
        if found != expected {
            return Err(InterpretError::Batch { name: node.name.clone(), found, expected });
        }
    }
    let part = |(node, x): (&&Node, &ArrayD<f64>), i: usize| match takes_first(node, x) {
        true => x.slice_axis(Axis(0), Slice::from(i..i + 1)).to_owned(),
        false => x.index_axis(Axis(0), i).to_owned(),
    };
    let image = |i: usize| nodes.iter().zip(inputs).map(|pair| part(pair, i)).collect();
    Ok((0..count.unwrap_or(1)).map(image).collect())
}

/// Whether the number of images stands in place of the input's first dimension, a 1, and not before its shape.
fn takes_first(node: &Node, array: &ArrayD<f64>) -> bool {
    node.shape.first() == Some(&1)
        && array.ndim() == node.shape.len()
        && array.shape()[1..] == node.shape[1..]
}

fn values(model: &Model, inputs: &[ArrayD<f64>]) -> Vec<ArrayD<f64>> {
    let mut inputs = inputs.iter();
    let mut values: Vec<ArrayD<f64>> = Vec::with_capacity(model.nodes.len());
    for (_, node) in model.tensors() {
        let value = node::evaluate(model, node, |t| &values[t.index()], &mut inputs);
        debug_assert_eq!(value.shape(), node.shape, "{node:?}");
        values.push(value);
    }
    values
}

fn input_name(model: &Model, i: usize) -> String {
    model.inputs().nth(i).map_or_else(String::new, |(_, node)| node.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::model::{ClientOp, Op};
    use ndarray::array;

    /// `relu`-free model: `y = 2·x` with a softmax for the client.
    fn double() -> Model {
        let mut model = Model::default();
        let x = model.push(Op::Input, "x", vec![1, 2]);
        let two = model.constant(array![2.0].into_dyn());
        let y = model.push(Op::MulConst(x, two), "y", vec![1, 2]);
        let client = vec![ClientOp::ArgMax { axis: 1, keepdims: false }];
        model.outputs.push(Output { name: "y".to_owned(), tensor: y, client });
        model
    }

    #[test]
    fn images_of_a_batch_run_apart() {
        let x = array![[1.0, 2.0], [4.0, 3.0], [5.0, 6.0]].into_dyn();
        let y = run(&double(), std::slice::from_ref(&x)).unwrap();
        assert_eq!(y, [array![[2.0, 4.0], [8.0, 6.0], [10.0, 12.0]].into_dyn()]);
        assert_eq!(run_with_client(&double(), &[x]).unwrap(), [array![1.0, 0.0, 1.0].into_dyn()]);
    }

    #[test]
    fn inputs_without_a_batch_take_several_images() {
        let mut model = double();
        for node in &mut model.nodes {
            node.shape = vec![2];
        }
        let x = array![[1.0, 2.0], [4.0, 3.0], [5.0, 6.0]].into_dyn();
        assert_eq!(run(&model, std::slice::from_ref(&x)).unwrap(), [&x * 2.0]);
        for node in &mut model.nodes {
            node.shape = vec![];
        }
        model.constants[0] = ndarray::arr0(2.0).into_dyn();
        let x = array![1.0, 2.0].into_dyn();
        assert_eq!(run(&model, std::slice::from_ref(&x)).unwrap(), [&x * 2.0]);
    }

    #[test]
    fn visits_in_order() {
        let x = array![[1.0, 2.0], [4.0, 3.0]].into_dyn();
        let sums = visit(&double(), &[x], |i, values| (i, values[1].sum())).unwrap();
        assert_eq!(sums, [(0, 6.0), (1, 14.0)]);
    }

    #[test]
    fn wrong_arrays_are_refused() {
        let error = run(&double(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "the model has 1 inputs, got 0 arrays");
        let error = run(&double(), &[ArrayD::zeros(vec![2, 3])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "input `x`: shape [2, 3], expected [1, 2] (or a batch of these in front)"
        );
    }
}
