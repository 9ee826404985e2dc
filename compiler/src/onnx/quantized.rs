//! What the operators of quantized networks share: scales and zero points, and the two directions between numbers and
//! integers.
//!
//! Everything is lowered to numbers: integers of encrypted tensors exist between two nodes of the file only.

use hecc_grammar::model::{ClientOp, Quantizer, Rounding, Tensor};
use ndarray::{ArrayD, Zip};

use super::builder::Builder;
use super::error::{Refused, refuse};
use super::node::{Node, Operand};
use super::shape;
use super::value::{Constant, Format, Grid, Kind, Quantized, Value};

/// A node's scale and zero point: of one number each, or of one for each element of a dimension.
#[derive(Clone)]
pub(super) struct Parameters {
    scale: Constant,
    zero_point: Option<Constant>,
    /// Element type of the integers, where it is known.
    pub(super) format: Option<Format>,
}

impl Parameters {
    /// Reads the inputs `scale` and `zero_point`, of which the latter may be left out.
    pub(super) fn read(
        node: &mut Node<'_>,
        scale: usize,
        zero_point: usize,
    ) -> Result<Parameters, Refused> {
        let parameters = Parameters::integers(node, zero_point)?;
        Ok(Parameters { scale: node.constant(scale)?, ..parameters })
    }

    /// Integers that are numbers as they are, but for the input `zero_point`.
    pub(super) fn integers(node: &mut Node<'_>, zero_point: usize) -> Result<Parameters, Refused> {
        let zero_point = node.optional_constant(zero_point)?;
        let format = zero_point.as_ref().and_then(|c| c.format);
        let scale = Constant::new(ArrayD::ones(vec![]), Kind::Float);
        Ok(Parameters { scale, zero_point, format })
    }

    /// The scale where it is one number.
    pub(super) fn scale(&self) -> Result<f64, Refused> {
        self.scale.uniform().ok_or_else(|| per_channel(&self.scale))
    }

    /// The zero point where it is one number.
    pub(super) fn zero_point(&self) -> Result<i64, Refused> {
        let Some(zero_point) = &self.zero_point else { return Ok(0) };
        integer(zero_point.uniform().ok_or_else(|| per_channel(zero_point))?)
    }

    /// Rounding as ONNX does it, to the integers of the element type; `uint8` where none is known.
    pub(super) fn quantizer(&self) -> Result<Quantizer, Refused> {
        let format = self.format.unwrap_or(Format::U8);
        let (scale, zero_point, (q_min, q_max)) =
            (self.scale()?, self.zero_point()?, range(format)?);
        let quantizer = Quantizer { scale, zero_point, q_min, q_max, rounding: Rounding::HalfEven };
        quantizer.check().map_err(|error| refuse(error.to_string()))?;
        Ok(quantizer)
    }

    /// Input `i`, a constant of integers, dequantized.
    pub(super) fn constant(
        &self,
        node: &mut Node<'_>,
        i: usize,
        axis: i64,
    ) -> Result<Constant, Refused> {
        self.dequantize(node.constant(i)?, axis)
    }

    /// The parameters of sums of products of integers with these parameters and an encrypted tensor's.
    pub(super) fn with_factor(&self, of_x: &Parameters) -> Result<Parameters, Refused> {
        let scale = self.scale.clone().into_array() * of_x.scale()?;
        let scale = Constant::new(scale, Kind::Float);
        Ok(Parameters { scale, zero_point: None, format: Some(Format::I32) })
    }

    /// `(q − zero_point)·scale`, kept apart.
    pub(super) fn dequantize(&self, c: Constant, axis: i64) -> Result<Constant, Refused> {
        let [scale, zero_point] = self.arrays(c.shape(), axis)?;
        Ok(Constant::on_grid(Grid::new(c.into_array() - zero_point, scale)?))
    }

