//! `Clip`, `Min`, `Max`.

use hecc_grammar::model::{Function, Quantizer, Tensor};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::finite;
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::value::{Constant, Quantized, Value};

pub(super) const CLIP: Importer = Importer {
    op_type: "Clip",
    since: 7,
    supported: "`min`, `max`, as attributes or constant inputs, either left out; integers after a `QuantizeLinear`",
    refused: "encrypted ends",
    import: clip,
};
pub(super) const MAX: Importer = Importer {
    op_type: "Max",
    since: 7,
    supported: "any operands: `Clip` by one number, else `b + Relu(a − b)`",
    refused: "",
    import: |node, model| extremum(node, model, 1.0),
};
pub(super) const MIN: Importer = Importer {
    op_type: "Min",
    since: 7,
    supported: "any operands: `Clip` by one number, else `b − Relu(b − a)`",
    refused: "",
    import: |node, model| extremum(node, model, -1.0),
};

fn clip(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let quantized = match node.value(0) {
        Some(Value::Quantized(q)) => Some(q),
        _ => None,
    };
    let (lo, hi) = if node.opset < 11 {
        (node.attr::<f64>("min")?, node.attr::<f64>("max")?)
    } else {
        let (lo, hi) = (node.optional_constant(1)?, node.optional_constant(2)?);
        (lo.map(scalar).transpose()?, hi.map(scalar).transpose()?)
    };
    // The largest f32 is the default of old operator sets.
    let largest = f64::from(f32::MAX);
    let lo = lo.filter(|&v| v > -largest).unwrap_or(f64::NEG_INFINITY);
    let hi = hi.filter(|&v| v < largest).unwrap_or(f64::INFINITY);
    if let Some(q) = quantized {
        return Ok(vec![Value::Quantized(narrowed(q, lo, hi)?)]);
    }
    let x = node.tensor(0, model)?;
    Ok(vec![between(x, lo, hi, model)?.into()])
}

/// Integers of fewer bits, which is how exporters write widths that no element type has.
fn narrowed(mut q: Quantized, lo: f64, hi: f64) -> Result<Quantized, Refused> {
    let Quantizer { q_min, q_max, .. } = &mut q.quantizer;
    // Infinite ends saturate.
    *q_min = (lo.ceil() as i64).max(*q_min);
    *q_max = (hi.floor() as i64).min(*q_max);
    q.quantizer.check().map_err(|error| refuse(error.to_string()))?;
    Ok(q)
}

fn scalar(c: Constant) -> Result<f64, Refused> {
    match c.to_vec()[..] {
        [only] if only.is_nan() => finite::check(&c.array).map(|()| only),
        [only] => Ok(only),
        _ => Err(refuse(format!("an end has shape {:?}, expected one number", c.shape()))),
    }
}

fn between(x: Tensor, lo: f64, hi: f64, model: &mut Builder) -> Result<Tensor, Refused> {
    if lo.is_nan() || hi.is_nan() || lo == f64::INFINITY || hi == f64::NEG_INFINITY {
        return Err(refuse(format!("everything is put between {lo} and {hi}, expected numbers")));
    }
    match (lo, hi) {
        (f64::NEG_INFINITY, f64::INFINITY) => Ok(x),
        (0.0, f64::INFINITY) => model.activation(x, Function::Relu),
        // ONNX lets the upper end win where the two cross.
        _ => model.activation(x, Function::Clip { lo: lo.min(hi), hi }),
    }
}

/// `sign` 1 gives the largest operand, −1 the smallest.
fn extremum(node: &mut Node<'_>, model: &mut Builder, sign: f64) -> Result<Vec<Value>, Refused> {
    let (mut tensors, mut constants) = (Vec::new(), Vec::new());
    for i in 0..node.n_inputs() {
        match node.operand(i, model)? {
            Operand::Tensor(x) => tensors.push(x),
            Operand::Constant(c) => constants.push(c),
        }
    }
    let mut tensors = tensors.into_iter();
    let mut y = tensors.next().ok_or_else(|| refuse("no inputs, expected at least one"))?;
    for x in tensors {
        // max(a, b) = b + relu(a − b); min(a, b) = b − relu(b − a).
        let minus = model.scale(x, -sign)?;
        let plus = model.scale(y, sign)?;
        let difference = model.add(plus, minus)?;
        let relu = model.activation(difference, Function::Relu)?;
        let relu = model.scale(relu, sign)?;
        y = model.add(relu, x)?;
    }
    for c in constants {
        y = match c.uniform() {
            Some(v) => {
                let shape = crate::onnx::shape::broadcast(model.model.shape(y), c.shape())?;
                let wide = model.expand(y, shape)?;
                let infinity = f64::INFINITY;
                let (lo, hi) = if sign > 0.0 { (v, infinity) } else { (-infinity, v) };
                between(wide, lo, hi, model)?
            }
            None => {
                let c = c.into_array();
                let plus = model.scale(y, sign)?;
                let difference = model.add_const(plus, &c * -sign)?;
                let relu = model.activation(difference, Function::Relu)?;
                let relu = model.scale(relu, sign)?;
                model.add_const(relu, c)?
            }
        };
    }
    Ok(vec![y.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn both_forms_of_ends() {
        let six = ("max", Attr::Float(6.0));
        let case = Case::new(7, &[3]).node("Clip", "x", "y", &[("min", Attr::Float(0.0)), six]);
        assert_eq!(case.result(&[-1.0, 3.0, 7.0]).1, [0.0, 3.0, 6.0]);
        let case = Case::new(12, &[3]).floats("hi", &[], &[6.0]).node("Clip", "x - hi", "y", &[]);
        assert_eq!(case.result(&[-1.0, 3.0, 7.0]).1, [-1.0, 3.0, 6.0]);
        let case = Case::new(12, &[1]).floats("lo", &[], &[0.0]).node("Clip", "x lo", "y", &[]);
        assert_eq!(case.operations()[1..], ["output \"y\" t0 | relu"]);
        assert_eq!(
            Case::new(12, &[1]).node("Clip", "x", "y", &[]).import().unwrap().nodes.len(),
            1
        );
    }

    #[test]
    fn extrema_of_tensors_and_constants() {
        let case = Case::new(13, &[2]).floats("c", &[2], &[1.0, 5.0]);
        assert_eq!(case.node("Min", "x c", "y", &[]).result(&[3.0, 4.0]).1, [1.0, 4.0]);
        let case = Case::new(13, &[2]).input("z", &[2]).floats("c", &[1], &[2.0]);
        let y = case.node("Max", "x c z", "y", &[]).run(&[&[3.0, 1.0], &[4.0, 1.5]]).remove(0);
        assert_eq!(y.iter().copied().collect::<Vec<_>>(), [4.0, 2.0]);
    }
}
