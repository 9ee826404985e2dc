//! `Add`, `Sub`, `Mul`, `Div`, `Neg`, `Sum`, `Mean`, with numpy's broadcasting.

use hecc_grammar::model::{ClientOp, Function, Norm, Op, Tensor};
use ndarray::ArrayD;

use super::constant_math::fold_pair;
use crate::onnx::builder::Builder;
use crate::onnx::client::{LastNodes, numbers};
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand, Pair};
use crate::onnx::recognize;
use crate::onnx::shape;
use crate::onnx::unsupported;
use crate::onnx::value::{Constant, Kind, Value};

pub(super) const ADD: Importer =
    Importer { op_type: "Add", since: 7, supported: "all", refused: "", import: add };
pub(super) const SUB: Importer =
    Importer { op_type: "Sub", since: 7, supported: "all", refused: "", import: sub };
pub(super) const MUL: Importer =
    Importer { op_type: "Mul", since: 7, supported: "all", refused: "", import: mul };
pub(super) const DIV: Importer = Importer {
    op_type: "Div",
    since: 7,
    supported: "by a constant without zeros; `c / (1 + Exp(x))`; shares of a sum, last node, applied by the client",
    refused: "by other encrypted tensors",
    import: div,
};
pub(super) const RECIPROCAL: Importer = Importer {
    op_type: "Reciprocal",
    since: 7,
    supported: "constants; of `1 + Exp(x)`",
    refused: "other encrypted data",
    import: reciprocal,
};
pub(super) const NEG: Importer =
    Importer { op_type: "Neg", since: 7, supported: "all", refused: "", import: neg };
pub(super) const SUM: Importer =
    Importer { op_type: "Sum", since: 7, supported: "all", refused: "", import: sum };
pub(super) const MEAN: Importer =
    Importer { op_type: "Mean", since: 7, supported: "all", refused: "", import: mean };

/// What an operator does to `x` if its other operand is `c`: `factor·x + offset`, each a function of `c`.
type Affine = fn(f64) -> (f64, f64);

/// The result where one operand is the client's and the other one known: `right` for `x ∘ c`, `left` for `c ∘ x`.
fn on_client(
    node: &mut Node<'_>,
    model: &Builder,
    right: Affine,
    left: Affine,
) -> Result<Option<Vec<Value>>, Refused> {
    let (chain, c, affine) = match (LastNodes::begun(node, 0), LastNodes::begun(node, 1)) {
        (Some(chain), None) => (chain, node.value(1), right),
        (None, Some(chain)) => (chain, node.value(0), left),
        (None, None) | (Some(_), Some(_)) => return Ok(None),
    };
    let Some(Value::Constant(c)) = c else { return Ok(None) };
    let to = shape::broadcast(&chain.shape(model)?, c.shape())?;
    let (factor, offset) = numbers(&c, &to)?.into_iter().map(affine).unzip();
    let chain = chain.widened(&to, model)?.then(ClientOp::Affine { factor, offset });
    chain.value(node, model).map(|value| Some(vec![value]))
}

fn add(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(result) = on_client(node, model, |c| (1.0, c), |c| (1.0, c))? {
        return Ok(result);
    }
    let y = match node.pair(model)? {
        Pair::Both(a, b) => model.add(a, b)?,
        Pair::Right(x, c) | Pair::Left(c, x) => model.add_const(x, c.into_array())?,
    };
    Ok(vec![y.into()])
}

fn sub(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(result) = on_client(node, model, |c| (1.0, -c), |c| (-1.0, c))? {
        return Ok(result);
    }
    let y = match node.pair(model)? {
        Pair::Both(a, b) => {
            let b = model.negate(b)?;
            model.add(a, b)?
        }
        Pair::Right(x, c) => model.add_const(x, -c.into_array())?,
        Pair::Left(c, x) => {
            let x = model.negate(x)?;
            model.add_const(x, c.into_array())?
        }
    };
    Ok(vec![y.into()])
}

