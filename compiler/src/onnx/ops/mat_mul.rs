//! `MatMul`: numpy's `matmul`, one side known.

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::value::Weight;
use crate::onnx::value::{Constant, Value};
use hecc_grammar::model::Tensor;
use ndarray::Axis;

pub(super) const MAT_MUL: Importer = Importer {
    op_type: "MatMul",
    since: 7,
    supported: "a constant on either side; stacks of matrices; vectors",
    refused: "both sides encrypted",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let (a, b) = factors(node, model)?;
    Ok(vec![product(a, b, model)?.into()])
}

/// Inputs 0 and 1. While folding, the first one is a tensor.
pub(super) fn factors(
    node: &mut Node<'_>,
    model: &mut Builder,
) -> Result<(Operand, Operand), Refused> {
    let a = node.operand(0, model)?;
    let b = if model.is_scratch() {
        Operand::Constant(node.constant(1)?)
    } else {
        node.operand(1, model)?
    };
    Ok((a, b))
}

pub(super) const BOTH_ENCRYPTED: &str = "both factors are encrypted, expected one constant";
pub(super) const BOTH_CONSTANT: &str = "both factors are constants, expected one encrypted";

/// `a · b`, one of them known.
pub(super) fn product(a: Operand, b: Operand, model: &mut Builder) -> Result<Tensor, Refused> {
    match (a, b) {
        (Operand::Tensor(x), Operand::Constant(weight)) => right(x, weight, model),
        (Operand::Constant(weight), Operand::Tensor(x)) => left(weight, x, model),
        (Operand::Tensor(_), Operand::Tensor(_)) => Err(refuse(BOTH_ENCRYPTED)),
        (Operand::Constant(_), Operand::Constant(_)) => Err(refuse(BOTH_CONSTANT)),
    }
}

fn right(x: Tensor, weight: Constant, model: &mut Builder) -> Result<Tensor, Refused> {
    let rank = weight.shape().len();
    check_rank(model.model.shape(x).len(), rank)?;
    let (x_vector, w_vector) = (model.model.shape(x).len() == 1, rank == 1);
    let weight = Weight::of(weight, &[rank.saturating_sub(2)]);
    let x = as_matrix(x, 0, model)?;
    let weight = if w_vector { weight.map(|w| w.insert_axis(Axis(1))) } else { weight };
    let y = model.mat_mul(x, weight)?;
    drop_axes(y, x_vector, w_vector, model)
}

fn left(weight: Constant, x: Tensor, model: &mut Builder) -> Result<Tensor, Refused> {
    let rank = weight.shape().len();
    check_rank(rank, model.model.shape(x).len())?;
    let (x_vector, w_vector) = (model.model.shape(x).len() == 1, rank == 1);
    let weight = Weight::of(weight, &[rank - 1]);
    let x = as_matrix(x, 1, model)?;
    let weight = if w_vector { weight.map(|w| w.insert_axis(Axis(0))) } else { weight };
    let y = model.mat_mul_left(weight, x)?;
    drop_axes(y, w_vector, x_vector, model)
}

fn check_rank(a: usize, b: usize) -> Result<(), Refused> {
    if a == 0 || b == 0 {
        return Err(refuse(format!("factors of rank {a} and {b}, expected at least 1")));
    }
    Ok(())
}

/// A vector as a matrix with one row (`axis` 0) or one column (`axis` 1).
fn as_matrix(x: Tensor, axis: usize, model: &mut Builder) -> Result<Tensor, Refused> {
    let mut shape = model.shape(x);
    if shape.len() == 1 {
        shape.insert(axis, 1);
    }
    model.reshape(x, shape)
}

/// Drops the row that a vector on the left had become, and the column that one on the right had.
fn drop_axes(y: Tensor, row: bool, column: bool, model: &mut Builder) -> Result<Tensor, Refused> {
    let mut shape = model.shape(y);
    let rank = shape.len();
    if column {
        shape.remove(rank - 1);
    }
    if row {
        shape.remove(rank - 2);
    }
    model.reshape(y, shape)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn vectors_and_stacks_on_either_side() {
        let two = [1.0, 2.0];
        let case = Case::new(13, &[2]).floats("w", &[2], &[3.0, 4.0]);
        assert_eq!(case.node("MatMul", "x w", "y", &[]).result(&two), (vec![], vec![11.0]));
        let case = Case::new(13, &[2]).floats("w", &[2, 1, 2], &[3.0, 4.0, 5.0, 6.0]);
        let case = case.node("MatMul", "w x", "y", &[]);
        assert_eq!(case.result(&two), (vec![2, 1], vec![11.0, 17.0]));
        let case = Case::new(13, &[2, 1]).floats("w", &[2, 1, 1], &[3.0, 4.0]);
        let case = case.node("MatMul", "x w", "y", &[]);
        assert_eq!(case.result(&two), (vec![2, 2, 1], vec![3.0, 6.0, 4.0, 8.0]));
        assert!(
            Case::new(13, &[2])
                .floats("w", &[], &[1.0])
                .node("MatMul", "x w", "y", &[])
                .error()
                .contains("rank")
        );
    }

    #[test]
    fn factors_after_a_product_of_vectors_do_not_fold_into_columns() {
        let case = Case::new(13, &[2, 3]).floats("w", &[3], &[1.0, 1.0, 1.0]).floats(
            "c",
            &[2],
            &[2.0, 3.0],
        );
        let case = case.node("MatMul", "x w", "p", &[]).node("Mul", "p c", "y", &[]);
        assert_eq!(case.result(&[1.0; 6]).1, [6.0, 9.0]);
    }
}
