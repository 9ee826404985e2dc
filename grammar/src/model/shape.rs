//! The shape of every operation's result: the only shape rule of the tensor graph.

use super::bounds::{MAX_ELEMENTS, ShapeError, elements, fail, finite};
use super::graph::Model;
use super::ids::{Const, Tensor};
use super::op::{Op, Polynomial, Window};

impl Op {
    /// The shape of the result. `declared` is the node's shape, from which `Input`, `Expand`, `Reshape` and `Slice` take
    /// what their operands do not tell; they check that it fits. Operands and constants out of range are errors.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn shape(&self, model: &Model, declared: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let shape = match self {
            Op::Input => declared.to_vec(),
            Op::Conv { x, weight, bias, window, groups } => {
                let bias = bias.map(|bias| constant(model, bias)).transpose()?;
                conv(tensor(model, *x)?, constant(model, *weight)?, bias, window, *groups)?
            }
            Op::AveragePool { x, kernel, window, count_include_pad: _ } => {
                let x = tensor(model, *x)?;
                let [n, c, spatial @ ..] = x else {
                    return fail(format!("data of shape {x:?}, expected [n, c, spatial..]"));
                };
                [&[*n, *c], &windows(spatial, kernel, window)?[..]].concat()
            }
            Op::MatMul { x, weight } => product(tensor(model, *x)?, constant(model, *weight)?)?,
            Op::MatMulLeft { weight, x } => product(constant(model, *weight)?, tensor(model, *x)?)?,
            Op::Add(a, b) | Op::Mul(a, b) => {
                let (a, b) = (tensor(model, *a)?, tensor(model, *b)?);
                if a != b {
                    return fail(format!("shapes {a:?} and {b:?} differ"));
                }
                a.to_vec()
            }
            Op::AddConst(x, c) | Op::MulConst(x, c) => {
                let (x, c) = (tensor(model, *x)?, constant(model, *c)?);
                broadcast_to(c, x)?;
                x.to_vec()
            }
            Op::Expand(x) => {
                broadcast_to(tensor(model, *x)?, declared)?;
                declared.to_vec()
            }
            Op::Sum { x, axes, keepdims } => sum(tensor(model, *x)?, axes, *keepdims)?,
            Op::Reshape(x) => {
                let x = tensor(model, *x)?;
                if elements(x)? != elements(declared)? {
                    return fail(format!("{x:?} and {declared:?} differ in number of elements"));
                }
                declared.to_vec()
            }
            Op::Transpose { x, perm } => transpose(tensor(model, *x)?, perm)?,
            Op::Slice { x, starts, steps } => slice(tensor(model, *x)?, starts, steps, declared)?,
            Op::Pad { x, before, after, value } => {
                finite("value", &[*value])?;
                pad(tensor(model, *x)?, before, after)?
            }
            Op::Gather { x, axis, indices } => {
                let mut shape = tensor(model, *x)?.to_vec();
                let Some(extent) = shape.get_mut(*axis) else {
                    return fail(format!("axis {axis} of shape {shape:?}"));
                };
                if let Some(index) = indices.iter().find(|&index| index >= extent) {
                    return fail(format!("index {index}, the dimension has {extent}"));
                }
                *extent = indices.len();
                shape
            }
            Op::Concat { xs, axis } => {
                let shapes = xs.iter().map(|x| tensor(model, *x)).collect::<Result<Vec<_>, _>>()?;
                concat(&shapes, *axis)?
            }
            Op::Activation { x, function } => {
                function.check()?;
                tensor(model, *x)?.to_vec()
            }
            Op::Polynomial { x, polynomial } => {
                check_polynomial(polynomial)?;
                tensor(model, *x)?.to_vec()
            }
            Op::ChannelPolynomials { x, coefficients } => {
                let shape = tensor(model, *x)?.to_vec();
                let coefficients = constant(model, *coefficients)?;
                if !matches!((&shape[..], coefficients), ([_, n, ..], [c, k]) if n == c && *k > 0) {
                    return fail(format!("coefficients {coefficients:?} for shape {shape:?}"));
                }
                shape
            }
            Op::Sine { x, ratio } => {
                if !(ratio.is_finite() && *ratio > 0.0) {
                    return fail(format!("ratio {ratio}, expected a positive number"));
                }
                tensor(model, *x)?.to_vec()
            }
            Op::FakeQuant { x, quantizer } => {
                quantizer.check()?;
                tensor(model, *x)?.to_vec()
            }
        };
        elements(&shape)?;
        Ok(shape)
    }
}

