//! Networks with units in another order, or without some.

use hecc_grammar::model::{Const, Model, Op, Tensor};
use hecc_grammar::plan::{Plan, Runs};
use ndarray::{ArrayD, Axis};

use crate::graph::Node;
use crate::passes::{Artifact, Made};

use super::axes::{Along, Axes};

/// For each axis, the unit at each place; units that are nowhere are left out.
pub(crate) type Orders = Vec<Vec<u32>>;

/// A network whose tensors hold elements of a given network's, which has the same nodes.
#[derive(Clone, Debug)]
pub(crate) struct Rearranged {
    pub(crate) model: Model,
    /// For each tensor, which of the given elements it holds; `None` for all of them in order.
    elements: Vec<Option<Vec<u32>>>,
    /// For each tensor, how many there were.
    n_given: Vec<usize>,
}

impl Rearranged {
    /// A network with units in these orders.
    pub(crate) fn new(model: &Model, axes: &Axes, orders: &Orders) -> Rearranged {
        let of_tensor = |(tensor, _)| elements(model, axes, tensor, orders);
        Rearranged {
            model: rewritten(model, axes, orders),
            elements: model.tensors().map(of_tensor).collect(),
            n_given: model.nodes.iter().map(|node| node.shape.iter().product()).collect(),
        }
    }

    /// The same, where the network that was given was itself made of another one, `before`.
    pub(crate) fn after(self, before: &Rearranged) -> Rearranged {
        let join = |(own, before): (Option<Vec<u32>>, &Option<Vec<u32>>)| match (own, before) {
            (own, None) => own,
            (None, Some(before)) => Some(before.clone()),
            (Some(own), Some(before)) => {
                Some(own.into_iter().map(|element| before[element as usize]).collect())
            }
        };
        let elements = self.elements.into_iter().zip(&before.elements).map(join).collect();
        Rearranged { model: self.model, elements, n_given: before.n_given.clone() }
    }

    /// Makes the layers of a plan of this network, of which each is of a node, name the elements of the network that was given.
    /// Layers that do not hold all of them are no tensors of it.
    pub(crate) fn name_as_given(&self, plan: &mut Plan, nodes: &[&Node]) {
        for (layer, node) in plan.layers.iter_mut().zip(nodes) {
            let tensor = node.tensor.index();
            let Some(elements) = &self.elements[tensor] else { continue };
            if elements.len() < self.n_given[tensor] {
                layer.tensor = None;
                continue;
            }
            for (_, runs) in &mut layer.slots {
                let given = |(slot, element): (u32, u32)| (slot, elements[element as usize]);
                let pairs: Vec<(u32, u32)> = runs.pairs().into_iter().map(given).collect();
                *runs = Runs::from_pairs(&pairs);
            }
        }
    }
}

impl Artifact for Option<Rearranged> {
    fn made(&self) -> Option<Made<'_>> {
        self.as_ref().map(|rearranged| Made::Model(&rearranged.model))
    }
}

fn rewritten(model: &Model, axes: &Axes, orders: &Orders) -> Model {
    let mut new = model.clone();
    let mut uses = vec![0; model.constants.len()];
    let all = model.nodes.iter().flat_map(|node| node.op.constants());
    all.for_each(|constant| uses[constant.index()] += 1);
    for (tensor, node) in model.tensors() {
        for (position, (constant, dimensions)) in of_constants(model, axes, tensor).enumerate() {
            if dimensions.iter().all(Option::is_none) {
                continue;
            }
            let array = reordered(model.array(constant), &dimensions, orders);
            if uses[constant.index()] == 1 {
                new.constants[constant.index()] = array;
                continue;
            }
            let own = new.constant(array);
            *new.nodes[tensor.index()].op.constants_mut()[position] = own;
        }
        let own = &mut new.nodes[tensor.index()];
        for (dim, n) in own.shape.iter_mut().enumerate() {
            *n = axes
                .along(tensor, dim)
                .map_or(*n, |Along { axis, block }| orders[axis].len() * block);
        }
        // A convolution of each channel by itself has as many groups as channels.
        if let Op::Conv { groups, .. } = &mut own.op
            && *groups > 1
            && *groups == node.shape[1]
        {
            *groups = own.shape[1];
        }
    }
    new
}

