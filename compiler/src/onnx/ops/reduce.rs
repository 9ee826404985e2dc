//! `ReduceSum`, `ReduceMean`, `ReduceSumSquare`, `ReduceL1`.

use hecc_grammar::model::{ClientOp, Tensor};

use super::abs::absolute;
use super::average_pool::mean;
use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::unsupported;
use crate::onnx::value::{Constant, Value};

/// An operator that maps every element and then sums.
macro_rules! reduce {
    ($name:ident, $op_type:literal, $input_since:literal, $map:expr, $total:ident) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: 7,
            supported: "`axes` as attribute or constant input, `keepdims`, `noop_with_empty_axes`",
            refused: "",
            import: |node, model| {
                if let Some(chain) = LastNodes::begun(node, 0) {
                    return on_client(node, model, chain, $input_since);
                }
                let (x, keepdims) = (node.tensor(0, model)?, node.flag("keepdims", true)?);
                let axes = axes(node, model.model.shape(x).len(), $input_since)?;
                let map: fn(Tensor, &mut Builder) -> Result<Tensor, Refused> = $map;
                let x = map(x, model)?;
                Ok(vec![axes.map_or(Ok(x), |axes| $total(x, axes, keepdims, model))?.into()])
            },
        };
    };
}
reduce!(REDUCE_L1, "ReduceL1", 18, |x, model| absolute(x, model), sum);
reduce!(REDUCE_MEAN, "ReduceMean", 18, |x, _| Ok(x), mean);
reduce!(REDUCE_SUM, "ReduceSum", 13, |x, _| Ok(x), sum);
reduce!(REDUCE_SUM_SQUARE, "ReduceSumSquare", 18, |x, model| model.mul(x, x), sum);

pub(super) const REDUCE_PROD: Importer = Importer {
    op_type: "ReduceProd",
    since: 7,
    supported: "`axes` as attribute or constant input, `keepdims`, `noop_with_empty_axes`; constants; up to 16 encrypted factors",
    refused: "more",
    import: product,
};
pub(super) const REDUCE_MAX: Importer = Importer {
    op_type: "ReduceMax",
    since: 7,
    supported: "`axes` as attribute or constant input, `keepdims`; last node, applied by the client",
    refused: "inside the network",
    import: |node, model| extremum(node, model, true),
};
pub(super) const REDUCE_MIN: Importer = Importer {
    op_type: "ReduceMin",
    since: 7,
    supported: "`axes` as attribute or constant input, `keepdims`; last node, applied by the client",
    refused: "inside the network",
    import: |node, model| extremum(node, model, false),
};

/// More factors lose all precision.
const MAX_FACTORS: usize = 16;

fn product(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let keepdims = node.flag("keepdims", true)?;
    if model.is_scratch() {
        return known_product(node, keepdims);
    }
    let mut x = node.tensor(0, model)?;
    let mut shape = model.shape(x);
    let Some(axes) = axes(node, shape.len(), 18)? else {
        return Ok(vec![x.into()]);
    };
    if axes.iter().map(|&axis| shape[axis]).product::<usize>() > MAX_FACTORS {
        return Err(unsupported::reason("ReduceProd"));
    }
    for &axis in &axes {
        x = multiplied(x, axis, model)?;
    }
    if !keepdims {
        shape = (0..shape.len()).filter(|d| !axes.contains(d)).map(|d| shape[d]).collect();
        x = model.reshape(x, shape)?;
    }
    Ok(vec![x.into()])
}

/// The product along an axis, which stays: halves are multiplied, so that the depth is the logarithm.
fn multiplied(x: Tensor, axis: usize, model: &mut Builder) -> Result<Tensor, Refused> {
    let extent = model.model.shape(x)[axis];
    if extent == 1 {
        return Ok(x);
    }
    let half = extent / 2;
    let first = model.gather(x, axis, (0..half).collect())?;
    let second = model.gather(x, axis, (half..2 * half).collect())?;
    let mut y = model.mul(first, second)?;
    if extent % 2 == 1 {
        let last = model.gather(x, axis, vec![extent - 1])?;
        y = model.concat(vec![y, last], axis)?;
    }
    multiplied(y, axis, model)
}

fn known_product(node: &mut Node<'_>, keepdims: bool) -> Result<Vec<Value>, Refused> {
    let c = node.constant(0)?;
    let Some(axes) = axes(node, c.shape().len(), 18)? else {
        return Ok(vec![c.into()]);
    };
    let kind = c.kind;
    let array = axes.iter().rev().fold(c.into_array(), |x, &axis| {
        let axis = ndarray::Axis(axis);
        let product = x.map_axis(axis, |lane| lane.product());
        if keepdims { product.insert_axis(axis) } else { product }
    });
    Ok(vec![Constant::new(array, kind).into()])
}

