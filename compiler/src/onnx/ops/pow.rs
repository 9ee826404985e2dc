//! `Pow` by a small positive integer, as a chain of products.

use hecc_grammar::model::Tensor;

use super::constant_math::fold_pair;
use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Pair};
use crate::onnx::value::Value;

pub(super) const POW: Importer = Importer {
    op_type: "Pow",
    since: 7,
    supported: "one constant exponent for all elements, an integer from 1 to 64",
    refused: "other exponents",
    import,
};

/// A power this high takes six levels; higher ones lose all precision.
const MAX_EXPONENT: f64 = 64.0;

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        return fold_pair(node, model, |_, a, b| a.powf(b));
    }
    let Pair::Right(x, exponent) = node.pair(model)? else {
        return Err(refuse("the exponent is encrypted, expected a constant"));
    };
    let Some(value) = exponent.uniform() else {
        return Err(refuse("the exponent differs between elements, expected one number"));
    };
    if value.fract() != 0.0 || !(1.0..=MAX_EXPONENT).contains(&value) {
        let reason =
            format!("the exponent is {value}, expected an integer from 1 to {MAX_EXPONENT}");
        return Err(refuse(reason).instead("a polynomial, or an activation that hecc approximates"));
    }
    let shape = crate::onnx::shape::broadcast(model.model.shape(x), exponent.shape())?;
    let x = model.expand(x, shape)?;
    Ok(vec![power(x, value as u32, model)?.into()])
}

/// Splits the exponent in halves, so that the depth is the logarithm and squares are shared.
fn power(x: Tensor, exponent: u32, model: &mut Builder) -> Result<Tensor, Refused> {
    if exponent == 1 {
        return Ok(x);
    }
    let half = power(x, exponent / 2, model)?;
    let square = model.mul(half, half)?;
    if exponent.is_multiple_of(2) { Ok(square) } else { model.mul(square, x) }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Op;

    use crate::onnx::testing::Case;

    #[test]
    fn powers_share_squares() {
        let case = Case::new(13, &[1]).floats("e", &[], &[7.0]).node("Pow", "x e", "y", &[]);
        assert_eq!(case.result(&[2.0]).1, [128.0]);
        // x², x³, x⁶, x⁷.
        let products =
            case.import().unwrap().nodes.iter().filter(|n| matches!(n.op, Op::Mul(..))).count();
        assert_eq!(products, 4);
    }

    #[test]
    fn other_exponents_are_refused() {
        for (exponent, shown) in
            [(0.5, "0.5"), (-1.0, "-1"), (1e9, "1000000000"), (f32::NAN, "NaN")]
        {
            let case =
                Case::new(13, &[1]).floats("e", &[], &[exponent]).node("Pow", "x e", "y", &[]);
            assert!(
                case.error().contains(&format!("the exponent is {shown}, expected"))
                    || exponent.is_nan()
            );
        }
    }
}
