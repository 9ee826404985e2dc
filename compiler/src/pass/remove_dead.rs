//! Removes units and channels that nothing reads, and those that are the same for every input.
//!
//! Before: a model, as pruned. After: a model with the same results without them; `None` if there are none. All that reads a unit is
//! zero if the weights are by which it is multiplied. One whose own weights are zero is a number: what it adds to a layer goes into
//! that layer's bias, where there is one and it is the same for all pixels.

use hecc_grammar::model::{Const, Model, Op, Output, Tensor};
use ndarray::{ArrayD, ArrayView2, Axis};

use crate::interpret;
use crate::units::Weights;
use crate::units::{Along, Axes, Orders, Rearranged};

/// What becomes of units that are the same for every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constants {
    /// They become part of biases.
    Fold,
    /// They stay: biases are rounded, so sums with them would be.
    Keep,
}

/// Removes what does not matter.
pub(crate) fn remove_dead(model: &Model, constants: Constants) -> Option<Rearranged> {
    let axes = Axes::of(model);
    let mut folded = model.clone();
    while constants == Constants::Fold && fold_constant(&mut folded, &axes) {}
    let alive = alive(&folded, &axes);
    let has_dead = axes.sizes.iter().zip(&alive).any(|(&n, alive)| alive.len() < n);
    has_dead.then(|| Rearranged::new(&folded, &axes, &alive))
}

/// A layer whose weights mix units.
struct Mixing<'a> {
    tensor: Tensor,
    operand: Tensor,
    weights: Weights<'a>,
    /// What its result and its operand follow.
    sides: [Option<Along>; 2],
}

fn mixing<'a>(model: &'a Model, axes: &'a Axes) -> impl Iterator<Item = Mixing<'a>> {
    model.tensors().filter_map(|(tensor, node)| {
        let weights = Weights::of(model, tensor)?;
        let operand = node.op.operands()[0];
        let sides = [tensor, operand].map(|x| axes.along(x, weights.axis));
        Some(Mixing { tensor, operand, weights, sides })
    })
}

impl Mixing<'_> {
    /// Its weights that are not zero: the element of the result and the one of the operand along what they mix.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let (n_out, n_features) = self.weights.size;
        let matrix = ArrayView2::from_shape((n_out, n_features), &self.weights.matrix);
        let matrix = matrix.expect("a matrix of that size");
        let n_taps = self.weights.n_taps();
        let kept = matrix.indexed_iter().filter(|(_, weight)| **weight != 0.0);
        kept.map(|((o, feature), _)| (o, feature / n_taps)).collect::<Vec<_>>().into_iter()
    }
}

/// For each axis the units that results depend on, at least one.
fn alive(model: &Model, axes: &Axes) -> Orders {
    let mut alive: Vec<Vec<bool>> = axes.sizes.iter().map(|&n| vec![false; n]).collect();
    let layers: Vec<Mixing<'_>> = mixing(model, axes).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for layer in &layers {
            let [out, operand] = layer.sides;
            let Some(operand) = operand else { continue };
            for (o, i) in layer.pairs() {
                let is_read = out.is_none_or(|out| alive[out.axis][o / out.block]);
                let unit = &mut alive[operand.axis][i / operand.block];
                changed |= is_read && !*unit;
                *unit |= is_read;
            }
        }
    }
    let units = |alive: Vec<bool>| {
        let mut units: Vec<u32> =
            (0..).zip(alive).filter(|(_, alive)| *alive).map(|(unit, _)| unit).collect();
        if units.is_empty() {
            units.push(0);
        }
        units
    };
    alive.into_iter().map(units).collect()
}

/// For each axis, whether units are the same for every input: no weight of theirs is left.
fn constants(model: &Model, axes: &Axes) -> Vec<Vec<bool>> {
    let mut constant: Vec<Vec<bool>> = axes.sizes.iter().map(|&n| vec![true; n]).collect();
    for layer in mixing(model, axes) {
        if let Some(out) = layer.sides[0] {
            layer.pairs().for_each(|(o, _)| constant[out.axis][o / out.block] = false);
        }
    }
    constant
}

/// Moves what constant units add to one layer into its bias; whether there was any.
fn fold_constant(model: &mut Model, axes: &Axes) -> bool {
    let Some(changes) = folded(model, axes) else { return false };
    for (constant, array) in changes {
        model.constants[constant.index()] = array;
    }
    true
}

