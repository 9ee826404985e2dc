//! One node's value from its operands' values.

use std::f64::consts::PI;

use hecc_grammar::model::{Model, Node, Op, Polynomial, Tensor};
use ndarray::{ArrayD, ArrayViewD, Axis, Ix2, IxDyn, concatenate, linalg::general_mat_mul};

use super::convolve::{average_pool, conv};
use super::reorder::{gather, pad, slice};
use crate::poly::apply;

/// Returns the node's value. `value` gives those of the nodes before it; `inputs` yields the inputs in order.
///
/// Panics where the model breaks the rules of its operations, which an importer must not let happen.
pub(super) fn evaluate<'v, 'i>(
    model: &Model,
    node: &Node,
    value: impl Fn(Tensor) -> &'v ArrayD<f64>,
    inputs: &mut impl Iterator<Item = &'i ArrayD<f64>>,
) -> ArrayD<f64> {
    match &node.op {
        Op::Input => inputs.next().expect("images() counted the inputs").clone(),
        Op::Conv { x, weight, bias, window, groups } => {
            let bias = bias.map(|b| model.array(b));
            conv(value(*x), model.array(*weight), bias, window, *groups)
        }
        Op::AveragePool { x, kernel, window, count_include_pad } => {
            average_pool(value(*x), kernel, window, *count_include_pad)
        }
        Op::MatMul { x, weight } => {
            mat_mul(value(*x).view(), model.array(*weight).view(), &node.shape)
        }
        Op::MatMulLeft { weight, x } => {
            mat_mul(model.array(*weight).view(), value(*x).view(), &node.shape)
        }
        Op::Add(a, b) => value(*a) + value(*b),
        Op::Mul(a, b) => value(*a) * value(*b),
        Op::AddConst(x, c) => value(*x) + model.array(*c),
        Op::MulConst(x, c) => value(*x) * model.array(*c),
        Op::Expand(x) => {
            let view = value(*x).broadcast(IxDyn(&node.shape));
            view.expect("an Expand's shape is one that its operand broadcasts to").to_owned()
        }
        Op::Sum { x, axes, keepdims } => sum(value(*x), axes, *keepdims),
        Op::Reshape(x) => reshaped(value(*x).clone(), &node.shape),
        Op::Transpose { x, perm } => {
            value(*x).view().permuted_axes(IxDyn(perm)).as_standard_layout().into_owned()
        }
        Op::Slice { x, starts, steps } => slice(value(*x), starts, steps, &node.shape),
        Op::Pad { x, before, value: fill, .. } => pad(value(*x), before, *fill, &node.shape),
        Op::Gather { x, axis, indices } => gather(value(*x), *axis, indices),
        Op::Concat { xs, axis } => {
            let views: Vec<_> = xs.iter().map(|x| value(*x).view()).collect();
            let joined = concatenate(Axis(*axis), &views);
            joined.expect("a Concat's operands agree in all other dimensions")
        }
        Op::Activation { x, function } => value(*x).mapv(|v| function.eval(v)),
        Op::Polynomial { x, polynomial } => {
            let mut y = value(*x).clone();
            apply(polynomial, y.view_mut());
            y
        }
        Op::ChannelPolynomials { x, coefficients } => {
            channel_polynomials(value(*x), model.array(*coefficients))
        }
        Op::Sine { x, ratio } => value(*x).mapv(|v| (2.0 * PI * v / ratio).sin()),
        Op::FakeQuant { x, quantizer } => value(*x).mapv(|v| quantizer.apply(v)),
    }
}

/// Same elements in row-major order.
fn reshaped(x: ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    let standard = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
    standard.into_shape_with_order(shape).expect("a Reshape keeps the number of elements")
}

fn sum(x: &ArrayD<f64>, axes: &[usize], keepdims: bool) -> ArrayD<f64> {
    // From the last axis on, so that the numbers of the others hold.
    axes.iter().rev().fold(x.clone(), |x, &axis| {
        let sum = x.sum_axis(Axis(axis));
        if keepdims { sum.insert_axis(Axis(axis)) } else { sum }
    })
}

