//! QONNX's `Quant` (also `IntQuant`) and `BipolarQuant`: rounding to a grid whose width is an input, as Brevitas
//! exports it.
//! <https://github.com/fastmachinelearning/qonnx/tree/main/docs/qonnx-custom-ops>
//!
//! With an odd zero point and numbers halfway between two integers, QONNX rounds the shifted number to the even one and
//! hecc, as ONNX does, the number itself.

use hecc_grammar::model::{ClientOp, Quantizer, Rounding};
use ndarray::{ArrayD, Zip};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::quantized::integer;
use crate::onnx::value::Grid;
use crate::onnx::value::{Constant, Value};

const QUANT_SUPPORTED: &str = "`signed`, `narrow`, `rounding_mode`; constants per tensor or channel; encrypted tensors per tensor; widths of 1 to 32 bits";
const QUANT_REFUSED: &str = "encrypted scales and widths; fractions as zero points or widths";

pub(super) const QUANT: Importer = Importer {
    op_type: "Quant",
    since: 7,
    supported: QUANT_SUPPORTED,
    refused: QUANT_REFUSED,
    import: quant,
};
pub(super) const INT_QUANT: Importer = Importer { op_type: "IntQuant", ..QUANT };
pub(super) const BIPOLAR_QUANT: Importer = Importer {
    op_type: "BipolarQuant",
    since: 7,
    supported: "constants per tensor or channel; encrypted tensors per tensor",
    refused: "encrypted scales",
    import: bipolar_quant,
};

fn quant(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (scale, zero_point, bits) = (node.constant(1)?, node.constant(2)?, node.constant(3)?);
    let (is_signed, is_narrow) = (node.flag("signed", true)?, node.flag("narrow", false)?);
    let rounding = rounding(node.attr::<String>("rounding_mode")?)?;
    let zero_point = zero_point.uniform().ok_or_else(|| refuse("zero points differ"))?;
    let zero_point = integer(zero_point)?;
    let bits = bits.uniform().filter(|bits| (1.0..=32.0).contains(bits) && bits.fract() == 0.0);
    let bits = bits.ok_or_else(|| refuse("the width is no integer from 1 to 32"))? as u32;
    // Where the zero point is not 0, these modes would round away from or towards another number than 0.
    let symmetric =
        matches!(rounding, Rounding::Up | Rounding::Down | Rounding::HalfUp | Rounding::HalfDown);
    if zero_point != 0 && symmetric {
        return Err(refuse(format!(
            "rounding mode {} with zero point {zero_point}, expected 0",
            rounding.name()
        )));
    }
    if (bits, is_signed) == (1, true) {
        return match zero_point {
            0 => signs(&scale, node, model),
            _ => Err(refuse(format!("one bit with zero point {zero_point}, expected 0"))),
        };
    }
    let (q_min, q_max) = range(bits, is_signed, is_narrow);
    let quantizer = Quantizer { scale: 1.0, zero_point, q_min, q_max, rounding };
    quantizer.check().map_err(|error| refuse(error.to_string()))?;
    match node.value(0) {
        Some(Value::Constant(c)) => {
            Ok(vec![on_grid(&c, &scale, |x| quantizer.quantize(x) as f64)?.into()])
        }
        _ => rounded(Quantizer { scale: one(&scale)?, ..quantizer }, node, model),
    }
}

/// The smallest and the largest integer of a width.
fn range(bits: u32, is_signed: bool, is_narrow: bool) -> (i64, i64) {
    let narrow = i64::from(is_narrow);
    match is_signed {
        true => (-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1 - narrow),
    }
}

fn rounding(mode: Option<String>) -> Result<Rounding, Refused> {
    let mode = mode.unwrap_or_else(|| "ROUND".to_owned()).to_uppercase();
    match &mode[..] {
        "ROUND" | "HALF_EVEN" => Ok(Rounding::HalfEven),
        "CEIL" => Ok(Rounding::Ceil),
        "FLOOR" => Ok(Rounding::Floor),
        "UP" => Ok(Rounding::Up),
        "DOWN" | "ROUND_TO_ZERO" => Ok(Rounding::Down),
        "HALF_UP" => Ok(Rounding::HalfUp),
        "HALF_DOWN" => Ok(Rounding::HalfDown),
        _ => Err(refuse(format!(
            "attribute `rounding_mode` is `{mode}`, expected ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN"
        ))),
    }
}

fn bipolar_quant(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let scale = node.constant(1)?;
    signs(&scale, node, model)
}

/// `scale` where input 0 is not negative, else `−scale`.
fn signs(
    scale: &Constant,
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    if let Some(Value::Constant(c)) = node.value(0) {
        return Ok(vec![on_grid(&c, scale, |x| if x >= 0.0 { 1.0 } else { -1.0 })?.into()]);
    }
    // Halves of the line, rounded down to −2·scale or 0, and moved to the middle.
    let scale = one(scale)?;
    let (q_min, q_max, rounding) = (-1, 0, Rounding::Floor);
    let halves = Quantizer { scale: 2.0 * scale, zero_point: 0, q_min, q_max, rounding };
    let x = node.tensor(0, model)?;
    let x = model.fake_quant(x, halves)?;
    Ok(vec![model.add_const(x, ArrayD::from_elem(vec![], scale))?.into()])
}

