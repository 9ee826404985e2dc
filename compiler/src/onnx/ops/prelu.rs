//! `PRelu`: `x` for `x ≥ 0`, else `slope·x`.

use hecc_grammar::model::Function;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::finite;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::shape::broadcast;
use crate::onnx::value::Value;

pub(super) const PRELU: Importer = Importer {
    op_type: "PRelu",
    since: 7,
    supported: "a constant slope: `LeakyRelu` if one number, else `slope·x + (1 − slope)·Relu(x)`",
    refused: "encrypted slope",
    import,
};

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let slope = node.constant(1)?;
    let shape = model.shape(x);
    if broadcast(&shape, slope.shape()).ok().as_ref() != Some(&shape) {
        let found = slope.shape();
        return Err(refuse(format!(
            "input 1 has shape {found:?}, expected one that broadcasts to {shape:?}"
        )));
    }
    if let Some(alpha) = slope.uniform() {
        finite::check(&slope.array)?;
        return Ok(vec![model.activation(x, Function::LeakyRelu { alpha })?.into()]);
    }
    let slope = slope.into_array();
    let relu = model.activation(x, Function::Relu)?;
    let relu = model.mul_const(relu, slope.mapv(|s| 1.0 - s))?;
    let line = model.mul_const(x, slope)?;
    Ok(vec![model.add(line, relu)?.into()])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::Case;

    #[test]
    fn slopes_per_channel_and_alone() {
        let case = Case::new(13, &[1, 2, 1]).floats("s", &[2, 1], &[0.5, 0.25]);
        let case = case.node("PRelu", "x s", "y", &[]);
        assert_eq!(case.result(&[-2.0, -4.0]).1, [-1.0, -1.0]);
        assert_eq!(case.result(&[2.0, 4.0]).1, [2.0, 4.0]);
        let case = Case::new(13, &[1, 2]).floats("s", &[1], &[0.5]).node("PRelu", "x s", "y", &[]);
        assert_eq!(case.operations()[1..], ["output \"y\" t0 | leaky_relu alpha=0.5"]);
    }
}
