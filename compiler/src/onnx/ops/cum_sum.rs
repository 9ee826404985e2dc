//! `CumSum`: running sums, a triangular matrix along one axis.

use ndarray::Array2;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape;
use crate::onnx::value::Value;

pub(super) const CUM_SUM: Importer = Importer {
    op_type: "CumSum",
    since: 11,
    supported: "`exclusive`, `reverse`; a constant axis",
    refused: "",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let axis = node.constant(1)?;
    let [axis] = axis.to_integers()?[..] else {
        return Err(refuse(format!("the axis has shape {:?}, expected one number", axis.shape())));
    };
    let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    let from = model.shape(x);
    let axis = shape::axis(axis, from.len())?;
    model.spend(from[axis].saturating_mul(from[axis]))?;
    let adds = |i: usize, sum: usize| match (exclusive, reverse) {
        (false, false) => i <= sum,
        (false, true) => i >= sum,
        (true, false) => i < sum,
        (true, true) => i > sum,
    };
    let matrix = Array2::from_shape_fn((from[axis], from[axis]), |(i, sum)| {
        f64::from(u8::from(adds(i, sum)))
    });
    Ok(vec![model.mat_mul_along(x, axis, matrix)?.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    #[test]
    fn sums_run_both_ways() {
        let run = |axis: i64, exclusive, reverse| {
            let case = Case::new(14, &[2, 3]).ints("a", &[axis]);
            let flags = [("exclusive", Attr::Int(exclusive)), ("reverse", Attr::Int(reverse))];
            case.node("CumSum", "x a", "y", &flags).result(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).1
        };
        assert_eq!(run(1, 0, 0), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
        assert_eq!(run(-1, 1, 0), [0.0, 1.0, 3.0, 0.0, 4.0, 9.0]);
        assert_eq!(run(1, 0, 1), [6.0, 5.0, 3.0, 15.0, 11.0, 6.0]);
        assert_eq!(run(0, 1, 1), [4.0, 5.0, 6.0, 0.0, 0.0, 0.0]);
        let line = Case::new(14, &[3]).ints("a", &[0]).node("CumSum", "x a", "y", &[]);
        assert_eq!(line.result(&[1.0, 2.0, 3.0]), (vec![3], vec![1.0, 3.0, 6.0]));
    }
}
