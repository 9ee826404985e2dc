//! `ConvInteger` and `MatMulInteger`: sums of products of integers, whose scales other nodes apply.

use super::conv::convolve;
use super::mat_mul;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::quantized::{Parameters, operand, refuse_constants};
use crate::onnx::value::Value;

pub(super) const CONV_INTEGER: Importer = Importer {
    op_type: "ConvInteger",
    since: 10,
    supported: "as `Conv`; zero points, those of weights per tensor or channel",
    refused: "encrypted weights; inputs of a `DynamicQuantizeLinear`",
    import: conv_integer,
};
pub(super) const MAT_MUL_INTEGER: Importer = Importer {
    op_type: "MatMulInteger",
    since: 10,
    supported: "as `MatMul`; zero points, those of constants per tensor, row or column",
    refused: "both sides encrypted; inputs of a `DynamicQuantizeLinear`",
    import: mat_mul_integer,
};

fn conv_integer(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let (x, factor) = match integers(node, 0, 2, -1, model)? {
        (Operand::Tensor(x), factor) => (x, factor),
        (Operand::Constant(_), _) => {
            return Err(refuse("input 0 is a constant, expected an encrypted tensor"));
        }
    };
    let weight = Parameters::integers(node, 3)?.constant(node, 1, 0)?;
    let y = convolve(x, (1, weight), None, node, model)?;
    Ok(vec![model.scale(y, factor)?.into()])
}

fn mat_mul_integer(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let (a, a_factor) = integers(node, 0, 2, -2, model)?;
    let (b, b_factor) = integers(node, 1, 3, -1, model)?;
    let y = mat_mul::product(a, b, model)?;
    Ok(vec![model.scale(y, a_factor * b_factor)?.into()])
}

/// Input `i` less its zero point, divided by a factor: encrypted integers are numbers of the grid that they were rounded
/// to, so that the factor can be applied behind the product.
fn integers(
    node: &mut Node<'_>,
    i: usize,
    zero_point: usize,
    axis: i64,
    model: &mut Builder,
) -> Result<(Operand, f64), Refused> {
    if let Some(Value::Quantized(q)) = node.value(i) {
        let parameters = Parameters::integers(node, zero_point)?;
        if parameters.zero_point()? == q.quantizer.zero_point && q.client.is_empty() {
            let x = model.fake_quant(q.tensor, q.quantizer)?;
            return Ok((Operand::Tensor(x), 1.0 / q.quantizer.scale));
        }
    }
    let parameters = Parameters::integers(node, zero_point)?;
    Ok((operand(node, i, &parameters, axis, model)?, 1.0))
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    #[test]
    fn padding_is_the_zero_point() {
        // x − 10 = [1, 2, 3] with a zero on either side, w − 1 = [1, 0, 2].
        let case = Case::new(13, &[1, 1, 3])
            .of_bytes()
            .stored("w", DataType::Uint8, &[1, 1, 3], &[2, 1, 3])
            .stored("xz", DataType::Uint8, &[], &[10])
            .stored("wz", DataType::Uint8, &[], &[1])
            .node("ConvInteger", "x w xz wz", "y", &[("pads", Attr::Ints(&[1, 1]))]);
        assert_eq!(case.result(&[11.0, 12.0, 13.0]).1, [4.0, 7.0, 2.0]);
    }

    #[test]
    fn scales_are_behind_the_sum() {
        let case = Case::new(13, &[1, 2])
            .floats("s", &[], &[0.5])
            .stored("z", DataType::Uint8, &[], &[3])
            .stored("w", DataType::Int8, &[2, 2], &[1, 2, 3, 4])
            .stored("wz", DataType::Int8, &[2], &[0, 1])
            .floats("t", &[], &[0.125])
            .node("QuantizeLinear", "x s z", "q", &[])
            .node("MatMulInteger", "q w z wz", "i", &[])
            .node("Cast", "i", "f", &[("to", Attr::Int(1))])
            .node("Mul", "f t", "y", &[]);
        // [2, 4]·[[1, 1], [3, 3]]·0.125
        assert_eq!(case.result(&[1.0, 2.1]).1, [14.0 * 0.125, 14.0 * 0.125]);
        assert_eq!(case.import().unwrap().nodes.len(), 4);
        let wrong = Case::new(13, &[1, 2])
            .of_bytes()
            .stored("z", DataType::Uint8, &[2], &[3, 4])
            .node("MatMulInteger", "x x z", "y", &[]);
        assert!(wrong.error().contains("2 scales or zero points, expected 1"), "{}", wrong.error());
    }
}
