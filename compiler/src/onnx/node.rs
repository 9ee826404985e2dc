//! One ONNX node as its importer sees it. It keeps count of what was read: an attribute or an input left unread would
//! silently change the result, so [`Node::finish`] refuses it.

use std::path::Path;

use hecc_grammar::model::{ClientOp, Tensor};

use super::builder::Builder;
use super::error::{Refused, node_name, refuse};
use super::file::attribute::{self, Attribute};
use super::file::tensor;
use super::proto::{NodeProto, TensorProto};
use super::value::{Constant, Value};

/// A node with its inputs' values.
#[derive(Clone)]
pub(super) struct Node<'a> {
    proto: &'a NodeProto,
    /// Version of the operator set.
    pub(super) opset: i64,
    /// Folder of the model, for external data.
    dir: Option<&'a Path>,
    /// `None` where an optional input is left out.
    inputs: Vec<Option<Value>>,
    read_inputs: Vec<bool>,
    read_attributes: Vec<bool>,
}

/// An operand that may be encrypted or known.
#[derive(Clone)]
pub(super) enum Operand {
    Tensor(Tensor),
    Constant(Constant),
}

/// The operands of a binary operator, at least one encrypted.
pub(super) enum Pair {
    Both(Tensor, Tensor),
    Right(Tensor, Constant),
    Left(Constant, Tensor),
}

