//! `Reshape`: 0 keeps a dimension (unless `allowzero`), −1 is what is left.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape::{MAX_ELEMENTS, MAX_RANK};
use crate::onnx::value::Value;

pub(super) const RESHAPE: Importer = Importer {
    op_type: "Reshape",
    since: 7,
    supported: "`allowzero`; a constant shape, with 0 and −1",
    refused: "tensors without elements",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let allow_zero = node.flag("allowzero", false)?;
    let wanted = node.constant(1)?;
    if wanted.shape().len() != 1 || wanted.shape()[0] > MAX_RANK {
        let found = wanted.shape();
        return Err(refuse(format!(
            "input 1 has shape {found:?}, expected a list of at most {MAX_RANK}"
        )));
    }
    let wanted = wanted.to_integers()?;
    let from = model.shape(x);
    let count: usize = from.iter().product();
    let error =
        || refuse(format!("shape {from:?} ({count} elements) does not fit into {wanted:?}"));
    let mut shape = Vec::with_capacity(wanted.len());
    for (d, &extent) in wanted.iter().enumerate() {
        shape.push(match extent {
            -1 => 1,
            0 if !allow_zero => *from.get(d).ok_or_else(error)?,
            n => usize::try_from(n).ok().filter(|&n| n <= MAX_ELEMENTS).ok_or_else(error)?,
        });
    }
    if let Some(open) = wanted.iter().position(|&n| n == -1) {
        if wanted.iter().filter(|&&n| n == -1).count() > 1 {
            return Err(refuse(format!("shape {wanted:?} leaves two dimensions open")));
        }
        let known = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or_else(error)?;
        if known == 0 || !count.is_multiple_of(known) {
            return Err(error());
        }
        shape[open] = count / known;
    }
    Ok(vec![model.reshape(x, shape)?.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn zeros_and_open_dimensions() {
        let shape = |wanted: &[i64]| {
            let case = Case::new(14, &[2, 3, 4]).ints("s", wanted).node("Reshape", "x s", "y", &[]);
            case.import().map(|model| model.shape(model.outputs[0].tensor).to_vec())
        };
        assert_eq!(shape(&[0, -1]).unwrap(), [2, 12]);
        assert_eq!(shape(&[4, 0, 2]).unwrap(), [4, 3, 2]);
        for wrong in
            [&[-1, -1][..], &[5, -1], &[0, 0, 0, 0], &[-2], &[i64::MAX, i64::MAX], &[24, 0]]
        {
            assert!(shape(wrong).is_err(), "{wrong:?}");
        }
        let case = Case::new(14, &[2]).ints("s", &[0, 2]);
        let case = case.node("Reshape", "x s", "y", &[("allowzero", Attr::Int(1))]);
        assert!(case.error().contains("[0, 2] has 0"));
    }
}
