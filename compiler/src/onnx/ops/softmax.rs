//! `Softmax` and `LogSoftmax` at the end of the network, left to the client.

use hecc_grammar::model::ClientOp;

use super::Importer;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;
use hecc_grammar::model::Tensor;

pub(super) const LOG_SOFTMAX: Importer = Importer {
    op_type: "LogSoftmax",
    since: 7,
    supported: "`axis`; last node only, applied by the client",
    refused: "inside the network; opset below 13 over several dimensions longer than 1",
    import: |node, model| import(node, model, |axis| ClientOp::LogSoftmax { axis }),
};
pub(super) const SOFTMAX: Importer = Importer {
    op_type: "Softmax",
    since: 7,
    supported: "`axis`; last node only, applied by the client",
    refused: "inside the network; opset below 13 over several dimensions longer than 1",
    import: |node, model| import(node, model, |axis| ClientOp::Softmax { axis }),
};

fn import(
    node: &mut Node<'_>,
    model: &mut Builder,
    op: fn(usize) -> ClientOp,
) -> Result<Vec<Value>, Refused> {
    let (tensor, mut ops) = client_input(node, model)?;
    let shape = client_shape(tensor, &ops, model);
    let modern = node.opset >= 13;
    let axis = node.attr::<i64>("axis")?.unwrap_or(if modern { -1 } else { 1 });
    let mut axis = shape::axis(axis, shape.len())?;
    if !modern {
        // All dimensions from the axis on are normalized together.
        let long: Vec<usize> = (axis..shape.len()).filter(|&d| shape[d] > 1).collect();
        match long[..] {
            [] => {}
            [only] => axis = only,
            _ => {
                let reason = format!(
                    "operator set {} normalizes over dimensions {long:?} together",
                    node.opset
                );
                return Err(
                    refuse(reason).instead("flatten the tensor first, or use operator set 13")
                );
            }
        }
    }
    ops.push(op(axis));
    Ok(vec![Value::Client { tensor, ops, by: node.label() }])
}

/// Input 0: an encrypted tensor, or one that the client has already begun to treat.
pub(super) fn client_input(
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<(Tensor, Vec<ClientOp>), Refused> {
    if let Some(Value::Client { tensor, ops, .. }) = node.value(0) {
        return Ok((tensor, ops));
    }
    Ok((node.tensor(0, model)?, vec![]))
}

/// The shape after the client's operations.
pub(super) fn client_shape(tensor: Tensor, ops: &[ClientOp], model: &Builder) -> Vec<usize> {
    ops.iter().fold(model.shape(tensor), |mut shape, op| {
        match *op {
            ClientOp::Softmax { .. } | ClientOp::LogSoftmax { .. } => {}
            ClientOp::ArgMax { axis, keepdims: true } => shape[axis] = 1,
            ClientOp::ArgMax { axis, keepdims: false } => {
                shape.remove(axis);
            }
            ClientOp::TopK { axis, k, .. } => shape[axis] = k,
        }
        shape
    })
}
