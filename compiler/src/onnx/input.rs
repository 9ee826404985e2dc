//! Types and shapes of the graph's inputs.

use std::collections::{HashMap, HashSet};

use super::error::{Refused, refuse};
use super::proto::tensor_shape_proto::Dimension;
use super::proto::tensor_shape_proto::dimension::Value::{DimParam, DimValue};
use super::proto::{GraphProto, TensorProto, ValueInfoProto, type_proto};
use super::shape::{MAX_ELEMENTS, MAX_RANK};
use super::tensor::Format;
use super::value::Kind;

/// What becomes of the first dimension of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// It becomes 1 where the model leaves it open, and where all inputs and outputs declare the same number.
    One,
    /// A declared number stays; 1 where it is open.
    AsDeclared,
}

/// Operators that read integers.
const READ_INTEGERS: &[&str] = &[
    "Cast",
    "ConvInteger",
    "DequantizeLinear",
    "MatMulInteger",
    "QGemm",
    "QLinearAdd",
    "QLinearConv",
    "QLinearMatMul",
    "QLinearMul",
];

/// What the shapes of single inputs depend on.
pub(super) struct Inputs<'a> {
    /// First dimension that becomes 1.
    batch: Option<usize>,
    /// Names that something else than these operators reads.
    read_as_is: HashSet<&'a str>,
}

impl<'a> Inputs<'a> {
    /// `stored` are the names of the initializers, which old files list among the inputs.
    pub(super) fn new(
        graph: &'a GraphProto,
        stored: &HashMap<&str, &TensorProto>,
        batch: Batch,
    ) -> Inputs<'a> {
        let batch = match batch {
            Batch::One => shared_batch(graph, stored),
            Batch::AsDeclared => None,
        };
        let others = graph.node.iter().filter(|node| !READ_INTEGERS.contains(&node.op_type()));
        let read_as_is = others
            .flat_map(|node| node.input.iter().map(String::as_str))
            .chain(graph.output.iter().map(|info| info.name()))
            .collect();
        Inputs { batch, read_as_is }
    }

    /// The static shape of an input (or another declared value).
    pub(super) fn shape(&self, info: &ValueInfoProto) -> Result<Vec<usize>, Refused> {
        let value = info.r#type.as_ref().and_then(|t| t.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = value else {
            return Err(refuse("not a tensor, expected a tensor of floats"));
        };
        let format = Format::of(tensor.elem_type())?;
        // Images given in bytes are cast or dequantized first thing.
        let only_cast = format.kind() == Kind::Int && !self.read_as_is.contains(info.name());
        if format.kind() != Kind::Float && !only_cast {
            return Err(refuse(format!(
                "element type {format:?}, expected floats (or integers that only nodes like Cast or DequantizeLinear read)"
            )));
        }
        let dims =
            dims(info).ok_or_else(|| refuse("no shape, expected one with fixed dimensions"))?;
        if dims.len() > MAX_RANK {
            let reason = format!("{} dimensions, expected at most {MAX_RANK}", dims.len());
            return Err(refuse(reason));
        }
        let extent = |(d, dim)| self.extent(info.name(), d, dim, dims.len());
        dims.iter().enumerate().map(extent).collect()
    }

    fn extent(
        &self,
        input: &str,
        d: usize,
        dim: &Dimension,
        rank: usize,
    ) -> Result<usize, Refused> {
        let name = match &dim.value {
            // Old exporters write what they do not know as 0 or −1.
            Some(DimValue(n @ (0 | -1))) => n.to_string(),
            None => "?".to_owned(),
            Some(DimParam(name)) => name.clone(),
            Some(DimValue(n)) => {
                let extent = usize::try_from(*n).ok().filter(|&n| n <= MAX_ELEMENTS);
                let extent = extent.ok_or_else(|| refuse(format!("dimension {d} is {n}")))?;
                let is_batch = d == 0 && rank > 1 && self.batch == Some(extent);
                return Ok(if is_batch { 1 } else { extent });
            }
        };
        if d == 0 {
            return Ok(1);
        }
        Err(refuse(format!(
            "dimension {d} is open (`{name}`), expected a number: fix it with \
             `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {input} --input_shape ..`"
        )))
    }
}

fn dims(info: &ValueInfoProto) -> Option<&[Dimension]> {
    match info.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(&tensor.shape.as_ref()?.dim),
        type_proto::Value::SequenceType(_)
        | type_proto::Value::MapType(_)
        | type_proto::Value::OptionalType(_)
        | type_proto::Value::SparseTensorType(_)
        | type_proto::Value::OpaqueType(_) => None,
    }
}

/// The number that all inputs and outputs declare as their first dimension.
fn shared_batch(graph: &GraphProto, stored: &HashMap<&str, &TensorProto>) -> Option<usize> {
    let inputs = graph.input.iter().filter(|info| !stored.contains_key(info.name()));
    let mut first =
        inputs.chain(&graph.output).map(|info| match dims(info)?.first()?.value.as_ref()? {
            DimValue(n) => usize::try_from(*n).ok(),
            DimParam(_) => None,
        });
    let batch = first.next()??;
    first.all(|n| n == Some(batch)).then_some(batch)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Case, value_info};

    fn shape(case: &Case) -> Vec<usize> {
        case.import_for_one().unwrap().nodes[0].shape.clone()
    }

    #[test]
    fn the_batch_becomes_one() {
        assert_eq!(shape(&Case::new(13, &[-1, 3]).node("Relu", "x", "y", &[])), [1, 3]);
        // Nobody says that the first of these three dimensions is a batch.
        let mut case = Case::new(13, &[4, 3]).node("Relu", "x", "y", &[]);
        assert_eq!(shape(&case), [4, 3]);
        case.graph().output = vec![value_info("y", &[4, 3])];
        assert_eq!(shape(&case), [1, 3]);
        case.graph().output = vec![value_info("y", &[3, 4])];
        assert_eq!(shape(&case), [4, 3]);
    }

    #[test]
    fn other_open_dimensions_say_how_to_fix_them() {
        let error = Case::new(13, &[-1, 3, -1]).node("Relu", "x", "y", &[]).error();
        assert!(
            error.starts_with("input `x`: dimension 2 is open (`N`), expected a number"),
            "{error}"
        );
        assert!(error.contains("make_dynamic_shape_fixed --input_name x"), "{error}");
        let error = Case::new(13, &[1, -5]).node("Relu", "x", "y", &[]).error();
        assert_eq!(error, "input `x`: dimension 1 is -5");
        Case::new(13, &[1, i64::MAX]).node("Relu", "x", "y", &[]).error();
        Case::new(13, &[1 << 27, 1 << 27]).node("Relu", "x", "y", &[]).error();
    }

    #[test]
    fn integers_are_for_casts_only() {
        use crate::onnx::proto::type_proto::Value::TensorType;
        let integers = |mut case: Case| {
            let value = case.graph().input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
            let TensorType(tensor) = value else { panic!("a tensor") };
            tensor.elem_type = Some(2);
            case
        };
        let to = [("to", crate::onnx::testing::Attr::Int(1))];
        assert_eq!(shape(&integers(Case::new(13, &[1, 3]).node("Cast", "x", "y", &to))), [1, 3]);
        let error = integers(Case::new(13, &[1, 3]).node("Relu", "x", "y", &[])).error();
        assert!(error.contains("element type U8, expected floats"), "{error}");
    }
}
