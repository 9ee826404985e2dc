//! `Cast` between floats, which changes nothing under encryption, and of constants.

use half::{bf16, f16};

use super::Importer;
use super::dropout::pass;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::tensor;
use crate::onnx::value::{Constant, Kind, Value};

pub(super) const CAST: Importer = Importer {
    op_type: "Cast",
    since: 7,
    supported: "`to` any float (encrypted values keep their precision); constants to any number; `saturate` and `round_mode` have no effect on these",
    refused: "encrypted values to integers or bools; strings; floats below 16 bits",
    import,
};

fn import(node: &mut Node<'_>, _: &mut Builder) -> Result<Vec<Value>, Refused> {
    let to = node.attr::<i64>("to")?.ok_or_else(|| refuse("attribute `to` is missing"))?;
    let to = tensor::data_type(i32::try_from(to).unwrap_or(-1))?;
    let kind = tensor::kind(to)?;
    // Both concern only floats of 8 bits and below.
    node.ignore("saturate");
    node.ignore("round_mode");
    match pass(node)? {
        Value::Constant(c) => Ok(vec![constant(c, to, kind).into()]),
        Value::Tensor(x) if kind == Kind::Float => Ok(vec![x.into()]),
        // The client's indices and probabilities are numbers of its own.
        value @ Value::Client { .. } => Ok(vec![value]),
        Value::Tensor(_) | Value::Unknown | Value::Absent(_) => {
            let reason = format!("encrypted values cannot be rounded to {}", to.as_str_name());
            Err(refuse(reason).instead("leave the cast to the client"))
        }
    }
}

fn constant(c: Constant, to: DataType, kind: Kind) -> Constant {
    let from = c.kind;
    let array = c.into_array();
    let array = match kind {
        Kind::Bool => array.mapv_into(|v| f64::from(u8::from(v != 0.0))),
        Kind::Int if from == Kind::Float => array.mapv_into(f64::trunc),
        Kind::Int => array,
        Kind::Float => match to {
            DataType::Float16 => array.mapv_into(|v| f64::from(f16::from_f64(v))),
            DataType::Bfloat16 => array.mapv_into(|v| f64::from(bf16::from_f64(v))),
            // A constant keeps what f64 can hold, as all arithmetic here does.
            _ => array,
        },
    };
    Constant::new(array, kind)
}
