//! `ArgMax` at the end of the network, left to the client.

use hecc_grammar::model::ClientOp;

use super::Importer;
use super::softmax::{client_input, client_shape};
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const ARG_MAX: Importer = Importer {
    op_type: "ArgMax",
    since: 7,
    supported: "`axis`, `keepdims`; last node only, applied by the client",
    refused: "`select_last_index` 1; inside the network",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (tensor, mut ops) = client_input(node, model)?;
    let rank = client_shape(tensor, &ops, model).len();
    let axis = shape::axis(node.attr::<i64>("axis")?.unwrap_or(0), rank)?;
    let keepdims = node.flag("keepdims", true)?;
    if node.flag("select_last_index", false)? {
        return Err(refuse("attribute `select_last_index` is 1, expected 0"));
    }
    ops.push(ClientOp::ArgMax { axis, keepdims });
    Ok(vec![Value::Client { tensor, ops, by: node.label() }])
}
