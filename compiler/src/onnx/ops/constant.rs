//! `Constant`, `ConstantOfShape`, `Range`.

use ndarray::{ArrayD, IxDyn};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::file::tensor;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::proto::TensorProto;
use crate::onnx::shape;
use crate::onnx::value::{Constant, Kind, Strings, Value};

pub(super) const CONSTANT: Importer = Importer {
    op_type: "Constant",
    since: 7,
    supported: "`value`, `value_float`, `value_floats`, `value_int`, `value_ints`, `value_strings`",
    refused: "`sparse_value`, `value_string`",
    import: constant,
};
pub(super) const CONSTANT_OF_SHAPE: Importer = Importer {
    op_type: "ConstantOfShape",
    since: 9,
    supported: "`value`; a constant shape",
    refused: "",
    import: constant_of_shape,
};
pub(super) const RANGE: Importer = Importer {
    op_type: "Range",
    since: 11,
    supported: "constant start, limit and delta",
    refused: "`stash_type`",
    import: range,
};

fn constant(node: &mut Node<'_>, _: &mut Builder) -> Result<Vec<Value>, Refused> {
    let scalar = |v: f64, kind| Constant::new(ArrayD::from_elem(IxDyn(&[]), v), kind);
    let value = if let Some(names) = node.attr::<Vec<String>>("value_strings")? {
        let shape = vec![names.len()];
        return Ok(vec![Value::Strings(Strings { names: names.into(), shape })]);
    } else if let Some(tensor) = node.attr::<TensorProto>("value")? {
        if tensor::holds_strings(&tensor) {
            return Ok(vec![Value::Strings(tensor::read_strings(&tensor)?)]);
        }
        node.stored(&tensor)?
    } else if let Some(v) = node.attr::<f64>("value_float")? {
        scalar(v, Kind::Float)
    } else if let Some(v) = node.attr::<i64>("value_int")? {
        scalar(v as f64, Kind::Int)
    } else if let Some(v) = node.attr::<Vec<f64>>("value_floats")? {
        Constant::new(ndarray::Array1::from(v).into_dyn(), Kind::Float)
    } else if let Some(v) = node.attr::<Vec<i64>>("value_ints")? {
        Constant::integers(v)
    } else {
        return Err(refuse("a value of a type that is not supported, expected numbers"));
    };
    Ok(vec![value.into()])
}

fn constant_of_shape(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let shape = shape::counts(&node.constant(0)?.to_integers()?, "the shape")?;
    let value =
        node.attr::<TensorProto>("value")?.map(|tensor| node.stored(&tensor)).transpose()?;
    let (value, kind) = match value {
        None => (0.0, Kind::Float),
        Some(c) if c.array.len() == 1 => (c.to_vec()[0], c.kind),
        Some(c) => {
            return Err(refuse(format!("`value` has shape {:?}, expected one element", c.shape())));
        }
    };
    model.spend(shape::count(&shape)?)?;
    Ok(vec![Constant::new(ArrayD::from_elem(IxDyn(&shape), value), kind).into()])
}

fn range(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (start, limit, delta) = (node.constant(0)?, node.constant(1)?, node.constant(2)?);
    let kind = start.kind;
    let one = |c: Constant| {
        c.uniform().filter(|v| v.is_finite()).ok_or_else(|| refuse("an end is not one number"))
    };
    let (start, limit, delta) = (one(start)?, one(limit)?, one(delta)?);
    let count = ((limit - start) / delta).ceil().max(0.0);
    if count.is_nan() || count > shape::MAX_ELEMENTS as f64 {
        return Err(refuse(format!("from {start} to {limit} by {delta}: too many elements")));
    }
    model.spend(count as usize)?;
    let values = (0..count as usize).map(|i| start + i as f64 * delta);
    Ok(vec![Constant::new(ndarray::Array1::from_iter(values).into_dyn(), kind).into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, floats};

    #[test]
    fn constants_of_every_form() {
        let sum = |op: &str, attributes: &[(&str, Attr<'_>)]| {
            let case = Case::new(13, &[1]).ints("s", &[3]);
            let input = if op == "Constant" { "" } else { "s" };
            case.node(op, input, "c", attributes).node("Add", "x c", "y", &[]).result(&[1.0])
        };
        let value = || ("value", Attr::Tensor(Box::new(floats("", &[1], &[7.0]))));
        assert_eq!(sum("Constant", &[value()]), (vec![1], vec![8.0]));
        assert_eq!(sum("Constant", &[("value_int", Attr::Int(2))]).1, [3.0]);
        assert_eq!(sum("Constant", &[("value_float", Attr::Float(0.5))]).1, [1.5]);
        assert_eq!(sum("Constant", &[("value_ints", Attr::Ints(&[1, 2]))]).1, [2.0, 3.0]);
        assert_eq!(sum("ConstantOfShape", &[value()]).1, [8.0, 8.0, 8.0]);
        assert_eq!(sum("ConstantOfShape", &[]).1, [1.0, 1.0, 1.0]);
        let text =
            Case::new(13, &[1]).node("Constant", "", "y", &[("value_string", Attr::Text("a"))]);
        assert!(text.error().contains("not supported"));
    }

    #[test]
    fn ranges_are_finite() {
        let case = |limit: f32, delta: f32| {
            let case = Case::new(13, &[1]).floats("a", &[], &[0.0]);
            let case = case.floats("l", &[], &[limit]).floats("d", &[], &[delta]);
            case.node("Range", "a l d", "r", &[]).node("Add", "x r", "y", &[])
        };
        assert_eq!(case(1.0, 0.4).result(&[0.0]).0, [3]);
        for (limit, delta) in [(1.0, 0.0), (1e30, 1.0), (f32::NAN, 1.0), (1.0, f32::INFINITY)] {
            case(limit, delta).error();
        }
        assert!(case(1.0, -1.0).error().contains("has no elements"));
    }
}
