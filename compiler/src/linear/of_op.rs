//! The matrix of every linear operation of the tensor graph.

use hecc_grammar::model::{Model, Op, Tensor, Window};
use ndarray::ArrayD;

use super::Matrix;

/// `result = Σ matrix · operand + bias`, all flattened in row-major order.
pub struct Affine {
    /// One matrix for each operand.
    pub terms: Vec<(Tensor, Matrix)>,
    /// What is added; `None` for nothing.
    pub bias: Option<Vec<f64>>,
}

/// The affine map of the node that computes `tensor`; `None` if it is not linear in its operands.
pub fn affine_of(model: &Model, tensor: Tensor) -> Option<Affine> {
    let shape = model.shape(tensor);
    let n_out = shape.iter().product::<usize>();
    let n_in = |x: Tensor| model.shape(x).iter().product::<usize>();
    let (terms, bias) = match &model.node(tensor).op {
        Op::Input
        | Op::Mul(..)
        | Op::Activation { .. }
        | Op::Polynomial { .. }
        | Op::FakeQuant { .. } => return None,
        Op::Conv { x, weight, bias, window, groups } => {
            let bias = bias.map(|bias| channel_bias(model.array(bias), shape));
            (
                vec![(
                    *x,
                    convolution(model.shape(*x), shape, model.array(*weight), window, *groups),
                )],
                bias,
            )
        }
        Op::AveragePool { x, kernel, window, count_include_pad } => {
            (vec![(*x, average(model.shape(*x), shape, kernel, window, *count_include_pad))], None)
        }
        Op::MatMul { x, weight } => {
            (vec![(*x, matmul(model.shape(*x), shape, model.array(*weight), Side::Right))], None)
        }
        Op::MatMulLeft { weight, x } => {
            (vec![(*x, matmul(model.shape(*x), shape, model.array(*weight), Side::Left))], None)
        }
        Op::Add(a, b) => (vec![(*a, Matrix::identity(n_out)), (*b, Matrix::identity(n_out))], None),
        Op::AddConst(x, c) => {
            let constant = broadcast(model.array(*c), shape);
            (vec![(*x, Matrix::identity(n_out))], Some(constant))
        }
        Op::MulConst(x, c) => {
            let constant = broadcast(model.array(*c), shape);
            let matrix =
                Matrix::from_rows(n_out, n_out, |o, row| row.push((o as u32, constant[o])));
            (vec![(*x, matrix)], None)
        }
        Op::Expand(x) => (vec![(*x, selection(model.shape(*x), shape, expand_source))], None),
        Op::Sum { x, axes, keepdims } => {
            (vec![(*x, sum(model.shape(*x), n_out, axes, *keepdims, shape))], None)
        }
        Op::Reshape(x) => (vec![(*x, Matrix::identity(n_out))], None),
        Op::Transpose { x, perm } => {
            let source = |out: &[usize], input: &[usize]| {
                let mut index = vec![0; input.len()];
                perm.iter().zip(out).for_each(|(&d, &i)| index[d] = i);
                Some(index)
            };
            (vec![(*x, selection(model.shape(*x), shape, source))], None)
        }
        Op::Slice { x, starts, steps } => {
            let source = |out: &[usize], _: &[usize]| {
                let index = out.iter().zip(starts).zip(steps);
                Some(
                    index
                        .map(|((&i, &start), &step)| (start as isize + i as isize * step) as usize)
                        .collect(),
                )
            };
            (vec![(*x, selection(model.shape(*x), shape, source))], None)
        }
        Op::Pad { x, before, value, .. } => {
            let matrix = selection(model.shape(*x), shape, |out, input| {
                let index = out.iter().zip(before).zip(input);
                index.map(|((&i, &b), &n)| i.checked_sub(b).filter(|&k| k < n)).collect()
            });
            let outside = |o: usize| if matrix.row(o).next().is_none() { *value } else { 0.0 };
            let bias = (*value != 0.0).then(|| (0..n_out).map(outside).collect());
            (vec![(*x, matrix)], bias)
        }
        Op::Gather { x, axis, indices } => {
            let source = |out: &[usize], _: &[usize]| {
                let mut index = out.to_vec();
                index[*axis] = indices[out[*axis]];
                Some(index)
            };
            (vec![(*x, selection(model.shape(*x), shape, source))], None)
        }
        Op::Concat { xs, axis } => {
            let mut start = 0;
            let mut terms = vec![];
            for &x in xs {
                let first = start;
                let matrix = selection(model.shape(x), shape, |out, input| {
                    let mut index = out.to_vec();
                    index[*axis] = out[*axis].checked_sub(first).filter(|&i| i < input[*axis])?;
                    Some(index)
                });
                start += model.shape(x)[*axis];
                terms.push((x, matrix));
            }
            (terms, None)
        }
    };
    debug_assert!(terms.iter().all(|(x, m)| m.n_rows() == n_out && m.n_cols() == n_in(*x)));
    Some(Affine { terms, bias })
}