fn mul(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(result) = on_client(node, model, |c| (c, 0.0), |c| (c, 0.0))? {
        return Ok(result);
    }
    let y = match node.pair(model)? {
        Pair::Both(a, b) => model.mul(a, b)?,
        Pair::Right(x, c) | Pair::Left(c, x) => model.mul_const(x, c.into_array())?,
    };
    Ok(vec![y.into()])
}

fn div(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        return fold_pair(node, model, |kind, a, b| match kind {
            Kind::Float => a / b,
            Kind::Int | Kind::Bool => {
                if b == 0.0 {
                    0.0
                } else {
                    (a / b).trunc()
                }
            }
        });
    }
    if let Some(chain) = share_of_sum(node) {
        return Ok(vec![chain.value(node, model)?]);
    }
    // By nothing that is not finite: the operations that the client applies are checked for that.
    if LastNodes::begun(node, 1).is_none()
        && let Some(result) = on_client(node, model, |c| (1.0 / c, 0.0), |_| (f64::NAN, 0.0))?
    {
        return Ok(result);
    }
    let advice = "divide by a constant, or multiply by an approximation of the reciprocal";
    match node.pair(model)? {
        Pair::Both(x, sum) if let Some(axis) = is_sum_of(model, x, sum) => {
            let op = ClientOp::Normalize { axis, norm: Norm::Sum };
            Ok(vec![LastNodes { tensor: x, ops: vec![op] }.value(node, model)?])
        }
        Pair::Left(c, x) if let Some(z) = recognize::one_plus_exp(&model.model, x) => {
            // 1/(1 + e^z) falls with z.
            let z = model.negate(z)?;
            let y = model.activation(z, Function::Sigmoid)?;
            Ok(vec![model.mul_const(y, c.into_array())?.into()])
        }
        Pair::Both(..) | Pair::Left(..) => {
            Err(refuse("the divisor is encrypted, expected a constant").instead(advice))
        }
        Pair::Right(_, c) if c.array.iter().any(|&v| v == 0.0) => {
            Err(refuse("the divisor holds a zero, expected none"))
        }
        Pair::Right(x, c) => {
            let y = model.mul_const(x, c.into_array().mapv_into(|v| 1.0 / v))?;
            Ok(vec![y.into()])
        }
    }
}

fn reciprocal(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if model.is_scratch() {
        let c = node.constant(0)?;
        let kind = c.kind;
        return Ok(vec![Constant::new(c.into_array().mapv_into(|v| 1.0 / v), kind).into()]);
    }
    let x = node.tensor(0, model)?;
    let z = recognize::one_plus_exp(&model.model, x)
        .ok_or_else(|| unsupported::reason("Reciprocal"))?;
    let z = model.negate(z)?;
    Ok(vec![model.activation(z, Function::Sigmoid)?.into()])
}

/// The axis if `sum` is the sum of `x` along one that stays: shares of a whole, which the client divides.
fn is_sum_of(model: &Builder, x: Tensor, sum: Tensor) -> Option<usize> {
    if let Op::Sum { x: summed, axes, keepdims: true } = &model.model.node(sum).op
        && let [axis] = axes[..]
        && *summed == x
    {
        return Some(axis);
    }
    None
}

/// `x / Σx`, both of them the client's.
fn share_of_sum(node: &mut Node<'_>) -> Option<LastNodes> {
    let (x, sum) = (LastNodes::begun(node, 0)?, LastNodes::begun(node, 1)?);
    match sum.ops.split_last()? {
        (&ClientOp::Sum { axis, keepdims: true }, rest)
            if x.tensor == sum.tensor && x.ops == rest =>
        {
            Some(x.then(ClientOp::Normalize { axis, norm: Norm::Sum }))
        }
        _ => None,
    }
}

fn neg(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(chain) = LastNodes::begun(node, 0) {
        return Ok(vec![chain.then_affine(-1.0, 0.0).value(node, model)?]);
    }
    let x = node.tensor(0, model)?;
    Ok(vec![model.negate(x)?.into()])
}

fn sum(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    Ok(vec![total(node, model)?.into()])
}