fn tensor(model: &Model, tensor: Tensor) -> Result<&[usize], ShapeError> {
    let node = model.nodes.get(tensor.index());
    node.map(|node| &node.shape[..]).ok_or_else(|| ShapeError(format!("{tensor} does not exist")))
}

fn constant(model: &Model, constant: Const) -> Result<&[usize], ShapeError> {
    let array = model.constants.get(constant.index());
    array.map(|array| array.shape()).ok_or_else(|| ShapeError(format!("{constant} does not exist")))
}

fn conv(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    window: &Window,
    groups: usize,
) -> Result<Vec<usize>, ShapeError> {
    let ([n, c_in, spatial @ ..], [c_out, c_group, kernel @ ..]) = (x, weight) else {
        return fail(format!("data {x:?} and weight {weight:?}, expected 3 or 4 dimensions"));
    };
    if groups == 0 || c_out % groups != 0 || c_group.checked_mul(groups) != Some(*c_in) {
        return fail(format!("data {x:?}, weight {weight:?} and {groups} groups do not fit"));
    }
    if bias.is_some_and(|bias| bias != [*c_out]) {
        return fail(format!("bias {bias:?}, expected [{c_out}]"));
    }
    Ok([&[*n, *c_out], &windows(spatial, kernel, window)?[..]].concat())
}

/// The number of windows per spatial dimension.
fn windows(spatial: &[usize], kernel: &[usize], window: &Window) -> Result<Vec<usize>, ShapeError> {
    let Window { strides, pads_begin, pads_end, dilations } = window;
    let rank = spatial.len();
    let lists = [kernel, strides, pads_begin, pads_end, dilations];
    if !(1..=2).contains(&rank) || lists.iter().any(|list| list.len() != rank) {
        return fail(format!("{rank} spatial dimensions, kernel {kernel:?} and {window:?}"));
    }
    let positive = [kernel, strides, dilations];
    let small = |list: &&[usize]| list.iter().all(|&n| n <= MAX_ELEMENTS);
    if positive.iter().any(|list| list.contains(&0)) || !lists.iter().all(small) {
        return fail(format!("kernel {kernel:?} or {window:?} is out of range"));
    }
    let count = |d: usize| {
        // All factors are at most 2^28: nothing overflows 64 bits.
        let padded = (spatial[d] + pads_begin[d] + pads_end[d]) as u64;
        let reach = (dilations[d] as u64) * (kernel[d] as u64 - 1) + 1;
        match padded.checked_sub(reach) {
            Some(room) => Ok((room / strides[d] as u64) as usize + 1),
            None => fail(format!("a kernel that reaches over {reach} elements of {padded}")),
        }
    };
    (0..rank).map(count).collect()
}

/// numpy's `matmul`.
fn product(a: &[usize], b: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let mismatch = || ShapeError(format!("shapes {a:?} and {b:?} do not multiply"));
    let (lead_a, rows, k_a) = match a {
        [] => return Err(mismatch()),
        [k] => (&[][..], None, *k),
        [lead @ .., rows, k] => (lead, Some(*rows), *k),
    };
    let (lead_b, k_b, columns) = match b {
        [] => return Err(mismatch()),
        [k] => (&[][..], *k, None),
        [lead @ .., k, columns] => (lead, *k, Some(*columns)),
    };
    if k_a != k_b || (rows.is_none() && columns.is_none()) {
        return Err(mismatch());
    }
    let mut shape = broadcast(lead_a, lead_b).ok_or_else(mismatch)?;
    shape.extend(rows.into_iter().chain(columns));
    Ok(shape)
}