/// Row-major multi-index of a flat index.
pub fn unflatten(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = flat % n;
        flat /= n;
    }
    index
}

/// Flat row-major index of a multi-index.
pub fn flatten(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (&i, &n)| flat * n + i)
}

fn broadcast(array: &ArrayD<f64>, shape: &[usize]) -> Vec<f64> {
    let view = array.broadcast(shape).expect("a verified model's constants broadcast");
    view.iter().copied().collect()
}

fn channel_bias(bias: &ArrayD<f64>, shape: &[usize]) -> Vec<f64> {
    let bias: Vec<f64> = bias.iter().copied().collect();
    let spatial: usize = shape[2..].iter().product();
    (0..shape.iter().product()).map(|o| bias[o / spatial % bias.len()]).collect()
}

/// A matrix that copies: `source(out index, input shape)` is the input index read, or none.
fn selection(
    input: &[usize],
    shape: &[usize],
    source: impl Fn(&[usize], &[usize]) -> Option<Vec<usize>>,
) -> Matrix {
    let (n_out, n_in) = (shape.iter().product(), input.iter().product());
    Matrix::selection(n_out, n_in, |o| {
        source(&unflatten(o, shape), input).map(|index| flatten(&index, input))
    })
}

fn expand_source(out: &[usize], input: &[usize]) -> Option<Vec<usize>> {
    let skipped = out.len() - input.len();
    Some(out[skipped..].iter().zip(input).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect())
}

fn sum(input: &[usize], n_out: usize, axes: &[usize], keepdims: bool, shape: &[usize]) -> Matrix {
    let summed: Vec<usize> = axes.iter().map(|&axis| input[axis]).collect();
    let kept: Vec<usize> = (0..input.len()).filter(|d| !axes.contains(d)).collect();
    Matrix::from_rows(n_out, input.iter().product(), |o, entries| {
        let out = unflatten(o, shape);
        let mut index = vec![0; input.len()];
        if keepdims {
            index.copy_from_slice(&out);
        } else {
            kept.iter().zip(&out).for_each(|(&d, &i)| index[d] = i);
        }
        for k in 0..summed.iter().product() {
            let inner = unflatten(k, &summed);
            axes.iter().zip(&inner).for_each(|(&axis, &i)| index[axis] = i);
            entries.push((flatten(&index, input) as u32, 1.0));
        }
    })
}

/// Calls `tap(kernel index, input spatial index)` for each kernel element that falls inside the input.
fn taps(
    out: &[usize],
    input: &[usize],
    kernel: &[usize],
    window: &Window,
    mut tap: impl FnMut(usize, &[usize]),
) {
    let mut place = vec![0; input.len()];
    'kernel: for k in 0..kernel.iter().product() {
        for (d, &i) in unflatten(k, kernel).iter().enumerate() {
            let padded = out[d] * window.strides[d] + i * window.dilations[d];
            match padded.checked_sub(window.pads_begin[d]).filter(|&x| x < input[d]) {
                Some(x) => place[d] = x,
                None => continue 'kernel,
            }
        }
        tap(k, &place);
    }
}

