//! `Gemm`: `Y = α·A'·B' + β·C`, where `'` transposes if `transA`, `transB` is set.

use hecc_grammar::model::Tensor;

use super::mat_mul::{BOTH_CONSTANT, BOTH_ENCRYPTED};
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::shape::broadcast;
use crate::onnx::value::Weight;
use crate::onnx::value::{Constant, Value};

pub(super) const GEMM: Importer = Importer {
    op_type: "Gemm",
    since: 7,
    supported: "`alpha`, `beta`, `transA`, `transB`; C left out, known or encrypted",
    refused: "A and B both encrypted",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let alpha = node.attr::<f64>("alpha")?.unwrap_or(1.0);
    let beta = node.attr::<f64>("beta")?.unwrap_or(1.0);
    let (trans_a, trans_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let (a, b) = super::mat_mul::factors(node, model)?;
    let product = product((a, trans_a), (b, trans_b), alpha, model)?;
    if !node.has_input(2) {
        return Ok(vec![product.into()]);
    }
    let shape = model.shape(product);
    let c = node.operand(2, model)?;
    let found = match &c {
        Operand::Tensor(c) => model.shape(*c),
        Operand::Constant(c) => c.shape().to_vec(),
    };
    if broadcast(&found, &shape).ok().as_ref() != Some(&shape) {
        return Err(refuse(format!(
            "input 2 has shape {found:?}, expected one that broadcasts to {shape:?}"
        )));
    }
    let y = match c {
        Operand::Tensor(c) if beta == 1.0 => model.add(product, c)?,
        Operand::Tensor(c) => {
            let c = model.scale(c, beta)?;
            model.add(product, c)?
        }
        Operand::Constant(c) => model.add_const(product, c.into_array() * beta)?,
    };
    Ok(vec![y.into()])
}

/// `α·A'·B'`; factors come with whether they are transposed.
pub(super) fn product(
    (a, trans_a): (Operand, bool),
    (b, trans_b): (Operand, bool),
    alpha: f64,
    model: &mut Builder,
) -> Result<Tensor, Refused> {
    match (a, b) {
        (Operand::Tensor(x), Operand::Constant(weight)) => {
            let x = if trans_a { transpose(x, model)? } else { x };
            check_matrix(0, model.model.shape(x))?;
            model.mat_mul(x, matrix(1, weight, trans_b, 0)?.times(alpha))
        }
        (Operand::Constant(weight), Operand::Tensor(x)) => {
            let x = if trans_b { transpose(x, model)? } else { x };
            check_matrix(1, model.model.shape(x))?;
            model.mat_mul_left(matrix(0, weight, trans_a, 1)?.times(alpha), x)
        }
        (Operand::Tensor(_), Operand::Tensor(_)) => Err(refuse(BOTH_ENCRYPTED)),
        (Operand::Constant(_), Operand::Constant(_)) => Err(refuse(BOTH_CONSTANT)),
    }
}

fn check_matrix(input: usize, shape: &[usize]) -> Result<(), Refused> {
    match shape.len() {
        2 => Ok(()),
        _ => Err(refuse(format!("input {input} has shape {shape:?}, expected two dimensions"))),
    }
}

fn transpose(x: Tensor, model: &mut Builder) -> Result<Tensor, Refused> {
    check_matrix(0, model.model.shape(x))?;
    model.transpose(x, vec![1, 0])
}

/// The matrix, transposed if asked for; `summed` is the dimension that the product then sums over.
fn matrix(input: usize, c: Constant, transpose: bool, summed: usize) -> Result<Weight, Refused> {
    check_matrix(input, c.shape())?;
    if !transpose {
        return Ok(Weight::of(c, &[summed]));
    }
    Ok(Weight::of(c, &[1 - summed]).map(|array| array.t().as_standard_layout().into_owned()))
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn all_attributes_on_either_side() {
        let attributes = || {
            let (a, b) = (("alpha", Attr::Float(0.5)), ("beta", Attr::Float(2.0)));
            [a, b, ("transA", Attr::Int(1)), ("transB", Attr::Int(1))]
        };
        // A' = [[1, 3], [2, 4]], B' = [[10, 30], [20, 40]].
        let case = Case::new(13, &[2, 2])
            .floats("b", &[2, 2], &[10.0, 20.0, 30.0, 40.0])
            .floats("c", &[2], &[1.0, 2.0])
            .node("Gemm", "x b c", "y", &attributes());
        let want = vec![35.0 + 2.0, 75.0 + 4.0, 50.0 + 2.0, 110.0 + 4.0];
        assert_eq!(case.result(&[1.0, 2.0, 3.0, 4.0]), (vec![2, 2], want.clone()));
        let case = Case::new(13, &[2, 2])
            .floats("a", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
            .floats("c", &[2], &[1.0, 2.0])
            .node("Gemm", "a x c", "y", &attributes());
        assert_eq!(case.result(&[10.0, 20.0, 30.0, 40.0]), (vec![2, 2], want));
    }

    #[test]
    fn an_encrypted_c_is_scaled() {
        let case = Case::new(13, &[1, 2]).input("c", &[1]).floats("b", &[2, 1], &[1.0, 1.0]).node(
            "Gemm",
            "x b c",
            "y",
            &[("beta", Attr::Float(3.0))],
        );
        let y = case.run(&[&[1.0, 2.0], &[5.0]]).remove(0);
        assert_eq!(y.iter().copied().collect::<Vec<_>>(), [18.0]);
    }

    #[test]
    fn wrong_shapes_name_both_numbers() {
        let case = Case::new(13, &[1, 3]).floats("b", &[2, 1], &[1.0, 1.0]);
        assert_eq!(
            case.node("Gemm", "x b", "y", &[]).error(),
            "node `y` (Gemm): shapes [1, 3] and [2, 1] do not multiply: 3 against 2"
        );
        let case = Case::new(13, &[1, 2]).input("b", &[2, 1]).node("Gemm", "x b", "y", &[]);
        assert!(case.error().contains("both factors are encrypted"));
    }
}
