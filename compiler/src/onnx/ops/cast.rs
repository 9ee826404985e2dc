//! `Cast` between floats, which changes nothing under encryption, of constants, and of what the client sees.

use half::{bf16, f16};
use hecc_grammar::model::{ClientOp, Comparison, Integral};
use ndarray::ArrayD;

use super::dropout::pass;
use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::value::Format;
use crate::onnx::value::{Constant, Kind, Value};

pub(super) const CAST: Importer = Importer {
    op_type: "Cast",
    since: 7,
    supported: "`to` any float (encrypted values keep their precision); constants to any number, at the end of the network by the client; `saturate` and `round_mode` have no effect on these",
    refused: "inside the network to integers or bools; floats below 16 bits and integers below 4",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let to = node.attr::<i64>("to")?.ok_or_else(|| refuse("attribute `to` is missing"))?;
    if to == i64::from(DataType::String as i32) {
        // Numbers print as they are, names are names already.
        return Ok(vec![pass(node)?]);
    }
    let to = Format::of(i32::try_from(to).unwrap_or(-1))?;
    // Both concern only floats of 8 bits and below.
    node.ignore("saturate");
    node.ignore("round_mode");
    match pass(node)? {
        Value::Constant(c) => Ok(vec![constant(c, to)?.into()]),
        Value::Tensor(x) if to.kind() == Kind::Float => Ok(vec![x.into()]),
        Value::Quantized(q) if q.client.is_empty() => {
            Ok(vec![crate::onnx::quantized::integers(&q, model)?.into()])
        }
        Value::Tensor(tensor) => {
            Ok(vec![by_client(LastNodes { tensor, ops: vec![] }, to, node, model)?])
        }
        Value::Client { tensor, ops, .. } => {
            Ok(vec![by_client(LastNodes { tensor, ops }, to, node, model)?])
        }
        // Names of classes.
        value @ Value::Strings(_) => Ok(vec![value]),
        Value::Quantized(_) | Value::Unknown | Value::Absent(_) => {
            let reason = format!("integers that the client computes cannot become {to:?}");
            Err(refuse(reason).instead("a DequantizeLinear at the end"))
        }
    }
}

/// The cast of what the client sees.
fn by_client(
    chain: LastNodes,
    to: Format,
    node: &Node<'_>,
    model: &Builder,
) -> Result<Value, Refused> {
    if matches!(to, Format::I4 | Format::U4) {
        let reason = format!("encrypted values cannot be rounded to {to:?}");
        return Err(refuse(reason).instead("an integer of 8 bits or more"));
    }
    let zero = vec![0.0];
    let chain = match (to.kind(), chain.ops.last()) {
        (Kind::Float, _) => chain,
        (
            _,
            Some(ClientOp::ArgMax { .. } | ClientOp::TopKIndices { .. } | ClientOp::Compare { .. }),
        ) => chain,
        (_, Some(ClientOp::Round(_) | ClientOp::Labels { .. })) => chain,
        (Kind::Int, _) => chain.then(ClientOp::Round(Integral::Truncate)),
        (Kind::Bool, _) => {
            chain.then(ClientOp::Compare { comparison: Comparison::NotEqual, with: zero })
        }
    };
    chain.value(node, model)
}

fn constant(c: Constant, to: Format) -> Result<Constant, Refused> {
    if c.grid.is_some() && matches!(to, Format::F32 | Format::F64) {
        return Ok(c);
    }
    let from = c.kind;
    let array = c.into_array();
    let array = match to {
        Format::Bool => array.mapv_into(|v| f64::from(u8::from(v != 0.0))),
        Format::F16 => array.mapv_into(|v| f64::from(f16::from_f64(v))),
        Format::Bf16 => array.mapv_into(|v| f64::from(bf16::from_f64(v))),
        // A constant keeps what f64 can hold, as all arithmetic here does.
        Format::F32 | Format::F64 => array,
        Format::I4 | Format::I8 | Format::I16 | Format::I32 | Format::I64 => {
            to_integers(array, from, to)?
        }
        Format::U4 | Format::U8 | Format::U16 | Format::U32 | Format::U64 => {
            to_integers(array, from, to)?
        }
    };
    Ok(Constant::new(array, to.kind()).stored_as(Some(to)))
}

