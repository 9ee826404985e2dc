//! What the client applies to an output: `| softmax axis=1 | top_k axis=1 k=5 largest=true | labels "cat" "dog"`.

use std::fmt;
use std::str::FromStr;

use super::client::ClientOp;
use super::parameter::Parameter;
use super::statement::Statement;
use crate::text::{
    Attributes, Inner, LineError, Number, Piece, Rule, TextError, error, for_each_line, list,
    unquote,
};

/// Prints the operations behind an output.
pub(crate) struct ClientOps<'a>(pub(crate) &'a [ClientOp]);

impl fmt::Display for ClientOps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| write!(f, " {op}"))
    }
}

impl fmt::Display for ClientOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| ")?;
        write_op(f, self)
    }
}

fn write_op(f: &mut fmt::Formatter<'_>, op: &ClientOp) -> fmt::Result {
    match op {
        ClientOp::Softmax { axis } => write!(f, "softmax axis={axis}"),
        ClientOp::LogSoftmax { axis } => write!(f, "log_softmax axis={axis}"),
        ClientOp::ArgMax { axis, keepdims } => write!(f, "arg_max axis={axis} keepdims={keepdims}"),
        ClientOp::TopK { axis, k, largest } => {
            write!(f, "top_k axis={axis} k={k} largest={largest}")
        }
        ClientOp::TopKIndices { axis, k, largest } => {
            write!(f, "top_k_indices axis={axis} k={k} largest={largest}")
        }
        ClientOp::FakeQuant(quantizer) => write!(f, "fake_quant {quantizer}"),
        ClientOp::Activation(function) => write!(f, "{function}"),
        ClientOp::Affine { factor, offset } => {
            write!(f, "affine factor={} offset={}", numbers(factor), numbers(offset))
        }
        ClientOp::Compare { comparison, with } => {
            write!(f, "compare is={} with={}", comparison.name(), numbers(with))
        }
        ClientOp::Round(to) => write!(f, "round to={}", to.name()),
        ClientOp::Normalize { axis, norm } => {
            write!(f, "normalize axis={axis} norm={}", norm.name())
        }
        ClientOp::Sum { axis, keepdims } => write!(f, "sum axis={axis} keepdims={keepdims}"),
        ClientOp::Reshape { shape } => write!(f, "reshape shape={}", list(shape)),
        ClientOp::Pick { positions, shape } => {
            write!(f, "pick positions={} shape={}", list(positions), list(shape))
        }
        ClientOp::Lookup { keys, values, default } => {
            let (keys, values, default) = (numbers(keys), numbers(values), Number(*default));
            write!(f, "lookup keys={keys} values={values} default={default}")
        }
        ClientOp::Classes { names } => write_names(f, "classes", names),
        ClientOp::Labels { names } => write_names(f, "labels", names),
    }
}

fn numbers(numbers: &[f64]) -> impl fmt::Display {
    list(numbers.iter().map(|&x| Number(x)))
}

fn write_names(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    f.write_str(what)?;
    names.iter().try_for_each(|name| write!(f, " {name:?}"))
}

/// Reads the operations behind an output.
pub(crate) fn client_ops(inner: &mut Inner<'_>) -> Result<Vec<ClientOp>, LineError> {
    inner.take_all(Rule::client).map(read_client).collect()
}

/// Reads one operation by itself, as it prints.
impl FromStr for ClientOp {
    type Err = TextError;

    fn from_str(text: &str) -> Result<ClientOp, TextError> {
        let mut read = None;
        for_each_line(text, Rule::client_line, |piece| {
            read = Some(read_client(piece)?);
            Ok(())
        })?;
        let what = "expected an operation of the client".to_owned();
        read.ok_or(TextError { line: 1, column: 1, what })
    }
}

fn read_client(piece: Piece<'_>) -> Result<ClientOp, LineError> {
    let mut parts = Inner::of(piece.clone());
    let name = parts.next();
    let attributes = Attributes::of(&piece, &mut parts)?;
    let names: Vec<Piece<'_>> = parts.take_all(Rule::string).collect();
    let op = Statement::new(name, vec![], attributes).whole(|of| read_op(of, &names))?;
    match (&op, names.first()) {
        (ClientOp::Classes { .. } | ClientOp::Labels { .. }, _) | (_, None) => Ok(op),
        (_, Some(text)) => Err(error(text, "expected no names here")),
    }
}

fn read_op(of: &mut Statement<'_>, names: &[Piece<'_>]) -> Result<ClientOp, LineError> {
    let word = of.word.as_str();
    let with = &mut of.attributes;
    Ok(match word {
        "softmax" => ClientOp::Softmax { axis: with.get("axis")? },
        "log_softmax" => ClientOp::LogSoftmax { axis: with.get("axis")? },
        "arg_max" => ClientOp::ArgMax { axis: with.get("axis")?, keepdims: with.get("keepdims")? },
        "top_k" => {
            let (axis, k) = (with.get("axis")?, with.get("k")?);
            ClientOp::TopK { axis, k, largest: with.get("largest")? }
        }
        "top_k_indices" => {
            let (axis, k) = (with.get("axis")?, with.get("k")?);
            ClientOp::TopKIndices { axis, k, largest: with.get("largest")? }
        }
        "fake_quant" => ClientOp::FakeQuant(Parameter::read("quantizer", of)?),
        "affine" => ClientOp::Affine { factor: with.get("factor")?, offset: with.get("offset")? },
        "compare" => ClientOp::Compare { comparison: with.get("is")?, with: with.get("with")? },
        "round" => ClientOp::Round(with.get("to")?),
        "normalize" => ClientOp::Normalize { axis: with.get("axis")?, norm: with.get("norm")? },
        "sum" => ClientOp::Sum { axis: with.get("axis")?, keepdims: with.get("keepdims")? },
        "reshape" => ClientOp::Reshape { shape: with.get("shape")? },
        "pick" => ClientOp::Pick { positions: with.get("positions")?, shape: with.get("shape")? },
        "lookup" => {
            let (keys, values) = (with.get("keys")?, with.get("values")?);
            ClientOp::Lookup { keys, values, default: with.get("default")? }
        }
        "classes" => ClientOp::Classes { names: unquoted(names)? },
        "labels" => ClientOp::Labels { names: unquoted(names)? },
        _ => ClientOp::Activation(Parameter::read("function", of)?),
    })
}

fn unquoted(names: &[Piece<'_>]) -> Result<Vec<String>, LineError> {
    names.iter().map(unquote).collect()
}