/// numpy's `matmul` for operands of rank 1 or more, of which not both have rank 1.
fn mat_mul(a: ArrayViewD<'_, f64>, b: ArrayViewD<'_, f64>, shape: &[usize]) -> ArrayD<f64> {
    let (a_vector, b_vector) = (a.ndim() == 1, b.ndim() == 1);
    let a = if a_vector { a.insert_axis(Axis(0)) } else { a };
    let b = if b_vector { b.insert_axis(Axis(1)) } else { b };
    let (rows, columns) = (a.shape()[a.ndim() - 2], b.shape()[b.ndim() - 1]);
    let drop = usize::from(a_vector) + usize::from(b_vector);
    let lead = shape[..(shape.len() + drop) - 2].to_vec();
    let with_matrix = |x: &ArrayViewD<'_, f64>| {
        let rank = x.ndim();
        [&lead[..], &x.shape()[rank - 2..]].concat()
    };
    let (a_shape, b_shape) = (with_matrix(&a), with_matrix(&b));
    let fits = "a product's leading dimensions broadcast";
    let (a, b) = (a.broadcast(a_shape).expect(fits), b.broadcast(b_shape).expect(fits));
    let mut out = ArrayD::zeros([&lead[..], &[rows, columns]].concat());
    let count: usize = lead.iter().product();
    for i in 0..count {
        let (a, b) = (matrix(a.view(), &lead, i), matrix(b.view(), &lead, i));
        let mut target = out.view_mut();
        for index in unravel(i, &lead) {
            target = target.index_axis_move(Axis(0), index);
        }
        let mut target = target.into_dimensionality::<Ix2>().expect("two dimensions are left");
        general_mat_mul(1.0, &a, &b, 0.0, &mut target);
    }
    reshaped(out, shape)
}

/// The `i`-th matrix of a stack.
fn matrix<'a>(
    mut stack: ArrayViewD<'a, f64>,
    lead: &[usize],
    i: usize,
) -> ndarray::ArrayView2<'a, f64> {
    for index in unravel(i, lead) {
        stack = stack.index_axis_move(Axis(0), index);
    }
    stack.into_dimensionality().expect("two dimensions are left")
}

fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, &extent) in index.iter_mut().zip(shape).rev() {
        *at = i % extent;
        i /= extent;
    }
    index
}

/// A polynomial for each channel: `coefficients` has a row for each.
fn channel_polynomials(x: &ArrayD<f64>, coefficients: &ArrayD<f64>) -> ArrayD<f64> {
    let mut y = x.clone();
    for (channel, coefficients) in y.axis_iter_mut(Axis(1)).zip(coefficients.outer_iter()) {
        let coefficients = coefficients.iter().copied().collect();
        apply(&Polynomial { lo: -1.0, hi: 1.0, coefficients }, channel);
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, array};

    #[test]
    fn matrix_products_broadcast() {
        let a = Array::from_iter((0..12).map(f64::from)).into_shape_with_order(vec![2, 1, 2, 3]);
        let b = Array::from_iter((0..9).map(f64::from)).into_shape_with_order(vec![3, 3, 1]);
        let (a, b) = (a.unwrap(), b.unwrap());
        let out = mat_mul(a.view(), b.view(), &[2, 3, 2, 1]);
        for (i, j, k) in [(0, 0, 0), (1, 2, 1), (1, 0, 0)] {
            let want: f64 = (0..3).map(|l| a[[i, 0, k, l]] * b[[j, l, 0]]).sum();
            assert_eq!(out[[i, j, k, 0]], want);
        }
        let vector = array![1.0, 1.0, 1.0].into_dyn();
        let out = mat_mul(vector.view(), b.view(), &[3, 1]);
        assert_eq!(out, array![[3.0], [12.0], [21.0]].into_dyn());
    }
}