/// Floats lose what is behind the point and must fit; of integers the lowest bits stay.
fn to_integers(array: ArrayD<f64>, from: Kind, to: Format) -> Result<ArrayD<f64>, Refused> {
    let Some((least, most)) = to.integers() else { return Ok(array) };
    let count = most as f64 - least as f64 + 1.0;
    let array = if from == Kind::Float { array.mapv_into(f64::trunc) } else { array };
    // Wider integers are not told apart by f64; their ends stand for "as far as there is".
    let is_wide = matches!(to, Format::I64 | Format::U64);
    let is_outside = |v: &&f64| !(least as f64..=most as f64).contains(*v);
    match array.iter().find(is_outside) {
        None => Ok(array),
        Some(_) if to == Format::U64 && from != Kind::Float => {
            let two_to_64 = 2.0 * count;
            Ok(array.mapv_into(|v| if v < 0.0 { v + two_to_64 } else { v }))
        }
        Some(_) if is_wide && array.iter().all(|v| !v.is_nan()) => {
            Ok(array.mapv_into(|v| v.clamp(least as f64, most as f64)))
        }
        Some(_) if from != Kind::Float => {
            Ok(array.mapv_into(|v| (v - least as f64).rem_euclid(count) + least as f64))
        }
        Some(v) => Err(refuse(format!("{v} does not fit {to:?}, {least} to {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn encrypted_values_stay_floats() {
        let to = |n| [("to", Attr::Int(n)), ("saturate", Attr::Int(1))];
        assert_eq!(Case::new(19, &[1]).node("Cast", "x", "y", &to(10)).result(&[0.1]).1, [0.1]);
        assert_eq!(Case::new(19, &[1]).node("Cast", "x", "y", &to(7)).result(&[-1.7]).1, [-1.0]);
        assert_eq!(Case::new(19, &[1]).node("Cast", "x", "y", &to(9)).result(&[-1.7]).1, [1.0]);
        assert!(
            Case::new(19, &[1]).node("Cast", "x", "y", &to(1 << 40)).error().contains("unknown")
        );
    }

    #[test]
    fn constants_are_rounded() {
        let case = |to: i64| {
            let case = Case::new(13, &[1]).floats("c", &[1], &[-1.7]);
            let case = case.node("Cast", "c", "d", &[("to", Attr::Int(to))]);
            case.node("Add", "x d", "y", &[]).result(&[0.0]).1
        };
        assert_eq!(case(7), [-1.0]);
        assert_eq!(case(9), [1.0]);
        assert_eq!(case(10), [-1.700_195_312_5]);
        assert_eq!(case(16), [-1.703_125]);
        let wrapped = |to: i64, v: i64| {
            let case = Case::new(13, &[1]).ints("c", &[v]);
            let case = case.node("Cast", "c", "d", &[("to", Attr::Int(to))]);
            case.node("Cast", "d", "e", &[("to", Attr::Int(1))])
                .node("Add", "x e", "y", &[])
                .result(&[0.0])
                .1[0]
        };
        assert_eq!(wrapped(2, 300), 44.0);
        assert_eq!(wrapped(2, -1), 255.0);
        assert_eq!(wrapped(3, 200), -56.0);
        assert_eq!(wrapped(6, 1 << 31), -2_147_483_648.0);
        assert_eq!(wrapped(9, 7), 1.0);
        let large = Case::new(13, &[1]).floats("c", &[1], &[300.0]);
        let large = large.node("Cast", "c", "d", &[("to", Attr::Int(2))]);
        let error = large.node("Add", "x d", "y", &[]).error();
        assert!(error.contains("300 does not fit U8, 0 to 255"), "{error}");
    }
}
