//! Types and shapes of the graph's inputs.

use std::collections::{HashMap, HashSet};

use hecc_grammar::model::{Quantizer, Rounding};

use super::error::{Refused, refuse};
use super::ops;
use super::proto::tensor_shape_proto::Dimension;
use super::proto::tensor_shape_proto::dimension::Value::{DimParam, DimValue};
use super::proto::{GraphProto, ValueInfoProto, type_proto};
use super::shape::{MAX_ELEMENTS, MAX_RANK};
use super::value::{Format, Kind};

/// Integers that single numbers of a plan can stand for.
const MAX_INTEGER: i64 = 1 << 31;

/// What the shapes of single inputs depend on.
pub(super) struct Inputs<'a> {
    /// What an open first dimension becomes.
    rows: usize,
    /// Names that something else than these operators reads.
    read_as_is: HashSet<&'a str>,
}

impl<'a> Inputs<'a> {
    /// `rows` is what an open first dimension becomes.
    pub(super) fn new(graph: &'a GraphProto, rows: usize) -> Inputs<'a> {
        // Names that stand for an input with its elements moved, and that input.
        let mut origins: HashMap<&str, &str> =
            inputs(graph).map(|info| (info.name(), info.name())).collect();
        let mut read_as_is = HashSet::new();
        for node in &graph.node {
            let first = node.input.first().and_then(|name| origins.get(name.as_str()).copied());
            match first {
                Some(origin) if ops::moves(node.op_type()) => {
                    origins.extend(node.output.iter().map(|name| (name.as_str(), origin)));
                }
                _ if ops::reads_integers(node.op_type()) => {}
                _ => read_as_is
                    .extend(node.input.iter().filter_map(|name| origins.get(name.as_str()))),
            }
        }
        read_as_is.extend(graph.output.iter().filter_map(|info| origins.get(info.name())));
        Inputs { rows, read_as_is }
    }

    /// The integers that an input declares to take, if not floats.
    pub(super) fn integers(&self, info: &ValueInfoProto) -> Result<Option<Quantizer>, Refused> {
        let range = element_type(info)?.integers();
        let bounds = |(least, most): (i64, i64)| Quantizer {
            scale: 1.0,
            zero_point: 0,
            q_min: least.max(-MAX_INTEGER),
            q_max: most.min(MAX_INTEGER),
            rounding: Rounding::HalfEven,
        };
        Ok(range.map(bounds))
    }

    /// The static shape of an input (or another declared value).
    pub(super) fn shape(&self, info: &ValueInfoProto) -> Result<Vec<usize>, Refused> {
        let format = element_type(info)?;
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
        let extent = |(d, dim)| self.extent(info.name(), d, dim);
        dims.iter().enumerate().map(extent).collect()
    }

    fn extent(&self, input: &str, d: usize, dim: &Dimension) -> Result<usize, Refused> {
        let name = match &dim.value {
            // Old exporters write what they do not know as 0 or −1.
            Some(DimValue(n @ (0 | -1))) => n.to_string(),
            None => "?".to_owned(),
            Some(DimParam(name)) => name.clone(),
            Some(DimValue(n)) => {
                let extent = usize::try_from(*n).ok().filter(|&n| n <= MAX_ELEMENTS);
                return extent.ok_or_else(|| refuse(format!("dimension {d} is {n}")));
            }
        };
        if d == 0 {
            return Ok(self.rows);
        }
        Err(refuse(format!(
            "dimension {d} is open (`{name}`), expected a number: fix it with \
             `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {input} --input_shape ..`"
        )))
    }
}

fn element_type(info: &ValueInfoProto) -> Result<Format, Refused> {
    let value = info.r#type.as_ref().and_then(|t| t.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = value else {
        return Err(refuse("not a tensor, expected a tensor of floats"));
    };
    Format::of(tensor.elem_type())
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

/// What a model declares as the first dimension of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstDimension {
    /// A number above 1 that all inputs, of two dimensions or more, and all outputs have in common.
    Shared(usize),
    /// Some leave it open: these.
    Open(Vec<bool>),
    /// Numbers, or none, that have nothing in common.
    Fixed,
}

/// See [`FirstDimension`].
pub(super) fn first_dimension(graph: &GraphProto) -> FirstDimension {
    let is_open: Vec<bool> = inputs(graph).map(|info| first_extent(info) == Some(None)).collect();
    if is_open.contains(&true) {
        return FirstDimension::Open(is_open);
    }
    let has_rows = |info| dims(info).is_some_and(|dims| dims.len() > 1);
    let mut all = inputs(graph).chain(&graph.output).map(|info| first_extent(info).flatten());
    match all.next().flatten() {
        Some(n) if n > 1 && inputs(graph).all(has_rows) && all.all(|other| other == Some(n)) => {
            FirstDimension::Shared(n)
        }
        Some(_) | None => FirstDimension::Fixed,
    }
}

/// The first input that leaves its first dimension open.
pub(super) fn open_input(graph: &GraphProto) -> Option<&str> {
    inputs(graph).find(|info| first_extent(info) == Some(None)).map(|info| info.name())
}

/// The inputs that are no initializers, which old files list among them.
fn inputs(graph: &GraphProto) -> impl Iterator<Item = &ValueInfoProto> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name()).collect();
    graph.input.iter().filter(move |info| !stored.contains(info.name()))
}

/// The first dimension: `Some(None)` where it is open, `None` where there is none.
fn first_extent(info: &ValueInfoProto) -> Option<Option<usize>> {
    match dims(info)?.first()?.value.as_ref() {
        Some(DimValue(n)) => Some(usize::try_from(*n).ok().filter(|&n| n > 0)),
        Some(DimParam(_)) | None => Some(None),
    }
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
        // Moved integers are integers still.
        let moved = || integers(Case::new(13, &[1, 3]).node("Transpose", "x", "t", &[]));
        assert_eq!(shape(&moved().node("Cast", "t", "y", &to)), [1, 3]);
        let error = moved().node("Relu", "t", "y", &[]).error();
        assert!(error.contains("element type U8, expected floats"), "{error}");
        // What is declared is known.
        let case = integers(Case::new(13, &[1, 3]).node("Cast", "x", "y", &to));
        assert_eq!(case.result(&[-1.0, 7.0, 300.0]).1, [0.0, 7.0, 255.0]);
    }
}
