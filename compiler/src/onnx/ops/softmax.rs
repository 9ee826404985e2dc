//! `Softmax` and `LogSoftmax` at the end of the network, left to the client.

use hecc_grammar::model::ClientOp;

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::Refused;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const LOG_SOFTMAX: Importer = Importer {
    op_type: "LogSoftmax",
    since: 7,
    supported: "`axis`; last node only, applied by the client",
    refused: "inside the network",
    import: |node, model| import(node, model, |axis| ClientOp::LogSoftmax { axis }),
};
pub(super) const SOFTMAX: Importer = Importer {
    op_type: "Softmax",
    since: 7,
    supported: "`axis`; last node only, applied by the client",
    refused: "inside the network",
    import: |node, model| import(node, model, |axis| ClientOp::Softmax { axis }),
};

fn import(
    node: &mut Node<'_>,
    model: &mut Builder,
    op: fn(usize) -> ClientOp,
) -> Result<Vec<Value>, Refused> {
    let chain = LastNodes::of(node, 0, model)?;
    let shape = chain.shape(model)?;
    let modern = node.opset >= 13;
    let axis = node.attr::<i64>("axis")?.unwrap_or(if modern { -1 } else { 1 });
    let axis = shape::axis(axis, shape.len())?;
    // Before, all dimensions from the axis on are normalized together.
    let long: Vec<usize> = (axis..shape.len()).filter(|&d| shape[d] > 1).collect();
    let chain = match (modern, &long[..]) {
        (true, _) | (false, []) => chain.then(op(axis)),
        (false, [only]) => chain.then(op(*only)),
        (false, _) => {
            let rows = shape[..axis].iter().product();
            let matrix = vec![rows, shape[axis..].iter().product()];
            let chain = chain.then(ClientOp::Reshape { shape: matrix }).then(op(1));
            chain.then(ClientOp::Reshape { shape })
        }
    };
    Ok(vec![chain.value(node, model)?])
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
        let case = Case::new(12, &[1, 1, 2, 1, 2]).node("Softmax", "x", "y", &[]);
        assert_eq!(case.result(&[0.0; 4]), (vec![1, 1, 2, 1, 2], vec![0.25; 4]));
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
}