/// Sums of what the client computes.
fn on_client(
    node: &mut Node<'_>,
    model: &Builder,
    chain: LastNodes,
    input_since: i64,
) -> Result<Vec<Value>, Refused> {
    let shape = chain.shape(model)?;
    let keepdims = node.flag("keepdims", true)?;
    let is_mean = match node.op_type() {
        "ReduceSum" => false,
        "ReduceMean" => true,
        _ => {
            return Err(refuse("of what only the client can compute")
                .instead("end the network before that node, or drop the node"));
        }
    };
    let axes = axes(node, shape.len(), input_since)?.unwrap_or_default();
    let count: usize = axes.iter().map(|&axis| shape[axis]).product();
    let sum = |chain: LastNodes, axis: &usize| chain.then(ClientOp::Sum { axis: *axis, keepdims });
    let chain = axes.iter().rev().fold(chain, sum);
    let chain = if is_mean { chain.then_affine(1.0 / count as f64, 0.0) } else { chain };
    Ok(vec![chain.value(node, model)?])
}

/// The largest or smallest element along an axis.
fn extremum(
    node: &mut Node<'_>,
    model: &mut Builder,
    largest: bool,
) -> Result<Vec<Value>, Refused> {
    let chain = LastNodes::of(node, 0, model)?;
    let mut shape = chain.shape(model)?;
    let keepdims = node.flag("keepdims", true)?;
    let Some(axes) = axes(node, shape.len(), 18)? else {
        return Ok(vec![chain.value(node, model)?]);
    };
    let best =
        |chain: LastNodes, axis: &usize| chain.then(ClientOp::TopK { axis: *axis, k: 1, largest });
    let mut chain = axes.iter().fold(chain, best);
    if !keepdims {
        shape = (0..shape.len()).filter(|d| !axes.contains(d)).map(|d| shape[d]).collect();
        chain = chain.then(ClientOp::Reshape { shape });
    }
    Ok(vec![chain.value(node, model)?])
}

fn sum(
    x: Tensor,
    axes: Vec<usize>,
    keepdims: bool,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    model.sum(x, axes, keepdims)
}

/// The axes to reduce, ascending: all if none are given, `None` if that means to do nothing.
pub(super) fn axes(
    node: &mut Node<'_>,
    rank: usize,
    input_since: i64,
) -> Result<Option<Vec<usize>>, Refused> {
    let given = node.integers("axes", 1, input_since)?.unwrap_or_default();
    let noop = node.flag("noop_with_empty_axes", false)?;
    match (given.is_empty(), noop) {
        (true, true) => Ok(None),
        (true, false) => Ok(Some((0..rank).collect())),
        (false, _) => shape::axes(&given, rank).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn axes_as_attribute_input_or_left_out() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let axes = ("axes", Attr::Ints(&[-1]));
        let case = Case::new(12, &[2, 2]).node("ReduceSum", "x", "y", &[axes]);
        assert_eq!(case.result(&x), (vec![2, 1], vec![3.0, 7.0]));
        let case = Case::new(13, &[2, 2]).ints("a", &[0]);
        let case = case.node("ReduceSum", "x a", "y", &[("keepdims", Attr::Int(0))]);
        assert_eq!(case.result(&x), (vec![2], vec![4.0, 6.0]));
        let case =
            Case::new(18, &[2, 2]).node("ReduceMean", "x", "y", &[("keepdims", Attr::Int(0))]);
        assert_eq!(case.result(&x), (vec![], vec![2.5]));
        let noop = ("noop_with_empty_axes", Attr::Int(1));
        assert_eq!(Case::new(18, &[2, 2]).node("ReduceMean", "x", "y", &[noop]).result(&x).1, x);
        let twice = Case::new(13, &[2, 2]).ints("a", &[0, -2]).node("ReduceSum", "x a", "y", &[]);
        assert!(twice.error().contains("repeat"));
    }

    #[test]
    fn elements_may_be_mapped_first() {
        let x = [1.0, -2.0, 3.0, 4.0];
        let axes = || ("axes", Attr::Ints(&[1]));
        let squares = Case::new(13, &[2, 2]).node("ReduceSumSquare", "x", "y", &[axes()]);
        assert_eq!(squares.result(&x), (vec![2, 1], vec![5.0, 25.0]));
        let product =
            Case::new(13, &[1, 5]).node("ReduceProd", "x", "y", &[("axes", Attr::Ints(&[1]))]);
        assert_eq!(product.result(&[1.0, 2.0, 3.0, 4.0, 5.0]), (vec![1, 1], vec![120.0]));
        let many = Case::new(13, &[1, 17]).node("ReduceProd", "x", "y", &[]);
        assert!(many.error().contains("instead: ReduceSum"));
        let sizes = Case::new(13, &[2, 2]).node("ReduceL1", "x", "y", &[axes()]);
        assert_eq!(sizes.result(&x), (vec![2, 1], vec![3.0, 7.0]));
    }
}
