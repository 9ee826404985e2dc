//! Builds small models for the tests of the importer.

use hecc_grammar::model::Model;
use ndarray::ArrayD;
use prost::Message;

use super::proto::attribute_proto::AttributeType;
pub(super) use super::proto::tensor_proto::DataType;
use super::proto::tensor_shape_proto::{Dimension, dimension};
use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use super::{Batch, ImportError, import, import_message};
use crate::interpret;

/// The value of an attribute.
pub(super) enum Attr<'a> {
    Int(i64),
    Float(f32),
    Ints(&'a [i64]),
    Floats(&'a [f32]),
    Text(&'a str),
    Texts(&'a [&'a str]),
    Tensor(Box<TensorProto>),
    Graph(Box<GraphProto>),
}

/// A model under construction: inputs, constants, nodes; the outputs are those of the last node.
pub(super) struct Case {
    pub(super) model: ModelProto,
}

impl Case {
    /// A model with one input `x` and no nodes.
    pub(super) fn new(opset: i64, shape: &[i64]) -> Case {
        let set = OperatorSetIdProto { version: Some(opset), ..Default::default() };
        let graph = GraphProto { input: vec![value_info("x", shape)], ..Default::default() };
        let model =
            ModelProto { opset_import: vec![set], graph: Some(graph), ..Default::default() };
        Case { model }
    }

    pub(super) fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().unwrap()
    }

    pub(super) fn input(mut self, name: &str, shape: &[i64]) -> Case {
        self.graph().input.push(value_info(name, shape));
        self
    }

    pub(super) fn floats(mut self, name: &str, shape: &[i64], values: &[f32]) -> Case {
        self.graph().initializer.push(floats(name, shape, values));
        self
    }

    pub(super) fn ints(mut self, name: &str, values: &[i64]) -> Case {
        self.graph().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![values.len() as i64],
            data_type: Some(7),
            int64_data: values.to_vec(),
            ..Default::default()
        });
        self
    }

    /// Adds a list of texts.
    pub(super) fn strings(mut self, name: &str, values: &[&str]) -> Case {
        self.graph().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![values.len() as i64],
            data_type: Some(DataType::String as i32),
            string_data: values.iter().map(|text| text.as_bytes().to_vec().into()).collect(),
            ..Default::default()
        });
        self
    }

    /// Adds a constant of integers of the element type, 8 to 32 bits wide.
    pub(super) fn stored(
        mut self,
        name: &str,
        data_type: DataType,
        shape: &[i64],
        values: &[i32],
    ) -> Case {
        self.graph().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: shape.to_vec(),
            data_type: Some(data_type as i32),
            int32_data: values.to_vec(),
            ..Default::default()
        });
        self
    }

    /// Puts the last node into another domain.
    pub(super) fn of_domain(mut self, domain: &str) -> Case {
        let node = self.graph().node.last_mut().unwrap();
        node.domain = Some(domain.to_owned());
        self
    }

    /// Makes the input `x` one of bytes.
    pub(super) fn of_bytes(mut self) -> Case {
        let value = self.graph().input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
        let type_proto::Value::TensorType(tensor) = value else { panic!("a tensor") };
        tensor.elem_type = Some(DataType::Uint8 as i32);
        self
    }

    /// Every node's operation without its operand's name, as model text says it, and the client's.
    pub(super) fn operations(&self) -> Vec<String> {
        let model = self.import().unwrap_or_else(|e| panic!("{e}"));
        let text = model.text(0).to_string();
        let lines = text.lines().filter(|line| line.starts_with(['t', 'o']));
        lines.map(|line| line.split(" : ").next().unwrap_or(line).to_owned()).collect()
    }

    /// What the client applies to the output, as model text says it.
    pub(super) fn client(&self) -> String {
        let last = self.operations().pop().unwrap_or_default();
        last.split_once(" | ").map_or("", |(_, client)| client).to_owned()
    }

    /// Adds a node; names are separated by spaces, `-` stands for one left out.
    pub(super) fn node(
        mut self,
        op_type: &str,
        inputs: &str,
        outputs: &str,
        attributes: &[(&str, Attr<'_>)],
    ) -> Case {
        let names = |list: &str| -> Vec<String> {
            list.split_whitespace().map(|name| name.replace('-', "")).collect()
        };
        let outputs = names(outputs);
        let named = outputs.iter().filter(|name| !name.is_empty());
        self.graph().output = named.map(|name| value_info(name, &[])).collect();
        self.graph().node.push(NodeProto {
            op_type: Some(op_type.to_owned()),
            input: names(inputs),
            output: outputs,
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            ..Default::default()
        });
        self
    }

    /// Imports through the encoded form, shapes as declared.
    pub(super) fn import(&self) -> Result<Model, ImportError> {
        let decoded = ModelProto::decode(&self.model.encode_to_vec()[..]).unwrap();
        import_message(&decoded, None, Batch::AsDeclared)
    }

    /// As users do: the batch becomes 1.
    pub(super) fn import_for_one(&self) -> Result<Model, ImportError> {
        import(self.model.encode_to_vec().into(), None)
    }

    /// The results for inputs given by their elements; what is left to the client is applied.
    pub(super) fn run(&self, inputs: &[&[f64]]) -> Vec<ArrayD<f64>> {
        let model = self.import().unwrap_or_else(|e| panic!("{e}"));
        let arrays: Vec<ArrayD<f64>> = model
            .inputs()
            .zip(inputs)
            .map(|((_, node), x)| ArrayD::from_shape_vec(node.shape.clone(), x.to_vec()).unwrap())
            .collect();
        interpret::run_with_client(&model, &arrays).unwrap()
    }

    /// The first result's shape and elements.
    pub(super) fn result(&self, x: &[f64]) -> (Vec<usize>, Vec<f64>) {
        let y = self.run(&[x]).remove(0);
        (y.shape().to_vec(), y.iter().copied().collect())
    }

    /// The message of the refusal.
    pub(super) fn error(&self) -> String {
        self.import().expect_err("the case should be refused").to_string()
    }
}

pub(super) fn floats(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: shape.to_vec(),
        data_type: Some(1),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// Declares a tensor of floats; −1 is an open dimension.
pub(super) fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| match n {
        -1 => dimension::Value::DimParam("N".to_owned()),
        n => dimension::Value::DimValue(n),
    };
    let dim = shape.iter().map(|n| Dimension { value: Some(dim(n)), denotation: None }).collect();
    let tensor = type_proto::Tensor { elem_type: Some(1), shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    let r#type = Some(TypeProto { value, denotation: None });
    ValueInfoProto { name: Some(name.to_owned()), r#type, ..Default::default() }
}

fn attribute(name: &str, value: &Attr<'_>) -> AttributeProto {
    let mut attribute = AttributeProto { name: Some(name.to_owned()), ..Default::default() };
    let r#type = match value {
        Attr::Int(v) => {
            attribute.i = Some(*v);
            AttributeType::Int
        }
        Attr::Float(v) => {
            attribute.f = Some(*v);
            AttributeType::Float
        }
        Attr::Ints(v) => {
            attribute.ints = v.to_vec();
            AttributeType::Ints
        }
        Attr::Floats(v) => {
            attribute.floats = v.to_vec();
            AttributeType::Floats
        }
        Attr::Texts(v) => {
            attribute.strings = v.iter().map(|text| text.as_bytes().to_vec().into()).collect();
            AttributeType::Strings
        }
        Attr::Text(v) => {
            attribute.s = Some(v.as_bytes().to_vec().into());
            AttributeType::String
        }
        Attr::Tensor(v) => {
            attribute.t = Some(TensorProto::clone(v));
            AttributeType::Tensor
        }
        Attr::Graph(v) => {
            attribute.g = Some(GraphProto::clone(v));
            AttributeType::Graph
        }
    };
    attribute.set_type(r#type);
    attribute
}