/// For each element of a tensor of the rewritten model, the element of the tensor as it was; `None` if they are the same.
fn elements(model: &Model, axes: &Axes, tensor: Tensor, orders: &Orders) -> Option<Vec<u32>> {
    let shape = model.shape(tensor);
    let dimensions: Vec<_> = (0..shape.len()).map(|dim| axes.along(tensor, dim)).collect();
    if dimensions.iter().all(Option::is_none) {
        return None;
    }
    let mut elements = vec![0];
    for (&n, along) in shape.iter().zip(dimensions) {
        let sources = sources(n, along, orders);
        let inner = |element: u32| sources.iter().map(move |i| element * n as u32 + *i as u32);
        elements = elements.into_iter().flat_map(inner).collect();
    }
    Some(elements)
}

/// The constants of a node, in order, and what each of their dimensions follows.
fn of_constants<'a>(
    model: &'a Model,
    axes: &'a Axes,
    tensor: Tensor,
) -> impl Iterator<Item = (Const, Vec<Option<Along>>)> + 'a {
    let op = &model.node(tensor).op;
    let of_constant = move |(position, constant): (usize, Const)| {
        let shape = model.array(constant).shape();
        let along = |dim: usize| match op {
            Op::Conv { .. } if position > 0 || dim == 0 => axes.along(tensor, 1),
            Op::Conv { x, groups: 1, .. } if dim == 1 => axes.along(*x, 1),
            Op::MatMul { x, .. } if shape.len() == 2 && dim == 0 => {
                axes.along(*x, model.shape(*x).len() - 1)
            }
            Op::MatMul { .. } if shape.len() == 2 => {
                axes.along(tensor, model.shape(tensor).len() - 1)
            }
            Op::AddConst(..) | Op::MulConst(..) if shape[dim] > 1 => {
                axes.along(tensor, model.shape(tensor).len() - shape.len() + dim)
            }
            Op::ChannelPolynomials { .. } if dim == 0 && shape[0] > 1 => axes.along(tensor, 1),
            Op::Conv { .. }
            | Op::MatMul { .. }
            | Op::AddConst(..)
            | Op::MulConst(..)
            | Op::ChannelPolynomials { .. }
            | Op::Input
            | Op::AveragePool { .. }
            | Op::MatMulLeft { .. }
            | Op::Add(..)
            | Op::Mul(..)
            | Op::Expand(_)
            | Op::Sum { .. }
            | Op::Reshape(_)
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Concat { .. }
            | Op::Activation { .. }
            | Op::Polynomial { .. }
            | Op::Sine { .. }
            | Op::FakeQuant { .. } => None,
        };
        (constant, (0..shape.len()).map(along).collect())
    };
    op.constants().into_iter().enumerate().map(of_constant)
}

fn reordered(array: &ArrayD<f64>, dimensions: &[Option<Along>], orders: &Orders) -> ArrayD<f64> {
    let mut array = array.clone();
    for (dim, along) in dimensions.iter().enumerate().filter(|(_, along)| along.is_some()) {
        let sources = sources(array.shape()[dim], *along, orders);
        array = array.select(Axis(dim), &sources).as_standard_layout().into_owned();
    }
    array
}

