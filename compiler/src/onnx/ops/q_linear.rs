//! `QLinearConv`, `QLinearMatMul`, and onnxruntime's `QLinearAdd` and `QLinearMul`: an operator on numbers between
//! `DequantizeLinear` and `QuantizeLinear`.

use super::Importer;
use super::conv::convolve;
use super::mat_mul;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
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
