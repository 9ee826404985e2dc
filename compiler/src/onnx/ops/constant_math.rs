//! Operators that are read on constants alone: exporters use them to compute shapes and parameters.

use ndarray::{ArrayD, Zip};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::{Constant, Kind, Value};

const ENCRYPTED: &str = "encrypted data";

macro_rules! logic {
    ($name:ident, $op_type:literal, $holds:expr) => {
        pub(super) const $name: Importer = Importer {
            op_type: $op_type,
            since: 7,
            supported: "constants",
            refused: ENCRYPTED,
            import: |node, model| {
                let holds: fn(f64, f64) -> bool = $holds;
                let (a, b) = (known(node, 0)?, known(node, 1)?);
                let array = zip(&a, &b, model, |a, b| f64::from(u8::from(holds(a, b))))?;
                Ok(vec![Constant::new(array, Kind::Bool).into()])
            },
        };
    };
}
logic!(AND, "And", |a, b| a != 0.0 && b != 0.0);
logic!(OR, "Or", |a, b| a != 0.0 || b != 0.0);
logic!(XOR, "Xor", |a, b| (a != 0.0) != (b != 0.0));

pub(super) const MOD: Importer = Importer {
    op_type: "Mod",
    since: 10,
    supported: "`fmod`; constants",
    refused: ENCRYPTED,
    import: modulo,
};
/// Input `i`, which must be known.
fn known(node: &mut Node<'_>, i: usize) -> Result<Constant, Refused> {
    let op_type = node.op_type().to_owned();
    node.constant(i).map_err(|r| match super::super::unsupported::rewrite(&op_type) {
        Some(rewrite) => r.instead(rewrite),
        None => r,
    })
}

/// The elementwise result of two known operands, of the first one's kind.
pub(super) fn fold_pair(
    node: &mut Node<'_>,
    model: &mut Builder,
    map: impl Fn(Kind, f64, f64) -> f64,
) -> Result<Vec<Value>, Refused> {
    let (a, b) = (node.constant(0)?, node.constant(1)?);
    let kind = a.kind;
    Ok(vec![Constant::new(zip(&a, &b, model, |a, b| map(kind, a, b))?, kind).into()])
}

/// The elementwise result of two known operands.
pub(super) fn zip(
    a: &Constant,
    b: &Constant,
    model: &mut Builder,
    map: impl Fn(f64, f64) -> f64,
) -> Result<ArrayD<f64>, Refused> {
    let to = shape::broadcast(a.shape(), b.shape())?;
    model.spend(shape::count(&to)?)?;
    let (a, b) = (broadcast(a, &to)?, broadcast(b, &to)?);
    Ok(Zip::from(a).and(b).map_collect(|&a, &b| map(a, b)))
}

/// The constant in another shape.
pub(super) fn broadcast<'a>(
    c: &'a Constant,
    to: &[usize],
) -> Result<ndarray::ArrayViewD<'a, f64>, Refused> {
    let view = c.array.broadcast(to);
    view.ok_or_else(|| refuse(format!("shape {:?} does not broadcast to {to:?}", c.shape())))
}

fn modulo(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let truncate = node.flag("fmod", false)?;
    known(node, 0)?;
    fold_pair(node, model, |_, a, b| {
        let rest = a % b;
        // Without `fmod` the result has the divisor's sign.
        if !truncate && rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
    })
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn integers_divide_towards_zero() {
        let case = Case::new(13, &[2]).ints("a", &[7, -7]).ints("b", &[2]);
        let case = case.node("Div", "a b", "q", &[]).node("Mod", "a b", "r", &[]);
        let case = case.node("Add", "x q", "s", &[]).node("Add", "s r", "y", &[]);
        assert_eq!(case.result(&[0.0, 0.0]).1, [3.0 + 1.0, -3.0 + 1.0]);
    }
}
