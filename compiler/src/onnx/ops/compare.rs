//! Comparisons and rounding to integers: of constants at import, at the end of the network by the client.

use hecc_grammar::model::{ClientOp, Comparison, Integral};

use super::constant_math::zip;
use crate::onnx::builder::Builder;
use crate::onnx::client::{LastNodes, numbers};
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Pair};
use crate::onnx::shape;
use crate::onnx::value::{Constant, Kind, Value};

const SUPPORTED: &str = "constants; last node, applied by the client";
const REFUSED: &str = "inside the network";

macro_rules! compare {
    ($name:ident, $op_type:literal, $since:literal, $comparison:expr) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: $since,
            supported: SUPPORTED,
            refused: REFUSED,
            import: |node, model| compare(node, model, $comparison),
        };
    };
}

macro_rules! round {
    ($name:ident, $op_type:literal, $since:literal, $to:expr) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: $since,
            supported: SUPPORTED,
            refused: REFUSED,
            import: |node, model| round(node, model, $to),
        };
    };
}

compare!(EQUAL, "Equal", 7, Comparison::Equal);
compare!(GREATER, "Greater", 7, Comparison::Greater);
compare!(GREATER_OR_EQUAL, "GreaterOrEqual", 12, Comparison::GreaterOrEqual);
compare!(LESS, "Less", 7, Comparison::Less);
compare!(LESS_OR_EQUAL, "LessOrEqual", 12, Comparison::LessOrEqual);
round!(CEIL, "Ceil", 7, Integral::Ceil);
round!(FLOOR, "Floor", 7, Integral::Floor);
round!(ROUND, "Round", 11, Integral::Even);
round!(SIGN, "Sign", 9, Integral::Sign);

pub(super) const NOT: Importer =
    Importer { op_type: "Not", since: 7, supported: SUPPORTED, refused: REFUSED, import: not };

fn compare(
    node: &mut Node<'_>,
    model: &mut Builder,
    comparison: Comparison,
) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        let (a, b) = (node.constant(0)?, node.constant(1)?);
        let array = zip(&a, &b, model, |a, b| f64::from(u8::from(comparison.holds(a, b))))?;
        return Ok(vec![Constant::new(array, Kind::Bool).into()]);
    }
    let is_known = |value| matches!(value, Some(Value::Constant(_)));
    let chain = match (is_known(node.value(0)), is_known(node.value(1))) {
        (_, true) => against(LastNodes::of(node, 0, model)?, node.constant(1)?, comparison, model)?,
        (true, false) => {
            let exchanged = comparison.exchanged();
            against(LastNodes::of(node, 1, model)?, node.constant(0)?, exchanged, model)?
        }
        (false, false) => {
            let Pair::Both(a, b) = node.pair(model)? else {
                return Err(refuse("no input is encrypted"));
            };
            let minus = model.negate(b)?;
            let tensor = model.add(a, minus)?;
            let op = ClientOp::Compare { comparison, with: vec![0.0] };
            LastNodes { tensor, ops: vec![op] }
        }
    };
    Ok(vec![chain.value(node, model)?])
}

fn against(
    chain: LastNodes,
    c: Constant,
    comparison: Comparison,
    model: &Builder,
) -> Result<LastNodes, Refused> {
    let to = shape::broadcast(&chain.shape(model)?, c.shape())?;
    let chain = chain.widened(&to, model)?;
    Ok(chain.then(ClientOp::Compare { comparison, with: numbers(&c, &to)? }))
}

fn not(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        let c = node.constant(0)?;
        let array = c.into_array().mapv_into(|v| f64::from(u8::from(v == 0.0)));
        return Ok(vec![Constant::new(array, Kind::Bool).into()]);
    }
    let op = ClientOp::Compare { comparison: Comparison::Equal, with: vec![0.0] };
    Ok(vec![LastNodes::of(node, 0, model)?.then(op).value(node, model)?])
}

fn round(node: &mut Node<'_>, model: &mut Builder, to: Integral) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        let c = node.constant(0)?;
        let kind = c.kind;
        return Ok(vec![Constant::new(c.into_array().mapv_into(|v| to.round(v)), kind).into()]);
    }
    Ok(vec![LastNodes::of(node, 0, model)?.then(ClientOp::Round(to)).value(node, model)?])
}
