//! QONNX's `Quant` (also `IntQuant`) and `BipolarQuant`: rounding to a grid whose width is an input, as Brevitas
//! exports it.
//! <https://github.com/fastmachinelearning/qonnx/tree/main/docs/qonnx-custom-ops>
//!
//! With an odd zero point and numbers halfway between two integers, QONNX rounds the shifted number to the even one and
//! hecc, as ONNX does, the number itself.

use hecc_grammar::model::{ClientOp, Quantizer, Rounding};
use ndarray::{ArrayD, Zip};

use super::Importer;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::quantized::integer;
use crate::onnx::value::{Constant, Value};
use crate::onnx::weight::Grid;

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
