//! What the client applies to an output: `| softmax axis=1 | top_k axis=1 k=5 largest=true`.

use std::fmt;

use super::{Attributes, Inner, LineError, Rule, error};
use crate::model::{ClientOp, read_quantizer};

/// Prints the operations behind an output.
pub(crate) struct ClientChain<'a>(pub(crate) &'a [ClientOp]);

impl fmt::Display for ClientChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| match op {
            ClientOp::Softmax { axis } => write!(f, " | softmax axis={axis}"),
            ClientOp::LogSoftmax { axis } => write!(f, " | log_softmax axis={axis}"),
            ClientOp::ArgMax { axis, keepdims } => {
                write!(f, " | arg_max axis={axis} keepdims={keepdims}")
            }
            ClientOp::TopK { axis, k, largest } => {
                write!(f, " | top_k axis={axis} k={k} largest={largest}")
            }
            ClientOp::FakeQuant(quantizer) => write!(f, " | fake_quant {quantizer}"),
        })
    }
}

/// Reads the operations behind an output.
pub(crate) fn client_chain(inner: &mut Inner<'_>) -> Result<Vec<ClientOp>, LineError> {
    inner
        .take_all(Rule::client)
        .map(|piece| {
            let mut parts = Inner::of(piece.clone());
            let name = parts.next();
            let mut of = Attributes::of(&piece, &mut parts)?;
            let op = match name.as_str() {
                "softmax" => ClientOp::Softmax { axis: of.get("axis")? },
                "log_softmax" => ClientOp::LogSoftmax { axis: of.get("axis")? },
                "arg_max" => {
                    ClientOp::ArgMax { axis: of.get("axis")?, keepdims: of.get("keepdims")? }
                }
                "top_k" => {
                    let (axis, k) = (of.get("axis")?, of.get("k")?);
                    ClientOp::TopK { axis, k, largest: of.get("largest")? }
                }
                "fake_quant" => ClientOp::FakeQuant(read_quantizer(&mut of)?),
                _ => {
                    let what = "expected softmax, log_softmax, arg_max, top_k or fake_quant";
                    return Err(error(&name, what));
                }
            };
            of.finish()?;
            Ok(op)
        })
        .collect()
}
