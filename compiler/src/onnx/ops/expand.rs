//! `Expand`: broadcasting in both directions.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const EXPAND: Importer =
    Importer { op_type: "Expand", since: 8, supported: "a constant shape", refused: "", import };

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let wanted = node.constant(1)?;
    if wanted.shape().len() != 1 || wanted.shape()[0] > shape::MAX_RANK {
        return Err(refuse(format!("input 1 has shape {:?}, expected a list", wanted.shape())));
    }
    let wanted = shape::counts(&wanted.to_integers()?, "the shape")?;
    let to = shape::broadcast(model.model.shape(x), &wanted)?;
    Ok(vec![model.expand(x, to)?.into()])
}
