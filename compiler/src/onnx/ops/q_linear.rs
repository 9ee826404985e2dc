//! `QLinearConv`, `QLinearMatMul`, and onnxruntime's `QLinearAdd` and `QLinearMul`: an operator on numbers between
//! `DequantizeLinear` and `QuantizeLinear`.

use super::conv::convolve;
use super::mat_mul;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::quantized::{Parameters, operand, refuse_constants, requantize};
use crate::onnx::value::Value;

pub(super) const Q_LINEAR_CONV: Importer = Importer {
    op_type: "QLinearConv",
    since: 10,
    supported: "as `Conv`; scales and zero points, those of weights per tensor or channel",
    refused: "encrypted weights or bias",
    import: conv,
};
pub(super) const Q_LINEAR_MAT_MUL: Importer = Importer {
    op_type: "QLinearMatMul",
    since: 10,
    supported: "as `MatMul`; scales and zero points, those of constants per tensor, row or column",
    refused: "both sides encrypted",
    import: product,
};
pub(super) const Q_LINEAR_ADD: Importer = Importer {
    op_type: "QLinearAdd",
    since: 7,
    supported: "as `Add`; scales and zero points per tensor",
    refused: "",
    import: |node, model| elementwise(node, model, Elementwise::Add),
};
pub(super) const Q_LINEAR_MUL: Importer = Importer {
    op_type: "QLinearMul",
    since: 7,
    supported: "as `Mul`; scales and zero points per tensor",
    refused: "",
    import: |node, model| elementwise(node, model, Elementwise::Mul),
};

fn conv(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let of_x = Parameters::read(node, 1, 2)?;
    let of_weight = Parameters::read(node, 4, 5)?;
    let of_y = Parameters::read(node, 6, 7)?;
    let Operand::Tensor(x) = operand(node, 0, &of_x, 1, model)? else {
        return Err(refuse("input 0 is a constant, expected an encrypted tensor"));
    };
    let bias = match node.optional_constant(8)? {
        // Its integers are those of the sum.
        Some(bias) => Some((8, of_weight.with_factor(&of_x)?.dequantize(bias, -1)?)),
        None => None,
    };
    let weight = of_weight.constant(node, 3, 0)?;
    let y = convolve(x, (3, weight), bias, node, model)?;
    requantize(y, &of_y, node)
}

fn product(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let (of_a, of_b) = (Parameters::read(node, 1, 2)?, Parameters::read(node, 4, 5)?);
    let of_y = Parameters::read(node, 6, 7)?;
    let a = operand(node, 0, &of_a, -2, model)?;
    let b = operand(node, 3, &of_b, -1, model)?;
    let y = mat_mul::product(a, b, model)?;
    requantize(y, &of_y, node)
}

#[derive(Clone, Copy)]
enum Elementwise {
    Add,
    Mul,
}

