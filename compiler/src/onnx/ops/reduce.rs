//! `ReduceSum` and `ReduceMean`.

use super::Importer;
use super::average_pool::mean;
use crate::onnx::builder::Builder;
use crate::onnx::error::Refused;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const REDUCE_MEAN: Importer = Importer {
    op_type: "ReduceMean",
    since: 7,
    supported: "`axes` as attribute or constant input, `keepdims`, `noop_with_empty_axes`",
    refused: "",
    import: |node, model| import(node, model, true, 18),
};
pub(super) const REDUCE_SUM: Importer = Importer {
    op_type: "ReduceSum",
    since: 7,
    supported: "`axes` as attribute or constant input, `keepdims`, `noop_with_empty_axes`",
    refused: "",
    import: |node, model| import(node, model, false, 13),
};

fn import(
    node: &mut Node<'_>,
    model: &mut Builder,
    is_mean: bool,
    axes_input_since: i64,
) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let keepdims = node.flag("keepdims", true)?;
    let Some(axes) = axes(node, model.model.shape(x).len(), axes_input_since)? else {
        return Ok(vec![x.into()]);
    };
    let y = if is_mean { mean(x, axes, keepdims, model)? } else { model.sum(x, axes, keepdims)? };
    Ok(vec![y.into()])
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
}
