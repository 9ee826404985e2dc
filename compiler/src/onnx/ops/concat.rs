//! `Concat`. Known pieces between encrypted ones become padding and an added constant.

use hecc_grammar::model::Tensor;
use ndarray::{ArrayD, Axis, Slice};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::shape;
use crate::onnx::value::{Constant, Value};

pub(super) const CONCAT: Importer = Importer {
    op_type: "Concat",
    since: 7,
    supported: "`axis`; encrypted and constant inputs mixed",
    refused: "",
    import,
};

/// A piece of the result, at an offset along the axis.
struct Piece {
    offset: usize,
    constant: Constant,
}

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let axis = node.attr::<i64>("axis")?.ok_or_else(|| refuse("attribute `axis` is missing"))?;
    let mut operands = Vec::with_capacity(node.n_inputs());
    for i in 0..node.n_inputs() {
        operands.push(node.operand(i, model)?);
    }
    let first = operands.iter().find_map(|operand| match operand {
        Operand::Tensor(x) => Some(model.shape(*x)),
        Operand::Constant(_) => None,
    });
    let first = first.ok_or_else(|| refuse("no inputs, expected at least one"))?;
    let axis = shape::axis(axis, first.len())?;
    let joined = join(operands, &first, axis, model)?;
    Ok(vec![joined.into()])
}

fn join(
    operands: Vec<Operand>,
    like: &[usize],
    axis: usize,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    let mut tensors: Vec<(usize, Tensor)> = Vec::new();
    let mut pieces = Vec::new();
    let mut offset = 0;
    for operand in operands {
        match operand {
            Operand::Tensor(x) => {
                tensors.push((offset, x));
                let extent = model.model.shape(x).get(axis);
                offset += extent.ok_or_else(|| refuse("an input has too few dimensions"))?;
            }
            Operand::Constant(constant) => {
                let shape = constant.shape();
                let fits = shape.len() == like.len()
                    && (0..like.len()).all(|d| d == axis || shape[d] == like[d]);
                if !fits {
                    return Err(refuse(format!(
                        "shapes {like:?} and {shape:?} do not join along axis {axis}"
                    )));
                }
                let extent = shape[axis];
                pieces.push(Piece { offset, constant });
                offset += extent;
            }
        }
    }
    // Every tensor is padded up to the next one, the first also down to the start.
    let mut xs = Vec::with_capacity(tensors.len());
    for (i, &(start, x)) in tensors.iter().enumerate() {
        let end = tensors.get(i + 1).map_or(offset, |next| next.0);
        let shape = model.shape(x);
        let (mut before, mut after) = (vec![0; shape.len()], vec![0; shape.len()]);
        before[axis] = if i == 0 { start } else { 0 };
        after[axis] = end - start - shape[axis];
        xs.push(model.pad(x, before, after, 0.0)?);
    }
    let joined = model.concat(xs, axis)?;
    if pieces.iter().all(|piece| piece.constant.array.iter().all(|&v| v == 0.0)) {
        return Ok(joined);
    }
    let shape = model.shape(joined);
    model.spend(shape::elements(&shape)?)?;
    let mut filled = ArrayD::zeros(shape);
    for Piece { offset, constant } in pieces {
        let range = Slice::from(offset..offset + constant.shape()[axis]);
        filled.slice_axis_mut(Axis(axis), range).assign(&constant.array);
    }
    model.add_const(joined, filled)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn constants_in_every_place() {
        let axis = || [("axis", Attr::Int(-1))];
        let case = || {
            let case = Case::new(13, &[1, 2]).input("z", &[1, 1]);
            case.floats("c", &[1, 1], &[7.0]).floats("o", &[1, 2], &[0.0, 0.0])
        };
        let run = |case: Case| {
            let y = case.run(&[&[1.0, 2.0], &[3.0]]).remove(0);
            y.iter().copied().collect::<Vec<_>>()
        };
        let y = run(case().node("Concat", "c x o z c", "y", &axis()));
        assert_eq!(y, [7.0, 1.0, 2.0, 0.0, 0.0, 3.0, 7.0]);
        let zeros = case().node("Concat", "x o z", "y", &axis());
        assert_eq!(zeros.import().unwrap().constants.len(), 0);
        assert_eq!(run(zeros), [1.0, 2.0, 0.0, 0.0, 3.0]);
        assert!(
            case().node("Concat", "x z", "y", &[("axis", Attr::Int(2))]).error().contains("axis 2")
        );
    }
}