/// For each index along a dimension, the index that it was.
fn sources(n: usize, along: Option<Along>, orders: &Orders) -> Vec<usize> {
    let Some(Along { axis, block }) = along else { return (0..n).collect() };
    let of_unit = |&unit: &u32| (0..block).map(move |within| unit as usize * block + within);
    orders[axis].iter().flat_map(of_unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret::run_all;

    /// Branches that meet, channels of their own, channels that are joined, flattened ones, and what is summed up.
    const MODEL: &str = r#"
model 1 "branches"
c0 : [4,2,3,3] = [NUMBERS72]
c1 : [4] = [1, -2, 0.5, 3]
c2 : [4,1,3,3] = [NUMBERS36]
c3 : [1,4,1,1] = [0.5, 2, -1, 1.5]
c4 : [4,4,1,1] = [NUMBERS16]
c5 : [16,6] = [NUMBERS96]
c6 : [6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
c7 : [6,3] = [NUMBERS18]
c8 : [4,3] = [0.5,1,0.25, 1,0,0.5, 0.1,0.2,0.3, 0.7,0.8,0.9]
t0 = input : [1,2,4,4] "x"
t1 = conv t0, c0, c1 strides=[1,1] pads_begin=[1,1] pads_end=[1,1] dilations=[1,1] groups=1 : [1,4,4,4] "conv"
t2 = conv t1, c2 strides=[1,1] pads_begin=[1,1] pads_end=[1,1] dilations=[1,1] groups=4 : [1,4,4,4] "depthwise"
t3 = mul t2, c3 : [1,4,4,4] "scaled"
t4 = polynomials t3, c8 : [1,4,4,4] "polynomials"
t5 = conv t4, c4 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,4,4,4] "pointwise"
t6 = add t5, t1 : [1,4,4,4] "residual"
t7 = average_pool t6 kernel=[2,2] strides=[2,2] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] count_include_pad=false : [1,4,2,2] "pool"
t8 = reshape t7 : [1,16] "flatten"
t9 = matmul t8, c5 : [1,6] "dense"
t10 = add t9, c6 : [1,6] "dense"
t11 = mul t10, t10 : [1,6] "square"
t12 = matmul t11, c7 : [1,3] "last"
t13 = concat t12, t11 axis=1 : [1,9] "joined"
output "y" t12
"#;

    fn model(is_joined: bool) -> Model {
        let mut text = MODEL.to_owned();
        for n in [72, 36, 16, 96, 18] {
            let numbers: Vec<String> =
                (0..n).map(|i| format!("{}", ((i * 37 + n) % 23) as f64 / 8.0 - 1.3)).collect();
            text = text.replace(&format!("NUMBERS{n}]"), &format!("{}]", numbers.join(",")));
        }
        if !is_joined {
            text =
                text.lines().filter(|line| !line.starts_with("t13")).collect::<Vec<_>>().join("\n");
        }
        text.parse().expect("the text is a model")
    }

    #[test]
    fn results_do_not_depend_on_the_order_of_units() {
        let model = model(false);
        let axes = Axes::of(&model);
        // The channels of all convolutions, which the residual joins, and the units of the first matrix.
        assert_eq!(axes.sizes, [4, 6]);
        let orders = vec![vec![2, 0, 3, 1], vec![5, 3, 0, 1, 4, 2]];
        let Rearranged { model: other, elements, .. } = Rearranged::new(&model, &axes, &orders);
        other.verify().expect("it is a model");
        let image =
            ArrayD::from_shape_fn(vec![1, 2, 4, 4], |i| ((i[1] * 16 + i[2] * 4 + i[3]) % 7) as f64);
        let run = |model: &Model| run_all(model, std::slice::from_ref(&image)).expect("it runs");
        let n_moved = elements.iter().flatten().count();
        assert_eq!(n_moved, 11);
        for ((given, found), elements) in run(&model).iter().zip(run(&other)).zip(elements) {
            let given: Vec<f64> = given.iter().copied().collect();
            for (i, found) in found.iter().enumerate() {
                let own = elements.as_ref().map_or(i, |elements| elements[i] as usize);
                assert!((found - given[own]).abs() <= 1e-12 * given[own].abs().max(1.0));
            }
        }
    }

    #[test]
    fn what_is_joined_stays_in_place() {
        assert_eq!(Axes::of(&model(true)).sizes, [4]);
    }
}