fn one(scale: &Constant) -> Result<f64, Refused> {
    scale.uniform().ok_or_else(|| {
        let shape = scale.shape();
        refuse(format!("an encrypted tensor has scales of shape {shape:?}, expected one number"))
            .instead("quantize activations per tensor; weights may be quantized per channel")
    })
}

/// Integers and scales of a constant.
fn on_grid(
    c: &Constant,
    scale: &Constant,
    quantize: impl Fn(f64) -> f64,
) -> Result<Constant, Refused> {
    let wide = scale.array.broadcast(c.shape()).ok_or_else(|| {
        refuse(format!("scales {:?} do not broadcast to {:?}", scale.shape(), c.shape()))
    })?;
    let integers = Zip::from(&c.array).and(wide).map_collect(|&x, &s| quantize(x / s));
    Ok(Constant::on_grid(Grid::new(integers, scale.clone().into_array())?))
}

/// Input 0 rounded, by whoever computes it.
fn rounded(
    quantizer: Quantizer,
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    quantizer.check().map_err(|error| refuse(error.to_string()))?;
    if let Some(Value::Client { tensor, mut ops, by }) = node.value(0) {
        ops.push(ClientOp::FakeQuant(quantizer));
        return Ok(vec![Value::Client { tensor, ops, by }]);
    }
    let x = node.tensor(0, model)?;
    Ok(vec![model.fake_quant(x, quantizer)?.into()])
}

#[cfg(test)]
mod tests {
    use super::range;
    use crate::onnx::testing::{Attr, Case, DataType};

