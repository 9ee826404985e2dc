//! `ArgMax`, `ArgMin` and `Hardmax` at the end of the network, left to the client.

use hecc_grammar::model::{ClientOp, Comparison};

use crate::onnx::builder::Builder;
use crate::onnx::client::{LastNodes, positions};
use crate::onnx::error::Refused;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

const SUPPORTED: &str =
    "`axis`, `keepdims`, `select_last_index`; last node only, applied by the client";

pub(super) const ARG_MAX: Importer = Importer {
    op_type: "ArgMax",
    since: 7,
    supported: SUPPORTED,
    refused: "inside the network",
    import: |node, model| extremum(node, model, true),
};
pub(super) const ARG_MIN: Importer = Importer {
    op_type: "ArgMin",
    since: 7,
    supported: SUPPORTED,
    refused: "inside the network",
    import: |node, model| extremum(node, model, false),
};
pub(super) const HARDMAX: Importer = Importer {
    op_type: "Hardmax",
    since: 13,
    supported: "`axis`; last node only, applied by the client",
    refused: "inside the network",
    import: hardmax,
};

fn extremum(
    node: &mut Node<'_>,
    model: &mut Builder,
    largest: bool,
) -> Result<Vec<Value>, Refused> {
    let mut chain = LastNodes::of(node, 0, model)?;
    let shape = chain.shape(model)?;
    let axis = shape::axis(node.attr::<i64>("axis")?.unwrap_or(0), shape.len())?;
    let keepdims = node.flag("keepdims", true)?;
    let last = node.flag("select_last_index", false)?;
    if !largest {
        chain = chain.then_affine(-1.0, 0.0);
    }
    if last {
        let mut backwards = positions(&shape)?;
        backwards.invert_axis(ndarray::Axis(axis));
        chain = chain.then_move(&backwards);
    }
    chain = chain.then(ClientOp::ArgMax { axis, keepdims });
    if last {
        chain = chain.then_affine(-1.0, shape[axis] as f64 - 1.0);
    }
    Ok(vec![chain.value(node, model)?])
}

/// 1 at the largest element, 0 elsewhere.
fn hardmax(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let chain = LastNodes::of(node, 0, model)?;
    let shape = chain.shape(model)?;
    let axis = shape::axis(node.attr::<i64>("axis")?.unwrap_or(-1), shape.len())?;
    let chain = chain.then(ClientOp::ArgMax { axis, keepdims: true }).widened(&shape, model)?;
    let after: usize = shape[axis + 1..].iter().product();
    let count: usize = shape.iter().product();
    let index = (0..count).map(|i| (i / after % shape[axis]) as f64);
    let op = ClientOp::Compare { comparison: Comparison::Equal, with: index.collect() };
    Ok(vec![chain.then(op).value(node, model)?])
}