fn convolution(
    input: &[usize],
    shape: &[usize],
    weight: &ArrayD<f64>,
    window: &Window,
    groups: usize,
) -> Matrix {
    let (c_in, c_out) = (input[1], shape[1]);
    let kernel = &weight.shape()[2..];
    let n_kernel: usize = kernel.iter().product();
    let per_group = c_in / groups;
    let weight: Vec<f64> = weight.iter().copied().collect();
    Matrix::from_rows(shape.iter().product(), input.iter().product(), |o, entries| {
        let out = unflatten(o, shape);
        let (image, c) = (out[0], out[1]);
        let group = c / (c_out / groups);
        taps(&out[2..], &input[2..], kernel, window, |k, place| {
            for i in 0..per_group {
                let mut flat = image * c_in + group * per_group + i;
                for (&x, &n) in place.iter().zip(&input[2..]) {
                    flat = flat * n + x;
                }
                entries.push((flat as u32, weight[(c * per_group + i) * n_kernel + k]));
            }
        });
    })
}

fn average(
    input: &[usize],
    shape: &[usize],
    kernel: &[usize],
    window: &Window,
    include_pad: bool,
) -> Matrix {
    Matrix::from_rows(shape.iter().product(), input.iter().product(), |o, entries| {
        let out = unflatten(o, shape);
        let channel = out[0] * input[1] + out[1];
        taps(&out[2..], &input[2..], kernel, window, |_, place| {
            let flat = place.iter().zip(&input[2..]).fold(channel, |flat, (&x, &n)| flat * n + x);
            entries.push((flat as u32, 1.0));
        });
        let count = if include_pad {
            padded_count(&out[2..], &input[2..], kernel, window)
        } else {
            entries.len()
        };
        entries.iter_mut().for_each(|(_, value)| *value /= count as f64);
    })
}

/// Kernel elements that fall on the data or its padding; beyond both (ceil_mode) they do not count.
fn padded_count(out: &[usize], input: &[usize], kernel: &[usize], window: &Window) -> usize {
    let per_dim = |d: usize| {
        let end = window.pads_begin[d] + input[d] + window.pads_end[d];
        (0..kernel[d])
            .filter(|&k| out[d] * window.strides[d] + k * window.dilations[d] < end)
            .count()
    };
    (0..kernel.len()).map(per_dim).product()
}

/// Which operand of the product is the constant.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

fn matmul(input: &[usize], shape: &[usize], weight: &ArrayD<f64>, side: Side) -> Matrix {
    // numpy's rule: a vector gains a dimension of 1, on the side where it is summed over.
    let data: Vec<usize> = match (input.len(), side) {
        (1, Side::Right) => vec![1, input[0]],
        (1, Side::Left) => vec![input[0], 1],
        _ => input.to_vec(),
    };
    let mut matrix: Vec<usize> = weight.shape().to_vec();
    if matrix.len() == 1 {
        match side {
            Side::Right => matrix.push(1),
            Side::Left => matrix.insert(0, 1),
        }
    }
    let (a, b) = if side == Side::Left { (&matrix, &data) } else { (&data, &matrix) };
    let (rows, inner, cols) = (a[a.len() - 2], a[a.len() - 1], b[b.len() - 1]);
    let batch = broadcast_shape(&a[..a.len() - 2], &b[..b.len() - 2]);
    let weight: Vec<f64> = weight.iter().copied().collect();
    let offset = |index: &[usize], dims: &[usize]| {
        let dims = &dims[..dims.len() - 2];
        let skipped = index.len() - dims.len();
        index[skipped..]
            .iter()
            .zip(dims)
            .fold(0, |flat, (&i, &n)| flat * n + if n == 1 { 0 } else { i })
    };
    Matrix::from_rows(shape.iter().product(), input.iter().product(), |o, entries| {
        let index = unflatten(o / (rows * cols), &batch);
        let (r, c) = (o / cols % rows, o % cols);
        let (a_start, b_start) =
            (offset(&index, a) * rows * inner, offset(&index, b) * inner * cols);
        for k in 0..inner {
            let (a_flat, b_flat) = (a_start + r * inner + k, b_start + k * cols + c);
            entries.push(match side {
                Side::Right => (a_flat as u32, weight[b_flat]),
                Side::Left => (b_flat as u32, weight[a_flat]),
            });
        }
    })
}

fn broadcast_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], d: usize| (d + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank).map(|d| dim(a, d).max(dim(b, d))).collect()
}