/// The bias of a layer with what constant units add, and the weights of the layer without them.
fn folded(model: &Model, axes: &Axes) -> Option<[(Const, ArrayD<f64>); 2]> {
    let constant = constants(model, axes);
    mixing(model, axes).find_map(|layer| {
        let operand = layer.sides[1]?;
        let is_constant = |i: usize| constant[operand.axis][i / operand.block];
        if !layer.pairs().any(|(_, i)| is_constant(i)) {
            return None;
        }
        let bias = bias_of(model, layer.tensor)?;
        let added = added(model, &layer, is_constant)?;
        let old = model.array(bias);
        let numbers = old.iter().zip(added).map(|(old, added)| old + added).collect();
        let new = ArrayD::from_shape_vec(old.shape(), numbers).expect("a number for each result");
        let without = without(model, &layer, is_constant);
        Some([(bias, new), (layer.weights.constant, without)])
    })
}

/// The constant with a number for each result of a layer that is added to them and to nothing else.
fn bias_of(model: &Model, tensor: Tensor) -> Option<Const> {
    let is_single = |constant: Const| {
        let all = model.nodes.iter().flat_map(|node| node.op.constants());
        all.filter(|other| *other == constant).count() == 1
    };
    let constants = model.node(tensor).op.constants();
    let bias = if let Op::Conv { bias, .. } = &model.node(tensor).op {
        (*bias)?
    } else {
        let mut readers = model.nodes.iter().filter(|node| node.op.operands().contains(&tensor));
        let (Some(reader), None) = (readers.next(), readers.next()) else { return None };
        let Op::AddConst(_, bias) = &reader.op else { return None };
        let is_output = model.outputs.iter().any(|output| output.tensor == tensor);
        let n = *model.shape(tensor).last()?;
        let shape = model.array(*bias).shape();
        (shape.last() == Some(&n) && shape.iter().product::<usize>() == n && !is_output)
            .then_some(*bias)?
    };
    (is_single(bias) && is_single(constants[0])).then_some(bias)
}

/// What units add to each result of a layer; `None` if that differs from pixel to pixel.
fn added(
    model: &Model,
    layer: &Mixing<'_>,
    is_constant: impl Fn(usize) -> bool,
) -> Option<Vec<f64>> {
    let zeros = model.inputs().map(|(_, node)| ArrayD::zeros(node.shape.clone()));
    let values = interpret::run_all(model, &zeros.collect::<Vec<_>>()).ok()?;
    let mut operand = values[layer.operand.index()].clone();
    for (i, mut lane) in operand.axis_iter_mut(Axis(layer.weights.axis)).enumerate() {
        if !is_constant(i) {
            lane.fill(0.0);
        }
    }
    let mut alone = Model::default();
    let input = alone.push(Op::Input, "x", operand.shape().to_vec());
    let mut op = model.node(layer.tensor).op.clone();
    op.operands_mut().into_iter().for_each(|x| *x = input);
    if let Op::Conv { bias, .. } = &mut op {
        *bias = None;
    }
    let weight = alone.constant(model.array(layer.weights.constant).clone());
    op.constants_mut().into_iter().for_each(|own| *own = weight);
    let tensor = alone.push(op, "y", model.shape(layer.tensor).to_vec());
    alone.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
    let result = interpret::run(&alone, &[operand]).ok()?.pop()?;
    let of_channel = |lane: ndarray::ArrayViewD<'_, f64>| {
        let first = *lane.iter().next()?;
        lane.iter().all(|&x| x == first).then_some(first)
    };
    result.axis_iter(Axis(layer.weights.axis)).map(of_channel).collect()
}

/// The weights of a layer without those of constant units.
fn without(model: &Model, layer: &Mixing<'_>, is_constant: impl Fn(usize) -> bool) -> ArrayD<f64> {
    let matrix = ArrayView2::from_shape(layer.weights.size, &layer.weights.matrix);
    let mut matrix = matrix.expect("a matrix of that size").to_owned();
    let n_taps = layer.weights.n_taps();
    for (feature, mut column) in matrix.columns_mut().into_iter().enumerate() {
        if is_constant(feature / n_taps) {
            column.fill(0.0);
        }
    }
    layer.weights.array(model, &matrix)
}