    /// `x` through a `Quant` with step a half.
    fn quant(bits: f32, zero_point: f32, attributes: &[(&str, Attr<'_>)]) -> Case {
        Case::new(13, &[5])
            .floats("s", &[1], &[0.5])
            .floats("z", &[], &[zero_point])
            .floats("b", &[], &[bits])
            .node("Quant", "x s z b", "y", attributes)
            .of_domain("qonnx.custom_op.general")
    }

    #[test]
    fn widths_and_signs() {
        assert_eq!(range(8, true, true), (-127, 127));
        assert_eq!(range(8, true, false), (-128, 127));
        assert_eq!(range(8, false, true), (0, 254));
        assert_eq!(range(8, false, false), (0, 255));
        let run = |bits, zero_point, signed, narrow| {
            let attributes = [("signed", Attr::Int(signed)), ("narrow", Attr::Int(narrow))];
            quant(bits, zero_point, &attributes).result(&[-9.0, -0.6, 0.25, 0.8, 9.0]).1
        };
        assert_eq!(run(2.0, 0.0, 1, 0), [-1.0, -0.5, 0.0, 0.5, 0.5]);
        assert_eq!(run(2.0, 0.0, 1, 1), [-0.5, -0.5, 0.0, 0.5, 0.5]);
        assert_eq!(run(2.0, 0.0, 0, 0), [0.0, 0.0, 0.0, 1.0, 1.5]);
        assert_eq!(run(2.0, 2.0, 0, 1), [-1.0, -0.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn rounding_modes() {
        let run = |mode| {
            let attributes = [("signed", Attr::Int(1)), ("rounding_mode", Attr::Text(mode))];
            quant(8.0, 0.0, &attributes).result(&[-1.25, -0.75, -0.1, 0.1, 0.75]).1
        };
        assert_eq!(run("ROUND"), [-1.0, -1.0, 0.0, 0.0, 1.0]);
        assert_eq!(run("CEIL"), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(run("floor"), [-1.5, -1.0, -0.5, 0.0, 0.5]);
        assert_eq!(run("UP"), [-1.5, -1.0, -0.5, 0.5, 1.0]);
        assert_eq!(run("ROUND_TO_ZERO"), [-1.0, -0.5, 0.0, 0.0, 0.5]);
        assert_eq!(run("HALF_UP"), [-1.5, -1.0, 0.0, 0.0, 1.0]);
        assert_eq!(run("HALF_DOWN"), [-1.0, -0.5, 0.0, 0.0, 0.5]);
        let error = quant(8.0, 0.0, &[("rounding_mode", Attr::Text("STOCHASTIC"))]).error();
        assert!(error.contains("`rounding_mode` is `STOCHASTIC`"), "{error}");
    }

    #[test]
    fn one_bit_is_a_sign() {
        let (xs, signs) = ([-9.0, -0.1, 0.0, 0.1, 9.0], [-0.5, -0.5, 0.5, 0.5, 0.5]);
        assert_eq!(quant(1.0, 0.0, &[("signed", Attr::Int(1))]).result(&xs).1, signs);
        let case = Case::new(13, &[5]).floats("s", &[], &[0.5]);
        let case = case.node("BipolarQuant", "x s", "y", &[]).of_domain("onnx.brevitas");
        assert_eq!(case.result(&xs).1, signs);
        let unsigned = quant(1.0, 0.0, &[("signed", Attr::Int(0))]);
        assert_eq!(unsigned.result(&xs).1, [0.0, 0.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn weights_become_integers() {
        let weights = |quantizer: &str, attributes: &[(&str, Attr<'_>)]| {
            let inputs = if quantizer == "Quant" { "f s z b" } else { "f s" };
            let case = Case::new(13, &[1, 2])
                .floats("f", &[2, 2], &[0.26, -0.74, 9.0, 0.1])
                .floats("s", &[2, 1], &[0.5, 0.25])
                .floats("z", &[], &[0.0])
                .floats("b", &[], &[4.0])
                .node(quantizer, inputs, "w", attributes)
                .of_domain("finn.custom_op.general")
                .node("Gemm", "x w", "y", &[("transB", Attr::Int(1))]);
            case.import().unwrap().constants
        };
        let found = weights("Quant", &[("signed", Attr::Int(1)), ("narrow", Attr::Int(1))]);
        assert_eq!(found[0], ndarray::array![[1.0, 7.0], [-1.0, 0.0]].into_dyn());
        assert_eq!(found[1], ndarray::array![[0.5, 0.25]].into_dyn());
        let found = weights("BipolarQuant", &[]);
        assert_eq!(found[0], ndarray::array![[1.0, 1.0], [-1.0, 1.0]].into_dyn());
    }

    /// A quantizer of four bits on the data and one of three on weights and bias, per channel, as Brevitas exports them.
    fn twin(is_standard: bool) -> Case {
        let (signed, narrow) = (("signed", Attr::Int(1)), ("narrow", Attr::Int(1)));
        let case = Case::new(13, &[1, 2, 2, 2])
            .floats("s", &[], &[0.25])
            .floats("t", &[2], &[0.5, 0.25])
            .floats("u", &[2], &[0.125, 0.0625]);
        let case = match is_standard {
            true => case
                .stored("z", DataType::Uint8, &[], &[0])
                .stored("hi", DataType::Uint8, &[], &[15])
                .stored("wq", DataType::Int8, &[2, 2, 1, 1], &[3, -3, 1, 2])
                .stored("bq", DataType::Int32, &[2], &[100, -7])
                .node("QuantizeLinear", "x s z", "q", &[])
                .node("Clip", "q - hi", "c", &[])
                .node("DequantizeLinear", "c s z", "d", &[])
                .node("DequantizeLinear", "wq t", "w", &[("axis", Attr::Int(0))])
                .node("DequantizeLinear", "bq u", "b", &[("axis", Attr::Int(0))]),
            false => case
                .floats("z", &[], &[0.0])
                .floats("four", &[], &[4.0])
                .floats("three", &[], &[3.0])
                .floats("all", &[], &[32.0])
                .floats("tw", &[2, 1, 1, 1], &[0.5, 0.25])
                .floats("wf", &[2, 2, 1, 1], &[1.6, -9.0, 0.2, 0.55])
                .floats("bf", &[2], &[12.51, -0.43])
                .node("Quant", "x s z four", "d", &[("signed", Attr::Int(0))])
                .of_domain("qonnx.custom_op.general")
                .node("Quant", "wf tw z three", "w", &[signed, narrow])
                .of_domain("qonnx.custom_op.general")
                .node("Quant", "bf u z all", "b", &[("signed", Attr::Int(1))])
                .of_domain("qonnx.custom_op.general"),
        };
        case.node("Conv", "d w b", "y", &[])
    }

    #[test]
    fn both_exports_have_one_form() {
        let [standard, qonnx] = [true, false].map(|is| twin(is).import().unwrap());
        let ops = |model: &hecc_grammar::model::Model| -> Vec<_> {
            model.nodes.iter().map(|node| node.op.clone()).collect()
        };
        assert_eq!(ops(&standard), ops(&qonnx));
        assert_eq!(standard.constants, qonnx.constants);
        let want = ["input", "fake_quant", "conv", "mul", "add", "t4"];
        let operations = twin(true).operations();
        let found = operations.iter().map(|line| line.split_whitespace().nth(2).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), want);
    }

    #[test]
    fn fractions_and_others_of_the_domain_are_refused() {
        assert!(quant(2.5, 0.0, &[]).error().contains("the width is no integer"));
        assert!(quant(33.0, 0.0, &[]).error().contains("the width is no integer"));
        assert!(quant(8.0, 0.5, &[]).error().contains("zero point 0.5, expected an integer"));
        let up = [("rounding_mode", Attr::Text("UP"))];
        assert!(quant(8.0, 1.0, &up).error().contains("rounding mode up with zero point 1"));
        for op in ["Trunc", "FloatQuant", "MultiThreshold"] {
            let case = Case::new(13, &[1]).node(op, "x", "y", &[]);
            let error = case.of_domain("qonnx.custom_op.general").error();
            assert!(error.contains("this operator") && error.contains("instead: Quant"), "{error}");
        }
        let im2col = Case::new(13, &[1]).node("Im2Col", "x", "y", &[]);
        let error = im2col.of_domain("qonnx.custom_op.general").error();
        assert!(error.contains("domain `qonnx.custom_op.general`"), "{error}");
    }
}