fn mean(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let total = total(node, model)?;
    Ok(vec![model.scale(total, 1.0 / node.n_inputs() as f64)?.into()])
}

/// The sum of all inputs.
fn total(node: &mut Node<'_>, model: &mut Builder) -> Result<Tensor, Refused> {
    let mut total: Option<Tensor> = None;
    let mut constants: Vec<ArrayD<f64>> = Vec::new();
    for i in 0..node.n_inputs() {
        match (node.operand(i, model)?, total) {
            (Operand::Constant(c), _) => constants.push(c.into_array()),
            (Operand::Tensor(x), None) => total = Some(x),
            (Operand::Tensor(x), Some(t)) => total = Some(model.add(t, x)?),
        }
    }
    let mut y = total.ok_or_else(|| refuse("no inputs, expected at least one"))?;
    for c in constants {
        y = model.add_const(y, c)?;
    }
    Ok(y)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn constants_may_be_larger_than_the_tensor() {
        let case = Case::new(13, &[2, 1]).floats("c", &[1, 2], &[10.0, 20.0]);
        let case = case.node("Sub", "c x", "y", &[]);
        assert_eq!(case.result(&[1.0, 2.0]), (vec![2, 2], vec![9.0, 19.0, 8.0, 18.0]));
    }

    #[test]
    fn encrypted_operands_broadcast() {
        let case = Case::new(13, &[2, 1]).input("z", &[2]).node("Sub", "x z", "y", &[]);
        let y = case.run(&[&[1.0, 2.0], &[10.0, 20.0]]).remove(0);
        assert_eq!(y.iter().copied().collect::<Vec<_>>(), [-9.0, -19.0, -8.0, -18.0]);
    }

    #[test]
    fn sums_of_everything() {
        let case = Case::new(13, &[2]).floats("c", &[2], &[1.0, 2.0]).input("z", &[1]);
        let y = case.node("Sum", "c x z x", "y", &[]).run(&[&[1.0, 2.0], &[10.0]]).remove(0);
        assert_eq!(y.iter().copied().collect::<Vec<_>>(), [13.0, 16.0]);
        let case = Case::new(13, &[2]).floats("c", &[2], &[4.0, 5.0]);
        assert_eq!(case.node("Mean", "x x c", "y", &[]).result(&[1.0, 2.0]).1, [2.0, 3.0]);
    }

    #[test]
    fn written_out_logistic_functions_and_shares() {
        let case = || Case::new(13, &[1, 2]).floats("one", &[], &[1.0]).ints("a", &[1]);
        let exp = || {
            case().node("Neg", "x", "n", &[]).node("Exp", "n", "e", &[]).node(
                "Add",
                "e one",
                "d",
                &[],
            )
        };
        for y in [exp().node("Div", "one d", "y", &[]), exp().node("Reciprocal", "d", "y", &[])] {
            let p = y.result(&[0.0, 1.0]).1;
            assert!((p[0] - 0.5).abs() < 1e-15 && (p[1] - 0.731_058_578_630_004_9).abs() < 1e-15);
            assert_eq!(y.operations().last().unwrap().split(" | ").nth(1), Some("sigmoid"));
        }
        // A softmax written out.
        let softmax = case().node("Exp", "x", "e", &[]).node("ReduceSum", "e a", "s", &[]).node(
            "Div",
            "e s",
            "y",
            &[],
        );
        assert_eq!(softmax.operations()[1], "output \"y\" t0 | exp | normalize axis=1 norm=sum");
        assert_eq!(softmax.result(&[2.0, 2.0]).1, [0.5, 0.5]);
    }

    #[test]
    fn divisors_must_be_known_and_not_zero() {
        let case = Case::new(13, &[2]).floats("c", &[2], &[1.0, 0.0]).node("Div", "x c", "y", &[]);
        assert!(case.error().contains("the divisor holds a zero"));
        let case = Case::new(13, &[2]).floats("c", &[2], &[1.0, 0.0]).node("Div", "c x", "y", &[]);
        assert!(case.error().contains("the divisor is encrypted"));
    }
}