    /// Scales and zero points in a form that broadcasts to `shape`: lists run along `axis`.
    fn arrays(&self, shape: &[usize], axis: i64) -> Result<[ArrayD<f64>; 2], Refused> {
        let zero = Constant::new(ArrayD::zeros(vec![]), Kind::Int);
        let zero_point = self.zero_point.as_ref().unwrap_or(&zero);
        Ok([along(&self.scale, shape, axis)?, along(zero_point, shape, axis)?])
    }
}

/// A number that must be an integer.
pub(super) fn integer(number: f64) -> Result<i64, Refused> {
    match number.fract() == 0.0 && number.abs() <= f64::from(u32::MAX) {
        true => Ok(number as i64),
        false => Err(refuse(format!("zero point {number}, expected an integer of 32 bits"))),
    }
}

/// The smallest and the largest integer of an element type.
fn range(format: Format) -> Result<(i64, i64), Refused> {
    let range = format.quantized_range();
    range.ok_or_else(|| refuse(format!("integers of type {format:?}, expected 4 to 32 bits")))
}

fn per_channel(c: &Constant) -> Refused {
    refuse(format!(
        "an encrypted tensor has scales or zero points of shape {:?}, expected one number",
        c.shape()
    ))
    .instead("quantize activations per tensor; weights may be quantized per channel")
}

/// One number, or one for each element of the dimension `axis`, in the rank of `shape`.
fn along(c: &Constant, shape: &[usize], axis: i64) -> Result<ArrayD<f64>, Refused> {
    let (mut extents, found) = (vec![1; shape.len()], c.shape());
    if c.array.len() != 1 {
        if found.len() != 1 {
            return Err(refuse(format!(
                "scales or zero points of shape {found:?} (by blocks), expected one number or a list"
            )));
        }
        let axis = shape::axis(axis, shape.len())?;
        if found[0] != shape[axis] {
            return Err(refuse(format!(
                "{} scales or zero points, expected {} as dimension {axis} of {shape:?}",
                found[0], shape[axis]
            )));
        }
        extents[axis] = found[0];
    }
    ArrayD::from_shape_vec(extents, c.to_vec()).map_err(|e| refuse(e.to_string()))
}

/// What `QuantizeLinear` makes of a value; lists of scales run along `axis`.
pub(super) fn quantize(
    value: Value,
    parameters: &Parameters,
    axis: i64,
    node: &Node<'_>,
) -> Result<Value, Refused> {
    let (tensor, client) = match value {
        Value::Constant(c) => return quantize_constant(&c, parameters, axis).map(Value::from),
        Value::Tensor(tensor) => (tensor, vec![]),
        Value::Client { tensor, ops, .. } => (tensor, ops),
        Value::Quantized(q) => return Err(refuse(format!("input 0 is quantized by {}", q.by))),
        Value::Strings(_) => return Err(refuse("input 0 holds texts, expected numbers")),
        Value::Absent(why) => return Err(refuse(format!("input 0: {why}"))),
        Value::Unknown => unreachable!("nodes that read unknown values are skipped"),
    };
    let (quantizer, by) = (parameters.quantizer()?, node.label());
    Ok(Value::Quantized(Quantized { tensor, client, quantizer, by }))
}

fn quantize_constant(c: &Constant, of: &Parameters, axis: i64) -> Result<Constant, Refused> {
    let format = of.format.unwrap_or(Format::U8);
    let ((q_min, q_max), [scale, zero_point]) = (range(format)?, of.arrays(c.shape(), axis)?);
    let wide = |array: &ArrayD<f64>| array.broadcast(c.shape()).map(|view| view.to_owned());
    let (Some(scale), Some(zero_point)) = (wide(&scale), wide(&zero_point)) else {
        return Err(refuse(format!("scales do not broadcast to {:?}", c.shape())));
    };
    let integers = Zip::from(&c.array).and(&scale).and(&zero_point).map_collect(|&x, &s, &z| {
        ((x / s).round_ties_even() + z).clamp(q_min as f64, q_max as f64)
    });
    Ok(Constant::new(integers, Kind::Int).stored_as(Some(format)))
}

