//! `Split` along a dimension, in given or (nearly) equal parts.

use hecc_grammar::model::Op;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const SPLIT: Importer = Importer {
    op_type: "Split",
    since: 7,
    supported: "`axis`, `num_outputs`, `split` as attribute or constant input",
    refused: "parts without elements",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let axis = shape::axis(node.attr::<i64>("axis")?.unwrap_or(0), shape.len())?;
    let n_outputs = node.n_outputs();
    let declared = node.attr::<i64>("num_outputs")?;
    if declared.is_some_and(|n| usize::try_from(n) != Ok(n_outputs)) {
        return Err(refuse(format!("`num_outputs` is {declared:?}, but the node has {n_outputs}")));
    }
    let parts = match node.integers("split", 1, 13)? {
        Some(parts) => shape::counts(&parts, "`split`")?,
        None => {
            // Before `num_outputs`, parts had to be equal; with it, the last may be shorter.
            let part = shape[axis].div_ceil(n_outputs.max(1));
            if declared.is_none() && part * n_outputs != shape[axis] {
                let reason = format!("{n_outputs} equal parts of {} elements", shape[axis]);
                return Err(refuse(reason));
            }
            (0..n_outputs).map(|i| shape[axis].saturating_sub(i * part).min(part)).collect()
        }
    };
    if parts.len() != n_outputs || parts.iter().sum::<usize>() != shape[axis] {
        return Err(refuse(format!(
            "parts {parts:?} for {n_outputs} outputs, expected them to sum to {}",
            shape[axis]
        )));
    }
    let (mut values, mut offset) = (Vec::with_capacity(parts.len()), 0);
    for part in parts {
        let (mut starts, mut out) = (vec![0; shape.len()], shape.clone());
        starts[axis] = offset;
        out[axis] = part;
        offset += part;
        let steps = vec![1; shape.len()];
        values.push(model.push(Op::Slice { x, starts, steps }, out)?.into());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn equal_given_and_shorter_last_parts() {
        let parts = |case: Case| -> Vec<Vec<f64>> {
            let y = case.run(&[&[1.0, 2.0, 3.0, 4.0, 5.0]]);
            y.iter().map(|part| part.iter().copied().collect()).collect()
        };
        let case = || Case::new(11, &[5]);
        let y = parts(case().node("Split", "x", "a b", &[("split", Attr::Ints(&[2, 3]))]));
        assert_eq!(y, [vec![1.0, 2.0], vec![3.0, 4.0, 5.0]]);
        let y = parts(Case::new(18, &[5]).node(
            "Split",
            "x",
            "a b c",
            &[("num_outputs", Attr::Int(3))],
        ));
        assert_eq!(y, [vec![1.0, 2.0], vec![3.0, 4.0], vec![5.0]]);
        assert!(case().node("Split", "x", "a b", &[]).error().contains("2 equal parts of 5"));
        let wrong = case().node("Split", "x", "a b", &[("split", Attr::Ints(&[2, 2]))]);
        assert!(wrong.error().contains("expected them to sum to 5"));
    }
}
