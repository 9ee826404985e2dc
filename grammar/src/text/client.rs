//! What the client applies to an output: `| softmax axis=1 | top_k axis=1 k=5 largest=true`.

use std::fmt;

use super::{Attributes, Inner, LineError, Rule, error};
use crate::model::ClientOp;

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
            let axis = of.get("axis")?;
            let op = match name.as_str() {
                "softmax" => ClientOp::Softmax { axis },
                "log_softmax" => ClientOp::LogSoftmax { axis },
                "arg_max" => ClientOp::ArgMax { axis, keepdims: of.get("keepdims")? },
                "top_k" => ClientOp::TopK { axis, k: of.get("k")?, largest: of.get("largest")? },
                _ => {
                    let what = "expected softmax, log_softmax, arg_max or top_k";
                    return Err(error(&name, what));
                }
            };
            of.finish()?;
            Ok(op)
        })
        .collect()
}
