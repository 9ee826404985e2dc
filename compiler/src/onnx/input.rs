//! Types and shapes of the graph's inputs.

use super::error::{Refused, refuse};
use super::proto::tensor_shape_proto::Dimension;
use super::proto::tensor_shape_proto::dimension::Value::{DimParam, DimValue};
use super::proto::{GraphProto, ValueInfoProto, type_proto};
use super::shape::MAX_ELEMENTS;
use super::tensor::Format;
use super::value::Kind;

/// What becomes of the first dimension of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// It becomes 1 where the model leaves it open, and where all inputs and outputs declare the same number.
    One,
    /// A declared number stays; 1 where it is open.
    AsDeclared,
}

/// The static shape of an input (or another declared value).
pub(super) fn shape(
    info: &ValueInfoProto,
    graph: &GraphProto,
    batch: Batch,
) -> Result<Vec<usize>, Refused> {
    let Some(type_proto::Value::TensorType(tensor)) =
        info.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(refuse("not a tensor, expected a tensor of floats"));
    };
    let format = Format::of(tensor.elem_type())?;
    let from_cast = format.kind() == Kind::Int && only_cast(info.name(), graph);
    if format.kind() != Kind::Float && !from_cast {
        return Err(refuse(format!(
            "element type {format:?}, expected floats (or integers that only Cast nodes read)"
        )));
    }
    let dims = dims(info).ok_or_else(|| refuse("no shape, expected one with fixed dimensions"))?;
    let mut shape = Vec::with_capacity(dims.len());
    for (d, dim) in dims.iter().enumerate() {
        let name = match &dim.value {
            Some(DimValue(n)) if *n > 0 => {
                let n = usize::try_from(*n).ok().filter(|&n| n <= MAX_ELEMENTS);
                let n = n.ok_or_else(|| refuse(format!("dimension {d} is too large")))?;
                let is_batch = d == 0 && batch == Batch::One && dims.len() > 1;
                shape.push(if is_batch && shared_batch(graph) == Some(n) { 1 } else { n });
                continue;
            }
            // Old exporters write what they do not know as 0 or −1.
            Some(DimValue(n @ (0 | -1))) => n.to_string(),
            None => "?".to_owned(),
            Some(DimValue(n)) => return Err(refuse(format!("dimension {d} is {n}"))),
            Some(DimParam(name)) => name.clone(),
        };
        if d > 0 {
            return Err(refuse(format!(
                "dimension {d} is open (`{name}`), expected a number: fix it with \
                 `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {} --input_shape ..`",
                info.name()
            )));
        }
        shape.push(1);
    }
    Ok(shape)
}

fn dims(info: &ValueInfoProto) -> Option<&[Dimension]> {
    match info.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(&tensor.shape.as_ref()?.dim),
        type_proto::Value::SequenceType(_)
        | type_proto::Value::MapType(_)
        | type_proto::Value::OptionalType(_)
        | type_proto::Value::SparseTensorType(_)
        | type_proto::Value::OpaqueType(_) => None,
    }
}

/// The number that all inputs and outputs declare as their first dimension.
fn shared_batch(graph: &GraphProto) -> Option<usize> {
    let is_stored =
        |info: &&ValueInfoProto| graph.initializer.iter().any(|t| t.name() == info.name());
    let mut first =
        graph.input.iter().filter(|info| !is_stored(info)).chain(&graph.output).map(|info| {
            match dims(info)?.first()?.value.as_ref()? {
                DimValue(n) => usize::try_from(*n).ok(),
                DimParam(_) => None,
            }
        });
    let batch = first.next()??;
    first.all(|n| n == Some(batch)).then_some(batch)
}

/// Whether every reader of the name is a `Cast`, as of images given in bytes.
fn only_cast(name: &str, graph: &GraphProto) -> bool {
    let mut readers = graph.node.iter().filter(|node| node.input.iter().any(|input| input == name));
    readers.all(|node| node.op_type() == "Cast") && !graph.output.iter().any(|o| o.name() == name)
}
