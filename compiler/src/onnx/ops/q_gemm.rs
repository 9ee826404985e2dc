//! onnxruntime's `QGemm`: `α·A'·B' + C` between `DequantizeLinear` and `QuantizeLinear`, where `C` has the scale of the
//! product.

use super::Importer;
use super::gemm;
use crate::onnx::builder::Builder;
use crate::onnx::error::Refused;
use crate::onnx::node::Node;
use crate::onnx::quantized::{Parameters, operand, refuse_constants, requantize};
use crate::onnx::value::Value;

pub(super) const Q_GEMM: Importer = Importer {
    op_type: "QGemm",
    since: 7,
    supported: "`alpha`, `transA`, `transB`; scales and zero points, those of constants per tensor or column; C constant or left out; without a scale of the result, this is not rounded",
    refused: "A and B both encrypted",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let alpha = node.attr::<f64>("alpha")?.unwrap_or(1.0);
    let (trans_a, trans_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let (of_a, of_b) = (Parameters::read(node, 1, 2)?, Parameters::read(node, 4, 5)?);
    let a = operand(node, 0, &of_a, if trans_a { 1 } else { 0 }, model)?;
    let b = operand(node, 3, &of_b, if trans_b { 0 } else { 1 }, model)?;
    let mut y = gemm::product((a, trans_a), (b, trans_b), alpha, model)?;
    if let Some(c) = node.optional_constant(6)? {
        let c = of_b.with_factor(&of_a)?.dequantize(c, -1)?;
        y = model.add_const(y, c.into_array() * alpha)?;
    }
    if !node.has_input(7) {
        return Ok(vec![y.into()]);
    }
    let of_y = Parameters::read(node, 7, 8)?;
    requantize(y, &of_y, node)
}