fn elementwise(
    node: &mut Node<'_>,
    model: &mut Builder,
    op: Elementwise,
) -> Result<Vec<Value>, Refused> {
    refuse_constants(model)?;
    let (of_a, of_b) = (Parameters::read(node, 1, 2)?, Parameters::read(node, 4, 5)?);
    let of_y = Parameters::read(node, 6, 7)?;
    let operands = (operand(node, 0, &of_a, 1, model)?, operand(node, 3, &of_b, 1, model)?);
    let y = match (operands, op) {
        ((Operand::Tensor(a), Operand::Tensor(b)), Elementwise::Add) => model.add(a, b)?,
        ((Operand::Tensor(a), Operand::Tensor(b)), Elementwise::Mul) => model.mul(a, b)?,
        ((Operand::Tensor(x), Operand::Constant(c)), op)
        | ((Operand::Constant(c), Operand::Tensor(x)), op) => match op {
            Elementwise::Add => model.add_const(x, c.into_array())?,
            Elementwise::Mul => model.mul_const(x, c.into_array())?,
        },
        ((Operand::Constant(_), Operand::Constant(_)), _) => {
            return Err(refuse("both operands are constants, expected one encrypted"));
        }
    };
    requantize(y, &of_y, node)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    fn scaled(shape: &[i64]) -> Case {
        Case::new(13, shape)
            .floats("xs", &[], &[0.5])
            .stored("xz", DataType::Uint8, &[], &[10])
            .floats("ys", &[], &[0.25])
            .stored("yz", DataType::Uint8, &[], &[7])
    }

    #[test]
    fn convolutions_with_padding_and_bias() {
        let case = scaled(&[1, 1, 3])
            .of_bytes()
            .stored("w", DataType::Int8, &[2, 1, 3], &[1, 0, 2, 1, 1, 1])
            .floats("ws", &[2], &[2.0, 0.1])
            .stored("wz", DataType::Int8, &[2], &[0, 1])
            .stored("b", DataType::Int32, &[2], &[-1, 100])
            .node("QLinearConv", "x xs xz w ws wz ys yz b", "y", &[("pads", Attr::Ints(&[1, 1]))]);
        // x − 10 = [1, 2, 3] between zeros; sums [4, 7, 2] − 1 of step 1, and 100 of step 0.05.
        let want = vec![12.0 + 7.0, 24.0 + 7.0, 4.0 + 7.0, 27.0, 27.0, 27.0];
        assert_eq!(case.result(&[11.0, 12.0, 13.0]), (vec![1, 2, 3], want));
    }

    #[test]
    fn one_follows_another() {
        let case = scaled(&[1, 2])
            .stored("w", DataType::Int8, &[2, 2], &[1, 2, 3, 4])
            .floats("ws", &[], &[0.5])
            .node("QuantizeLinear", "x xs xz", "q", &[])
            .node("QLinearMatMul", "q xs xz w ws - ys yz", "p", &[])
            .node("QLinearMatMul", "p ys yz w ws - ys yz", "r", &[])
            .node("DequantizeLinear", "r ys yz", "y", &[]);
        // [1, 0.5] becomes [1.25, 2], then [3.625, 5.25], of which the first is halfway between 14 and 15 steps.
        assert_eq!(case.result(&[1.1, 0.6]).1, [3.5, 5.25]);
        let operations = case.operations();
        let ops = operations.iter().map(|line| line.split_whitespace().nth(2).unwrap());
        let want = ["input", "fake_quant", "matmul", "mul", "fake_quant", "matmul", "mul", "t6"];
        assert_eq!(ops.collect::<Vec<_>>(), want);
    }

    #[test]
    fn sums_and_products_elementwise() {
        let run = |op: &str, inputs: &str| {
            let case = scaled(&[2])
                .stored("c", DataType::Uint8, &[2], &[12, 6])
                .node("QuantizeLinear", "x xs xz", "q", &[])
                .node(op, inputs, "p", &[])
                .of_domain("com.microsoft");
            case.node("DequantizeLinear", "p ys yz", "y", &[]).result(&[1.5, -2.0]).1
        };
        assert_eq!(run("QLinearAdd", "q xs xz q xs xz ys yz"), [3.0, -1.75]);
        assert_eq!(run("QLinearAdd", "q xs xz c xs xz ys yz"), [2.5, -1.75]);
        assert_eq!(run("QLinearMul", "c xs xz q xs xz ys yz"), [1.5, 4.0]);
        assert_eq!(run("QLinearMul", "q xs xz q xs xz ys yz"), [2.25, 4.0]);
    }

    #[test]
    fn zero_points_differ_from_those_before() {
        let case = scaled(&[1, 1])
            .stored("w", DataType::Int8, &[1, 1], &[1])
            .floats("ws", &[], &[1.0])
            .node("QuantizeLinear", "x xs xz", "q", &[])
            .node("QLinearMatMul", "q ys yz w ws - ys yz", "r", &[])
            .node("DequantizeLinear", "r ys yz", "y", &[]);
        // 12, less the zero point 7, in steps of a quarter.
        assert_eq!(case.result(&[1.0]).1, [1.25]);
    }
}
