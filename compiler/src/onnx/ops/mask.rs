//! `Trilu` and `Where`: elements that a known mask keeps.

use hecc_grammar::model::ClientOp;
use ndarray::{ArrayD, Zip};

use super::constant_math::{broadcast, zip};
use super::piecewise;
use crate::onnx::builder::Builder;
use crate::onnx::client::{LastNodes, numbers};
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::shape;
use crate::onnx::value::{Constant, Kind, Value};

const REWRITE: &str = "Clip, Min, Max, Relu or LeakyRelu where they say the same";

pub(super) const TRILU: Importer = Importer {
    op_type: "Trilu",
    since: 14,
    supported: "`upper`; a constant diagonal",
    refused: "",
    import: trilu,
};
pub(super) const WHERE: Importer = Importer {
    op_type: "Where",
    since: 9,
    supported: "a constant condition, encrypted and constant alternatives; activations by a threshold (Relu, LeakyRelu, Elu, Softplus); a condition that the client finds out, constant alternatives",
    refused: "encrypted conditions inside the network",
    import: choose,
};

fn trilu(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let upper = node.flag("upper", true)?;
    let k = match node.optional_constant(1)? {
        Some(k) => k.uniform().ok_or_else(|| refuse("the diagonal is not one number"))?,
        None => 0.0,
    };
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let &[.., rows, columns] = &shape[..] else {
        return Err(refuse(format!("input 0 has shape {shape:?}, expected a matrix")));
    };
    let kept = |at: (usize, usize)| {
        let over = at.1 as f64 - at.0 as f64;
        if upper { over >= k } else { over <= k }
    };
    let mask = ndarray::Array2::from_shape_fn((rows, columns), |at| f64::from(u8::from(kept(at))));
    Ok(vec![model.mul_const(x, mask.into_dyn())?.into()])
}

fn choose(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(chain) = LastNodes::begun(node, 0) {
        if let (Ok(yes), Ok(no)) = (node.operand(1, model), node.operand(2, model))
            && let Some(y) = piecewise::activation(&chain, &yes, &no, model)?
        {
            return Ok(vec![y.into()]);
        }
        return between_constants(chain, node, model);
    }
    let condition = node.constant(0).map_err(|r| r.instead(REWRITE))?;
    let keep = Constant::new(condition.into_array().mapv_into(|v| (v != 0.0).into()), Kind::Bool);
    if model.is_scratch() {
        return choose_known(node, &keep, model);
    }
    let drop = Constant::new(keep.array.mapv(|v| 1.0 - v), Kind::Bool);
    let y = match (node.operand(1, model)?, node.operand(2, model)?) {
        (Operand::Tensor(a), Operand::Tensor(b)) => {
            let a = model.mul_const(a, keep.into_array())?;
            let b = model.mul_const(b, drop.into_array())?;
            model.add(a, b)?
        }
        (Operand::Tensor(x), Operand::Constant(c)) => {
            let x = model.mul_const(x, keep.into_array())?;
            let filled = masked(&drop, &c, model)?;
            model.add_const(x, filled)?
        }
        (Operand::Constant(c), Operand::Tensor(x)) => {
            let x = model.mul_const(x, drop.into_array())?;
            let filled = masked(&keep, &c, model)?;
            model.add_const(x, filled)?
        }
        (Operand::Constant(_), Operand::Constant(_)) => {
            return Err(refuse("all inputs are constants, expected one encrypted"));
        }
    };
    Ok(vec![y.into()])
}

/// `b + (a − b)·c` where the client finds out `c`.
fn between_constants(
    chain: LastNodes,
    node: &mut Node<'_>,
    model: &Builder,
) -> Result<Vec<Value>, Refused> {
    let known = |r: Refused| r.instead(REWRITE);
    let (a, b) = (node.constant(1).map_err(known)?, node.constant(2).map_err(known)?);
    let to = shape::broadcast(a.shape(), b.shape())?;
    let to = shape::broadcast(&to, &chain.shape(model)?)?;
    let (a, offset) = (numbers(&a, &to)?, numbers(&b, &to)?);
    let count = a.len().max(offset.len());
    let at = |list: &[f64], i: usize| list[i.min(list.len() - 1)];
    let factor = (0..count).map(|i| at(&a, i) - at(&offset, i)).collect();
    let chain = chain.widened(&to, model)?.then(ClientOp::Affine { factor, offset });
    Ok(vec![chain.value(node, model)?])
}

/// The constant where the mask is 1, else 0, even where the constant is infinite.
fn masked(mask: &Constant, c: &Constant, model: &mut Builder) -> Result<ArrayD<f64>, Refused> {
    let filled = zip(mask, c, model, |m, c| if m != 0.0 { c } else { 0.0 })?;
    if filled.iter().all(|v| v.is_finite()) {
        return Ok(filled);
    }
    Err(refuse("it puts infinite numbers among encrypted ones")
        .instead("a mask of finite numbers, or none"))
}

fn choose_known(
    node: &mut Node<'_>,
    keep: &Constant,
    model: &mut Builder,
) -> Result<Vec<Value>, Refused> {
    let (x, y) = (node.constant(1)?, node.constant(2)?);
    let to = shape::broadcast(&shape::broadcast(keep.shape(), x.shape())?, y.shape())?;
    model.spend(shape::count(&to)?)?;
    let kind = x.kind;
    let (keep, x, y) = (broadcast(keep, &to)?, broadcast(&x, &to)?, broadcast(&y, &to)?);
    let chosen =
        Zip::from(keep).and(x).and(y).map_collect(|&k, &x, &y| if k != 0.0 { x } else { y });
    Ok(vec![Constant::new(chosen, kind).into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case, DataType};

    #[test]
    fn triangles() {
        let x: Vec<f64> = (1..=6).map(f64::from).collect();
        let case = |k, upper| {
            Case::new(14, &[1, 2, 3]).ints("k", &[k]).node(
                "Trilu",
                "x k",
                "y",
                &[("upper", Attr::Int(upper))],
            )
        };
        assert_eq!(case(0, 1).result(&x).1, [1.0, 2.0, 3.0, 0.0, 5.0, 6.0]);
        assert_eq!(case(-1, 0).result(&x).1, [0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
        let line = Case::new(14, &[2]).node("Trilu", "x", "y", &[]);
        assert!(line.error().contains("expected a matrix"));
    }

    #[test]
    fn known_masks_choose() {
        let case = || {
            Case::new(13, &[1, 2])
                .stored("m", DataType::Bool, &[2], &[1, 0])
                .floats("c", &[1], &[9.0])
                .floats("inf", &[2], &[f32::NEG_INFINITY, 5.0])
        };
        let run = |inputs| case().node("Where", inputs, "y", &[]).result(&[1.0, 2.0]).1;
        assert_eq!(run("m x c"), [1.0, 9.0]);
        assert_eq!(run("m c x"), [9.0, 2.0]);
        assert_eq!(run("m x x"), [1.0, 2.0]);
        assert_eq!(run("m x inf"), [1.0, 5.0]);
        assert!(case().node("Where", "m inf x", "y", &[]).error().contains("infinite numbers"));
    }
}
