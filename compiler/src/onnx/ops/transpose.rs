//! `Transpose`: dimensions in another order, reversed by default.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const TRANSPOSE: Importer =
    Importer { op_type: "Transpose", since: 7, supported: "`perm`", refused: "", import };

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let rank = model.model.shape(x).len();
    let perm = match node.attr::<Vec<i64>>("perm")? {
        None => (0..rank).rev().collect(),
        Some(perm) => {
            if shape::axes(&perm, rank)?.len() != rank {
                return Err(refuse(format!(
                    "attribute `perm` is {perm:?}, expected {rank} dimensions"
                )));
            }
            perm.iter().map(|&p| shape::axis(p, rank)).collect::<Result<_, _>>()?
        }
    };
    Ok(vec![model.transpose(x, perm)?.into()])
}
