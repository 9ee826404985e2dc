//! `TopK` at the end of the network, left to the client.

use hecc_grammar::model::ClientOp;

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const TOP_K: Importer = Importer {
    op_type: "TopK",
    since: 7,
    supported: "`axis`, `k` as attribute or constant input, `largest`, `sorted`; last node only, applied by the client",
    refused: "inside the network",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let chain = LastNodes::of(node, 0, model)?;
    let from = chain.shape(model)?;
    let axis = shape::axis(node.attr::<i64>("axis")?.unwrap_or(-1), from.len())?;
    let largest = node.flag("largest", true)?;
    // Sorted results are also right where any order is.
    node.flag("sorted", true)?;
    let k = if node.opset < 10 {
        node.attr::<i64>("k")?
    } else {
        node.constant(1)?.uniform().map(|k| k as i64)
    };
    let k = k.and_then(|k| usize::try_from(k).ok()).filter(|k| (1..=from[axis]).contains(k));
    let k = k.ok_or_else(|| refuse(format!("`k` is not in 1 to {}", from[axis])))?;
    let values = chain.clone().then(ClientOp::TopK { axis, k, largest });
    let indices = chain.then(ClientOp::TopKIndices { axis, k, largest });
    Ok(vec![values.value(node, model)?, indices.value(node, model)?])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn values_and_indices() {
        let case = || Case::new(11, &[1, 3]).ints("k", &[2]);
        let case_smallest = case().node("TopK", "x k", "v", &[("largest", Attr::Int(0))]);
        assert_eq!(case_smallest.result(&[3.0, 1.0, 2.0]), (vec![1, 2], vec![1.0, 2.0]));
        let both = case().node("TopK", "x k", "v i", &[]).run(&[&[3.0, 1.0, 2.0]]);
        assert_eq!(both[1].iter().copied().collect::<Vec<_>>(), [0.0, 2.0]);
        assert!(
            Case::new(11, &[1, 3])
                .ints("k", &[4])
                .node("TopK", "x k", "v", &[])
                .error()
                .contains("1 to 3")
        );
    }
}
