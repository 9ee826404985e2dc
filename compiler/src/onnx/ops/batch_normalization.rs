//! `BatchNormalization` with the statistics of training: `scale·(x − mean)/√(var + ε) + bias`, per channel.

use ndarray::{ArrayD, IxDyn};

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::finite;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const BATCH_NORMALIZATION: Importer = Importer {
    op_type: "BatchNormalization",
    since: 7,
    supported: "`epsilon`; `momentum` has no effect",
    refused: "`training_mode` 1 (before operator set 14: outputs beyond the first), `spatial` 0, encrypted statistics",
    import,
};

const EVALUATION: &str = "export in evaluation mode";

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let x = node.tensor(0, model)?;
    let shape = model.shape(x);
    let epsilon = node.attr::<f64>("epsilon")?.unwrap_or(f64::from(1e-5f32));
    // Momentum updates the statistics while training.
    node.ignore("momentum");
    if node.flag("training_mode", false)? {
        return Err(refuse("attribute `training_mode` is 1, expected 0").instead(EVALUATION));
    }
    // Before there was an attribute for it, whoever asked for statistics was training.
    let n_outputs = node.n_named_outputs();
    if node.opset < 14 && n_outputs > 1 {
        return Err(refuse(format!(
            "{n_outputs} outputs in operator set {} mean training, expected 1",
            node.opset
        ))
        .instead(EVALUATION));
    }
    if node.opset < 9 && !node.flag("spatial", true)? {
        return Err(refuse("attribute `spatial` is 0, expected 1"));
    }
    let Some(&channels) = shape.get(1) else {
        return Err(refuse(format!(
            "input 0 has shape {shape:?}, expected at least two dimensions"
        )));
    };
    let mut per_channel = vec![1; shape.len()];
    per_channel[1] = channels;
    let mut parameter = |i: usize| {
        let c = node.constant(i)?;
        if c.shape() != [channels] {
            return Err(refuse(format!(
                "input {i} has shape {:?}, expected [{channels}]",
                c.shape()
            )));
        }
        finite::check(&c.array)?;
        ArrayD::from_shape_vec(IxDyn(&per_channel), c.to_vec()).map_err(|e| refuse(e.to_string()))
    };
    let (scale, bias) = (parameter(1)?, parameter(2)?);
    let (mean, variance) = (parameter(3)?, parameter(4)?);
    let factor = scale / (variance + epsilon).mapv(f64::sqrt);
    if factor.iter().any(|v| !v.is_finite()) {
        return Err(refuse("a variance is not positive, so that the factor is infinite"));
    }
    let offset = bias - mean * &factor;
    let y = model.mul_const(x, factor)?;
    Ok(vec![model.add_const(y, offset)?.into()])
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Op;

    use crate::onnx::testing::{Attr, Case};

    fn case(opset: i64, attributes: &[(&str, Attr<'_>)]) -> Case {
        Case::new(opset, &[1, 2, 1, 1])
            .floats("w", &[2, 2, 1, 1], &[1.0, 0.0, 0.0, 1.0])
            .floats("s", &[2], &[2.0, 3.0])
            .floats("b", &[2], &[0.5, 0.25])
            .floats("m", &[2], &[1.0, 2.0])
            .floats("v", &[2], &[3.0, 8.0])
            .node("Conv", "x w", "c", &[])
            .node("BatchNormalization", "c s b m v", "y", attributes)
    }

    #[test]
    fn folds_into_the_convolution() {
        let case = case(9, &[("epsilon", Attr::Float(1.0)), ("momentum", Attr::Float(0.1))]);
        assert_eq!(case.result(&[5.0, 5.0]).1, [4.5, 3.25]);
        let model = case.import().unwrap();
        assert_eq!(model.nodes.len(), 2);
        assert!(matches!(model.nodes[1].op, Op::Conv { bias: Some(_), .. }));
        assert_eq!(model.constants.len(), 2);
    }

    #[test]
    fn training_is_refused() {
        assert!(
            case(14, &[("training_mode", Attr::Int(1))]).error().contains("`training_mode` is 1")
        );
        assert!(case(7, &[("spatial", Attr::Int(0))]).error().contains("`spatial` is 0"));
        let outputs = |opset: i64, outputs: &[&str]| {
            let mut case = case(opset, &[]);
            case.graph().node[1].output = outputs.iter().map(|&name| name.to_owned()).collect();
            case
        };
        for opset in [7, 8, 9, 13] {
            let error = outputs(opset, &["y", "mean", "var", "saved_mean", "saved_var"]).error();
            assert!(error.contains(&format!("5 outputs in operator set {opset} mean")), "{error}");
            assert!(error.contains("instead: export in evaluation mode"), "{error}");
            assert!(outputs(opset, &["y", "", "mean"]).import().is_err());
            assert!(outputs(opset, &["y", "", "", "", ""]).import().is_ok());
        }
        // Since there is an attribute, it alone decides.
        assert!(outputs(14, &["y", "mean", "var"]).import().is_ok());
    }
}
