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
