//! onnxruntime's `QGemm`: `α·A'·B' + C` between `DequantizeLinear` and `QuantizeLinear`, where `C` has the scale of the
//! product.

use super::gemm;
use crate::onnx::builder::Builder;
use crate::onnx::error::Refused;
use crate::onnx::importer::Importer;
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

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    fn case(inputs: &str) -> Case {
        let transposed = [("transB", Attr::Int(1)), ("alpha", Attr::Float(2.0))];
        Case::new(13, &[1, 2])
            .floats("s", &[], &[0.5])
            .stored("z", DataType::Uint8, &[], &[10])
            .stored("w", DataType::Int8, &[3, 2], &[1, 2, 3, 4, 5, 6])
            .floats("ws", &[3], &[1.0, 0.5, 0.25])
            .stored("wz", DataType::Int8, &[3], &[0, 0, 1])
            .stored("c", DataType::Int32, &[3], &[2, 4, 8])
            .node("QuantizeLinear", "x s z", "q", &[])
            .node("QGemm", inputs, "g", &transposed)
            .of_domain("com.microsoft")
    }

    #[test]
    fn sums_are_rounded_if_asked_for() {
        // x is [0.5, 1] of [1, 2] steps; sums [5, 11, 14] plus [2, 4, 8], in steps of [1, 0.5, 0.25].
        let exact = [7.0, 7.5, 5.5];
        assert_eq!(case("q s z w ws wz c").result(&[0.5, 1.1]).1, exact);
        let rounded = case("q s z w ws wz c s z").node("DequantizeLinear", "g s z", "y", &[]);
        assert_eq!(rounded.result(&[0.5, 1.1]).1, exact);
        assert_eq!(case("q s z w ws wz").result(&[0.5, 1.1]).1, [5.0, 5.5, 3.5]);
    }

    #[test]
    fn weights_stay_integers() {
        let model = case("q s z w ws wz c").import().unwrap();
        assert_eq!(model.constants[0], ndarray::array![[1., 3., 4.], [2., 4., 5.]].into_dyn());
        assert_eq!(model.constants[1], ndarray::array![[2.0, 1.0, 0.5]].into_dyn());
    }
}