/// The common shape by numpy's rule.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], d: usize| (d + shape.len()).checked_sub(rank).map(|d| shape[d]);
    let joined = (0..rank).map(|d| match (extent(a, d).unwrap_or(1), extent(b, d).unwrap_or(1)) {
        (x, y) if x == y => Some(x),
        (1, y) => Some(y),
        (x, 1) => Some(x),
        _ => None,
    });
    joined.collect()
}

fn broadcast_to(from: &[usize], to: &[usize]) -> Result<(), ShapeError> {
    if broadcast(from, to).is_some_and(|joined| joined == to) {
        return Ok(());
    }
    fail(format!("shape {from:?} does not broadcast to {to:?}"))
}

fn sum(x: &[usize], axes: &[usize], keepdims: bool) -> Result<Vec<usize>, ShapeError> {
    if axes.windows(2).any(|pair| pair[0] >= pair[1]) || axes.iter().any(|&axis| axis >= x.len()) {
        return fail(format!("axes {axes:?} of shape {x:?}, expected ascending ones"));
    }
    let extents = x.iter().enumerate().map(|(d, &extent)| match axes.contains(&d) {
        true => keepdims.then_some(1),
        false => Some(extent),
    });
    Ok(extents.flatten().collect())
}

fn transpose(x: &[usize], perm: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.len()) {
        return fail(format!("permutation {perm:?} of shape {x:?}"));
    }
    Ok(perm.iter().map(|&d| x[d]).collect())
}

fn slice(
    x: &[usize],
    starts: &[usize],
    steps: &[isize],
    declared: &[usize],
) -> Result<Vec<usize>, ShapeError> {
    let rank = x.len();
    if [starts.len(), steps.len(), declared.len()] != [rank; 3] || steps.contains(&0) {
        return fail(format!("starts {starts:?} and steps {steps:?} of shape {x:?}"));
    }
    for (d, &extent) in x.iter().enumerate() {
        let moved = i128::from(steps[d] as i64) * (declared[d] as i128 - 1);
        let last = starts[d] as i128 + moved;
        if starts[d] >= extent || !(0..extent as i128).contains(&last) {
            return fail(format!(
                "elements {} to {last} of dimension {d}, which has {extent}",
                starts[d]
            ));
        }
    }
    Ok(declared.to_vec())
}

fn pad(x: &[usize], before: &[usize], after: &[usize]) -> Result<Vec<usize>, ShapeError> {
    if before.len() != x.len() || after.len() != x.len() {
        return fail(format!("{before:?} before and {after:?} after shape {x:?}"));
    }
    let extents = x.iter().zip(before).zip(after);
    let sum = extents.map(|((x, before), after)| x.checked_add(*before)?.checked_add(*after));
    sum.collect::<Option<_>>()
        .ok_or_else(|| ShapeError(format!("{before:?} before, {after:?} after")))
}

fn concat(shapes: &[&[usize]], axis: usize) -> Result<Vec<usize>, ShapeError> {
    let Some(first) = shapes.first().filter(|first| axis < first.len()) else {
        return fail(format!("axis {axis} of shapes {shapes:?}"));
    };
    let mut shape = first.to_vec();
    shape[axis] = 0;
    for other in shapes {
        let agrees = |d: usize| d == axis || other[d] == first[d];
        if other.len() != first.len() || !(0..first.len()).all(agrees) {
            return fail(format!("shapes {first:?} and {other:?} do not join along axis {axis}"));
        }
        shape[axis] = shape[axis].saturating_add(other[axis]);
    }
    Ok(shape)
}

fn check_polynomial(polynomial: &Polynomial) -> Result<(), ShapeError> {
    let Polynomial { lo, hi, coefficients } = polynomial;
    finite("end", &[*lo, *hi])?;
    finite("coefficient", coefficients)?;
    if lo >= hi || coefficients.is_empty() {
        return fail(format!("{} coefficients on [{lo}, {hi}]", coefficients.len()));
    }
    Ok(())
}
