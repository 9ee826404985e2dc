//! `Abs`, as `2·Relu(x) − x`.

use hecc_grammar::model::{Function, Tensor};

use crate::onnx::builder::Builder;
use crate::onnx::error::Refused;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const ABS: Importer = Importer {
    op_type: "Abs",
    since: 7,
    supported: "all, as `2·Relu(x) − x`",
    refused: "",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    Ok(vec![absolute(x, model)?.into()])
}

/// The magnitudes.
pub(super) fn absolute(x: Tensor, model: &mut Builder) -> Result<Tensor, Refused> {
    let relu = model.activation(x, Function::Relu)?;
    let double = model.scale(relu, 2.0)?;
    let minus = model.negate(x)?;
    model.add(double, minus)
}
