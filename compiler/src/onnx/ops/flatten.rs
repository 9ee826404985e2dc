//! `Flatten`: to two dimensions, split at `axis`.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const FLATTEN: Importer =
    Importer { op_type: "Flatten", since: 7, supported: "`axis`", refused: "", import };

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let rank = shape.len() as i64;
    let axis = node.attr::<i64>("axis")?.unwrap_or(1);
    // Unlike elsewhere, the rank itself is allowed.
    if !(-rank..=rank).contains(&axis) {
        return Err(refuse(format!("attribute `axis` is {axis}, expected {} to {rank}", -rank)));
    }
    let axis = if axis < 0 { axis + rank } else { axis } as usize;
    let (outer, inner) = (shape[..axis].iter().product(), shape[axis..].iter().product());
    Ok(vec![model.reshape(x, vec![outer, inner])?.into()])
}
