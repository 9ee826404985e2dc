//! `Dropout` (which does nothing after training) and `Identity`.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
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

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn nothing_drops_after_training() {
        let ratio = [("ratio", Attr::Float(0.9))];
        let case = Case::new(7, &[2]).node("Dropout", "x", "y", &ratio);
        assert_eq!(case.result(&[1.0, 2.0]).1, [1.0, 2.0]);
        let mask = Case::new(7, &[2]).node("Dropout", "x", "y m", &ratio);
        assert!(mask.error().contains("output `m`: the mask of a Dropout"));
        let training = Case::new(13, &[2]).floats("r", &[], &[0.5]).ints("t", &[1]);
        assert!(
            training.node("Dropout", "x r t", "y", &[]).error().contains("`training_mode` is true")
        );
    }
}
