//! `Squeeze` and `Unsqueeze`: dimensions of length 1 go and come.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const SQUEEZE: Importer = Importer {
    op_type: "Squeeze",
    since: 7,
    supported: "`axes` as attribute or constant input, or left out",
    refused: "",
    import: squeeze,
};
pub(super) const UNSQUEEZE: Importer = Importer {
    op_type: "Unsqueeze",
    since: 7,
    supported: "`axes` as attribute or constant input",
    refused: "",
    import: unsqueeze,
};

fn squeeze(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let from = model.shape(x);
    let axes = match node.integers("axes", 1, 13)? {
        Some(axes) => shape::axes(&axes, from.len())?,
        None => (0..from.len()).filter(|&d| from[d] == 1).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| from[axis] != 1) {
        return Err(refuse(format!("dimension {axis} of {from:?} goes, expected length 1")));
    }
    let to = (0..from.len()).filter(|d| !axes.contains(d)).map(|d| from[d]).collect();
    Ok(vec![model.reshape(x, to)?.into()])
}

fn unsqueeze(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let axes = node.integers("axes", 1, 13)?.ok_or_else(|| refuse("`axes` is missing"))?;
    let mut to = model.shape(x);
    for axis in shape::axes(&axes, to.len() + axes.len())? {
        to.insert(axis, 1);
    }
    Ok(vec![model.reshape(x, to)?.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn shape(case: &Case) -> Vec<usize> {
        let model = case.import().unwrap();
        model.shape(model.outputs[0].tensor).to_vec()
    }

    #[test]
    fn axes_as_attribute_input_or_left_out() {
        let axes = || [("axes", Attr::Ints(&[1]))];
        assert_eq!(shape(&Case::new(11, &[1, 1, 2]).node("Squeeze", "x", "y", &axes())), [1, 2]);
        assert_eq!(shape(&Case::new(11, &[1, 1, 2]).node("Squeeze", "x", "y", &[])), [2]);
        assert_eq!(shape(&Case::new(11, &[2]).node("Unsqueeze", "x", "y", &axes())), [2, 1]);
        let case = Case::new(13, &[2]).ints("a", &[0, -1]).node("Unsqueeze", "x a", "y", &[]);
        assert_eq!(shape(&case), [1, 2, 1]);
        let case = Case::new(13, &[1, 2]).ints("a", &[1]).node("Squeeze", "x a", "y", &[]);
        assert!(case.error().contains("dimension 1 of [1, 2] goes"));
        assert!(
            Case::new(13, &[2]).node("Unsqueeze", "x", "y", &axes()).error().contains("missing")
        );
    }
}
