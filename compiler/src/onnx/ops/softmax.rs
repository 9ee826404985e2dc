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
            ClientOp::Softmax { .. } | ClientOp::LogSoftmax { .. } | ClientOp::FakeQuant(_) => {}
            ClientOp::ArgMax { axis, keepdims: true } => shape[axis] = 1,
            ClientOp::ArgMax { axis, keepdims: false } => {
                shape.remove(axis);
            }
            ClientOp::TopK { axis, k, .. } => shape[axis] = k,
        }
        shape
    })
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::ClientOp;

    use crate::onnx::testing::{Attr, Case};

    fn client(case: &Case) -> Vec<ClientOp> {
        case.import().unwrap().outputs.remove(0).client
    }

    #[test]
    fn old_operator_sets_normalize_over_the_rest() {
        let case = Case::new(12, &[1, 1, 5, 1]).node("Softmax", "x", "y", &[]);
        assert_eq!(client(&case), [ClientOp::Softmax { axis: 2 }]);
        let case = Case::new(12, &[1, 3, 5, 1]).node("LogSoftmax", "x", "y", &[]);
        assert!(case.error().contains("normalizes over dimensions [1, 2] together"));
        let case = Case::new(13, &[1, 3, 5, 2]).node("LogSoftmax", "x", "y", &[]);
        assert_eq!(client(&case), [ClientOp::LogSoftmax { axis: 3 }]);
    }

    #[test]
    fn the_client_may_have_more_to_do() {
        let case = Case::new(9, &[1, 5])
            .node("Softmax", "x", "p", &[("axis", Attr::Int(-1))])
            .node("Identity", "p", "q", &[])
            .node("TopK", "q", "top -", &[("k", Attr::Int(2))])
            .node("ArgMax", "top", "y", &[("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))]);
        let want = [
            ClientOp::Softmax { axis: 1 },
            ClientOp::TopK { axis: 1, k: 2, largest: true },
            ClientOp::ArgMax { axis: 1, keepdims: false },
        ];
        assert_eq!(client(&case), want);
    }

    #[test]
    fn nothing_encrypted_comes_after() {
        let case =
            Case::new(13, &[1, 5]).node("Softmax", "x", "p", &[]).node("Relu", "p", "y", &[]);
        assert_eq!(
            case.error(),
            "node `y` (Relu): input 0 is the result of `p` (Softmax), which only the client can compute, \
             after decryption; instead: end the network before that node, or drop the node"
        );
    }
}