impl<'a> Node<'a> {
    pub(super) fn new(
        proto: &'a NodeProto,
        opset: i64,
        dir: Option<&'a Path>,
        inputs: Vec<Option<Value>>,
    ) -> Node<'a> {
        let (read_inputs, read_attributes) =
            (vec![false; inputs.len()], vec![false; proto.attribute.len()]);
        Node { proto, opset, dir, inputs, read_inputs, read_attributes }
    }

    /// The same node with another first input.
    pub(super) fn with_first(&self, value: Value) -> Node<'a> {
        let mut node = self.clone();
        node.inputs[0] = Some(value);
        node
    }

    /// How many outputs the node names, left-out ones included.
    pub(super) fn n_outputs(&self) -> usize {
        self.proto.output.len()
    }

    /// How many outputs the node has, left-out ones not counted.
    pub(super) fn n_named_outputs(&self) -> usize {
        self.proto.output.iter().filter(|name| !name.is_empty()).count()
    }

    /// Name and operator, for messages about its result.
    pub(super) fn label(&self) -> String {
        format!("`{}` ({})", node_name(self.proto), self.proto.op_type())
    }

    pub(super) fn op_type(&self) -> &str {
        self.proto.op_type()
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Whether input `i` is there.
    pub(super) fn has_input(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    /// Whether there are inputs and all of them are known.
    pub(super) fn is_constant(&self) -> bool {
        let mut present = self.inputs.iter().flatten().peekable();
        present.peek().is_some() && present.all(|value| matches!(value, Value::Constant(_)))
    }

    /// Whether an input is the result of a refused node.
    pub(super) fn has_unknown_input(&self) -> bool {
        self.inputs.iter().flatten().any(|value| matches!(value, Value::Unknown))
    }

    /// Input `i` as it is; `None` if it is left out.
    pub(super) fn value(&mut self, i: usize) -> Option<Value> {
        let value = self.inputs.get(i)?.clone()?;
        self.read_inputs[i] = true;
        Some(value)
    }

    fn required(&mut self, i: usize) -> Result<Value, Refused> {
        let count = self.inputs.len();
        self.value(i).ok_or_else(|| refuse(format!("input {i} is missing ({count} inputs)")))
    }

    /// Input `i`, encrypted. While folding, a known array serves as a tensor of the scratch model.
    pub(super) fn tensor(&mut self, i: usize, model: &mut Builder) -> Result<Tensor, Refused> {
        match self.operand(i, model)? {
            Operand::Tensor(tensor) => Ok(tensor),
            Operand::Constant(_) => {
                Err(refuse(format!("input {i} is a constant, expected an encrypted tensor")))
            }
        }
    }

    /// Input `i`, encrypted or known; while folding always a tensor of the scratch model.
    pub(super) fn operand(&mut self, i: usize, model: &mut Builder) -> Result<Operand, Refused> {
        match self.required(i)? {
            Value::Tensor(tensor) => Ok(Operand::Tensor(tensor)),
            Value::Constant(constant) if model.is_scratch() => {
                Ok(Operand::Tensor(model.bind(constant)?))
            }
            Value::Constant(constant) => Ok(Operand::Constant(constant)),
            Value::Client { by, ops, .. } => {
                let reason = format!(
                    "input {i} is the result of {by}, which only the client can compute, after decryption"
                );
                let rewrite = match ops[..] {
                    [ClientOp::Normalize { .. }] => {
                        "normalize the input before encryption, and drop that node"
                    }
                    _ => "end the network before that node, or drop the node",
                };
                Err(refuse(reason).instead(rewrite))
            }
            Value::Quantized(q) => Err(refuse(format!(
                "input {i} holds the integers of {}, expected a DequantizeLinear in between",
                q.by
            ))
            .instead("export in the QDQ format")),
            Value::Strings(_) => Err(refuse(format!("input {i} holds texts, expected numbers"))),
            Value::Absent(why) => Err(refuse(format!("input {i}: {why}"))),
            Value::Unknown => unreachable!("nodes that read unknown values are skipped"),
        }
    }

    /// Both operands of a binary operator. While folding, the result is `Both`.
    pub(super) fn pair(&mut self, model: &mut Builder) -> Result<Pair, Refused> {
        match (self.operand(0, model)?, self.operand(1, model)?) {
            (Operand::Tensor(a), Operand::Tensor(b)) => Ok(Pair::Both(a, b)),
            (Operand::Tensor(a), Operand::Constant(b)) => Ok(Pair::Right(a, b)),
            (Operand::Constant(a), Operand::Tensor(b)) => Ok(Pair::Left(a, b)),
            (Operand::Constant(_), Operand::Constant(_)) => {
                Err(refuse("inputs 0 and 1 are both constants, expected one encrypted"))
            }
        }
    }

    /// Input `i`, which must be known.
    pub(super) fn constant(&mut self, i: usize) -> Result<Constant, Refused> {
        match self.required(i)? {
            Value::Constant(constant) => Ok(constant),
            Value::Strings(_) => Err(refuse(format!("input {i} holds texts, expected numbers"))),
            Value::Absent(why) => Err(refuse(format!("input {i}: {why}"))),
            Value::Tensor(_) | Value::Client { .. } | Value::Quantized(_) => Err(refuse(format!(
                "input {i} is computed from encrypted data, expected a constant"
            ))),
            Value::Unknown => unreachable!("nodes that read unknown values are skipped"),
        }
    }

    /// Input `i`, which must be known if it is there.
    pub(super) fn optional_constant(&mut self, i: usize) -> Result<Option<Constant>, Refused> {
        if self.has_input(i) { self.constant(i).map(Some) } else { Ok(None) }
    }

    /// A list of integers: an input from opset `since` on, an attribute before.
    pub(super) fn integers(
        &mut self,
        name: &str,
        input: usize,
        since: i64,
    ) -> Result<Option<Vec<i64>>, Refused> {
        if self.opset < since {
            return self.attr(name);
        }
        match self.optional_constant(input)? {
            Some(constant) if constant.shape().len() <= 1 => constant.to_integers().map(Some),
            Some(constant) => {
                let shape = constant.shape();
                Err(refuse(format!(
                    "input {input} (`{name}`) has shape {shape:?}, expected a list"
                )))
            }
            None => Ok(None),
        }
    }

    /// The attribute, or `None` where the node leaves its default.
    pub(super) fn attr<T: Attribute>(&mut self, name: &str) -> Result<Option<T>, Refused> {
        match self.proto.attribute.iter().position(|attribute| attribute.name() == name) {
            Some(i) => {
                self.read_attributes[i] = true;
                attribute::read(&self.proto.attribute[i]).map(Some)
            }
            None => Ok(None),
        }
    }

    /// An integer attribute that is 0 or 1.
    pub(super) fn flag(&mut self, name: &str, default: bool) -> Result<bool, Refused> {
        match self.attr::<i64>(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(other) => Err(refuse(format!("attribute `{name}` is {other}, expected 0 or 1"))),
        }
    }

    /// An attribute that has no effect here, and why it may be ignored is clear from the caller.
    pub(super) fn ignore(&mut self, name: &str) {
        if let Some(i) = self.proto.attribute.iter().position(|a| a.name() == name) {
            self.read_attributes[i] = true;
        }
    }

    /// Converts a stored array, such as an attribute's.
    pub(super) fn stored(&self, tensor: &TensorProto) -> Result<Constant, Refused> {
        tensor::read(tensor, self.dir)
    }

    /// Refuses what no importer has read.
    pub(super) fn finish(&self) -> Result<(), Refused> {
        if let Some(i) = self.read_attributes.iter().position(|read| !read) {
            let attribute = &self.proto.attribute[i];
            return Err(refuse(format!("attribute `{}` is not supported", attribute.name())));
        }
        let unread = |i: &usize| self.has_input(*i) && !self.read_inputs[*i];
        match (0..self.inputs.len()).find(unread) {
            Some(i) => {
                Err(refuse(format!("input {i} (`{}`) is not supported", self.proto.input[i])))
            }
            None => Ok(()),
        }
    }
}