/// What `DequantizeLinear` makes of integers: `(q − zero_point)·scale`. Plain encrypted tensors are taken to hold
/// integers.
pub(super) fn dequantize(
    value: Value,
    parameters: &Parameters,
    axis: i64,
    model: &mut Builder,
) -> Result<Value, Refused> {
    match value {
        Value::Constant(c) => parameters.dequantize(c, axis).map(Value::from),
        Value::Quantized(q) => dequantize_rounded(q, parameters, model),
        Value::Tensor(x) => {
            let shape = model.shape(x);
            let [scale, zero_point] = parameters.arrays(&shape, axis)?;
            let x = model.add_const(x, -zero_point)?;
            Ok(model.mul_const(x, scale)?.into())
        }
        Value::Client { by, .. } => {
            Err(refuse(format!("input 0 is the result of {by}, not integers")))
        }
        Value::Strings(_) => Err(refuse("input 0 holds texts, expected numbers")),
        Value::Absent(why) => Err(refuse(format!("input 0: {why}"))),
        Value::Unknown => unreachable!("nodes that read unknown values are skipped"),
    }
}

fn dequantize_rounded(
    q: Quantized,
    parameters: &Parameters,
    model: &mut Builder,
) -> Result<Value, Refused> {
    let (scale, zero_point) = (parameters.scale()?, parameters.zero_point()?);
    let same = (scale, zero_point) == (q.quantizer.scale, q.quantizer.zero_point);
    if !q.client.is_empty() {
        if !same {
            return Err(refuse(format!("scale or zero point differ from those of {}", q.by)));
        }
        let ops = q.client.into_iter().chain([ClientOp::FakeQuant(q.quantizer)]).collect();
        return Ok(Value::Client { tensor: q.tensor, ops, by: q.by });
    }
    let mut x = model.fake_quant(q.tensor, q.quantizer)?;
    if !same {
        // The integers keep their numbers and change their meaning.
        let shift = (q.quantizer.zero_point - zero_point) as f64 * scale;
        x = model.scale(x, scale / q.quantizer.scale)?;
        x = model.add_const(x, ArrayD::from_elem(vec![], shift))?;
    }
    Ok(x.into())
}

/// The integers themselves as numbers of an encrypted tensor, zero point included.
pub(super) fn integers(q: &Quantized, model: &mut Builder) -> Result<Tensor, Refused> {
    let x = model.fake_quant(q.tensor, q.quantizer)?;
    let x = model.scale(x, 1.0 / q.quantizer.scale)?;
    model.add_const(x, ArrayD::from_elem(vec![], q.quantizer.zero_point as f64))
}

/// Input `i` of an operator on integers, dequantized.
pub(super) fn operand(
    node: &mut Node<'_>,
    i: usize,
    parameters: &Parameters,
    axis: i64,
    model: &mut Builder,
) -> Result<Operand, Refused> {
    let value = node.value(i).ok_or_else(|| refuse(format!("input {i} is missing")))?;
    match dequantize(value, parameters, axis, model)? {
        Value::Tensor(tensor) => Ok(Operand::Tensor(tensor)),
        Value::Constant(constant) => Ok(Operand::Constant(constant)),
        Value::Client { by, .. } => Err(refuse(format!(
            "input {i} is the result of {by}, which only the client can compute"
        ))),
        Value::Quantized(_) | Value::Strings(_) | Value::Absent(_) | Value::Unknown => {
            unreachable!("what is dequantized is a number")
        }
    }
}

/// A tensor that an operator on integers leaves rounded to the grid of its result.
pub(super) fn requantize(
    tensor: Tensor,
    parameters: &Parameters,
    node: &Node<'_>,
) -> Result<Vec<Value>, Refused> {
    Ok(vec![quantize(tensor.into(), parameters, 0, node)?])
}

/// Operators on integers are not computed at import.
pub(super) fn refuse_constants(model: &Builder) -> Result<(), Refused> {
    match model.is_scratch() {
        true => Err(refuse("all inputs are constants, expected encrypted data")),
        false => Ok(()),
    }
}
