//! `QuantizeLinear` and `DequantizeLinear`: from numbers to integers and back. On encrypted tensors the pair is one
//! rounding, on constants it leaves integers and their scales.

use super::Importer;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::quantized::{Parameters, dequantize, quantize};
use crate::onnx::tensor::Format;
use crate::onnx::value::Value;

pub(super) const QUANTIZE_LINEAR: Importer = Importer {
    op_type: "QuantizeLinear",
    since: 10,
    supported: "`axis`, `output_dtype`, `precision`; constants per tensor or channel; encrypted tensors per tensor, before a `DequantizeLinear` or a `Clip`; integers of 4 to 32 bits",
    refused: "`block_size`; floats of 8 bits",
    import: |node, _| quantize_linear(node),
};
pub(super) const DEQUANTIZE_LINEAR: Importer = Importer {
    op_type: "DequantizeLinear",
    since: 10,
    supported: "`axis`, `output_dtype`; constants and encrypted integers per tensor or channel; after a `QuantizeLinear` per tensor",
    refused: "`block_size`; floats of 8 bits",
    import: dequantize_linear,
};

fn quantize_linear(node: &mut Node<'_>) -> Result<Vec<Value>, Refused> {
    let mut parameters = Parameters::read(node, 1, 2)?;
    let axis = axis(node)?;
    // Concerns floats of 8 bits only; the precision of a quotient is that of f64.
    node.ignore("saturate");
    node.ignore("precision");
    if let Some(to) = node.attr::<i64>("output_dtype")?.filter(|&to| to != 0) {
        let to = Format::of(i32::try_from(to).unwrap_or(-1))?;
        if parameters.format.is_some_and(|format| format != to) {
            return Err(refuse(format!(
                "attribute `output_dtype` is {to:?}, the zero point is not"
            )));
        }
        parameters.format = Some(to);
    }
    Ok(vec![quantize(value(node)?, &parameters, axis, node)?])
}

fn dequantize_linear(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let parameters = Parameters::read(node, 1, 2)?;
    let axis = axis(node)?;
    node.ignore("output_dtype");
    Ok(vec![dequantize(value(node)?, &parameters, axis, model)?])
}

fn value(node: &mut Node<'_>) -> Result<Value, Refused> {
    node.value(0).ok_or_else(|| refuse("input 0 is missing"))
}

/// The dimension that lists of scales run along.
fn axis(node: &mut Node<'_>) -> Result<i64, Refused> {
    match node.attr::<i64>("block_size")? {
        None | Some(0) => Ok(node.attr::<i64>("axis")?.unwrap_or(1)),
        Some(size) => Err(refuse(format!("attribute `block_size` is {size}, expected 0"))
            .instead("quantize per channel")),
    }
}
