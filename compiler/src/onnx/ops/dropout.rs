//! `Dropout` (which does nothing after training) and `Identity`.

use super::Importer;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const DROPOUT: Importer = Importer {
    op_type: "Dropout",
    since: 7,
    supported: "inference; `ratio` and `seed` have no effect",
    refused: "`training_mode` true; the mask",
    import: dropout,
};
pub(super) const IDENTITY: Importer =
    Importer { op_type: "Identity", since: 7, supported: "all", refused: "", import: identity };

fn dropout(node: &mut Node<'_>, _: &mut Builder) -> Result<Vec<Value>, Refused> {
    node.ignore("ratio");
    node.ignore("seed");
    node.optional_constant(1)?;
    if node.optional_constant(2)?.is_some_and(|c| c.uniform() != Some(0.0)) {
        return Err(
            refuse("`training_mode` is true, expected false").instead("export in evaluation mode")
        );
    }
    let value = pass(node)?;
    Ok(vec![value, Value::Absent("the mask of a Dropout, which has no use after training")])
}

fn identity(node: &mut Node<'_>, _: &mut Builder) -> Result<Vec<Value>, Refused> {
    Ok(vec![pass(node)?])
}

/// Input 0 as it is, even where it is left to the client.
pub(super) fn pass(node: &mut Node<'_>) -> Result<Value, Refused> {
    node.value(0).ok_or_else(|| refuse("input 0 is missing"))
}
