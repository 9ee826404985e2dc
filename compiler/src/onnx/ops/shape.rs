//! `Shape` and `Size`: known, since all shapes are.

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::{Constant, Kind, Value};

pub(super) const SHAPE: Importer = Importer {
    op_type: "Shape",
    since: 7,
    supported: "`start`, `end`",
    refused: "",
    import: shape,
};
pub(super) const SIZE: Importer =
    Importer { op_type: "Size", since: 7, supported: "all", refused: "", import: size };

fn shape(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let shape = input_shape(node, model)?;
    let rank = shape.len() as i64;
    let cut = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let start = cut(node.attr("start")?.unwrap_or(0));
    let end = cut(node.attr("end")?.unwrap_or(rank)).max(start);
    Ok(vec![Constant::integers(shape[start..end].iter().map(|&d| d as i64)).into()])
}

fn size(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let count: usize = input_shape(node, model)?.iter().product();
    let array = ndarray::ArrayD::from_elem(ndarray::IxDyn(&[]), count as f64);
    Ok(vec![Constant::new(array, Kind::Int).into()])
}

fn input_shape(node: &mut Node<'_>, model: &Builder) -> Result<Vec<usize>, Refused> {
    match node.value(0) {
        Some(Value::Tensor(x)) => Ok(model.shape(x)),
        Some(Value::Constant(c)) => Ok(c.shape().to_vec()),
        Some(Value::Quantized(q)) => Ok(model.shape(q.tensor)),
        Some(Value::Client { tensor, ops, .. }) => LastNodes { tensor, ops }.shape(model),
        Some(Value::Strings(names)) => Ok(names.shape),
        Some(Value::Unknown | Value::Absent(_)) | None => {
            Err(refuse("input 0 has no shape that is known"))
        }
    }
}
