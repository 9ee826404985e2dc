//! `LinearClassifier`, `LinearRegressor` and `SVMRegressor` of `ai.onnx.ml`: a matrix, and what the client does with
//! scores.

use hecc_grammar::model::{ClientOp, Comparison, Function, Tensor};
use ndarray::{Array2, ArrayD, IxDyn, array};

use super::label::{Labels, class_names};
use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;
use crate::onnx::value::Weight;

pub(super) const LINEAR_CLASSIFIER: Importer = Importer {
    op_type: "LinearClassifier",
    since: 7,
    supported: "`coefficients`, `intercepts`, `classlabels_ints`, `classlabels_strings`, `post_transform`; the label is the client's",
    refused: "`post_transform` PROBIT",
    import: classifier,
};
pub(super) const LINEAR_REGRESSOR: Importer = Importer {
    op_type: "LinearRegressor",
    since: 7,
    supported: "`coefficients`, `intercepts`, `targets`",
    refused: "`post_transform`",
    import: regressor,
};
pub(super) const SVM_REGRESSOR: Importer = Importer {
    op_type: "SVMRegressor",
    since: 7,
    supported: "`kernel_type` LINEAR",
    refused: "other kernels; `one_class`; `post_transform`",
    import: support_vectors,
};

/// Input 0 as rows of features.
fn rows(node: &mut Node<'_>, model: &mut Builder) -> Result<(Tensor, [usize; 2]), Refused> {
    let x = node.tensor(0, model)?;
    match model.shape(x)[..] {
        [features] => Ok((model.reshape(x, vec![1, features])?, [1, features])),
        [n, features] => Ok((x, [n, features])),
        ref shape => Err(refuse(format!("input 0 has shape {shape:?}, expected [n, features]"))),
    }
}

/// `x·coefficients' + intercepts`: a score for each class or target.
fn scores(
    node: &mut Node<'_>,
    model: &mut Builder,
    coefficients: &[f64],
) -> Result<(Tensor, usize), Refused> {
    let (x, [_, features]) = rows(node, model)?;
    let count = coefficients.len() / features;
    if count == 0 || coefficients.len() != count * features {
        return Err(refuse(format!(
            "{} coefficients for {features} features, expected as many for each class or target",
            coefficients.len()
        )));
    }
    let matrix = Array2::from_shape_fn((features, count), |(f, c)| coefficients[c * features + f]);
    let y = model.mat_mul(x, Weight::plain(matrix.into_dyn()))?;
    let intercepts = node.attr::<Vec<f64>>("intercepts")?.unwrap_or_default();
    match intercepts.len() {
        0 => Ok((y, count)),
        n if n == count || n == 1 => {
            Ok((model.add_const(y, ndarray::Array1::from(intercepts).into_dyn())?, count))
        }
        n => Err(refuse(format!("{n} intercepts, expected {count}"))),
    }
}

fn post_transform(node: &mut Node<'_>) -> Result<String, Refused> {
    Ok(node.attr::<String>("post_transform")?.unwrap_or_else(|| "NONE".to_owned()))
}

fn regressor(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let coefficients = node.attr::<Vec<f64>>("coefficients")?.unwrap_or_default();
    let targets = node.attr::<i64>("targets")?.unwrap_or(1);
    only_none(node)?;
    let (y, count) = scores(node, model, &coefficients)?;
    if usize::try_from(targets) != Ok(count) {
        return Err(refuse(format!(
            "`targets` is {targets}, but there are coefficients for {count}"
        )));
    }
    Ok(vec![y.into()])
}

fn only_none(node: &mut Node<'_>) -> Result<(), Refused> {
    match post_transform(node)?.as_str() {
        "NONE" => Ok(()),
        other => Err(refuse(format!("attribute `post_transform` is `{other}`, expected NONE"))),
    }
}

/// A linear machine's support vectors add up to one row of coefficients.
fn support_vectors(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let kernel = node.attr::<String>("kernel_type")?.unwrap_or_else(|| "LINEAR".to_owned());
    if kernel != "LINEAR" {
        return Err(refuse(format!("attribute `kernel_type` is `{kernel}`, expected LINEAR"))
            .instead("LinearSVR, or a small neural network (MLPRegressor)"));
    }
    if node.flag("one_class", false)? {
        return Err(refuse("attribute `one_class` is 1, expected 0"));
    }
    only_none(node)?;
    // These are of other kernels.
    node.ignore("kernel_params");
    let weights = node.attr::<Vec<f64>>("coefficients")?.unwrap_or_default();
    let vectors = node.attr::<Vec<f64>>("support_vectors")?.unwrap_or_default();
    let count = node.attr::<i64>("n_supports")?.unwrap_or(0);
    let rho = node.attr::<Vec<f64>>("rho")?.unwrap_or_default();
    let (x, [_, features]) = rows(node, model)?;
    let row = match (usize::try_from(count), weights.len()) {
        // Without support vectors the weights are the coefficients themselves.
        (Ok(0), n) if n == features => weights,
        (Ok(n), m) if n == m && vectors.len() == n * features => (0..features)
            .map(|f| weights.iter().enumerate().map(|(v, w)| w * vectors[v * features + f]).sum())
            .collect(),
        _ => {
            let (found, n) = (vectors.len(), weights.len());
            return Err(refuse(format!(
                "{count} support vectors of {features} features: {found} numbers and {n} weights"
            )));
        }
    };
    let matrix = ArrayD::from_shape_vec(IxDyn(&[features, 1]), row);
    let y = model.mat_mul(x, Weight::plain(matrix.map_err(|e| refuse(e.to_string()))?))?;
    let offset = rho.first().copied().unwrap_or(0.0);
    Ok(vec![model.add_const(y, ArrayD::from_elem(IxDyn(&[]), offset))?.into()])
}

fn classifier(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let coefficients = node.attr::<Vec<f64>>("coefficients")?.unwrap_or_default();
    // It has no effect in any runtime.
    node.ignore("multi_class");
    let transform = post_transform(node)?;
    let labels = Labels::of(node)?.ok_or_else(|| refuse("the node has no labels of classes"))?;
    let (scores, count) = scores(node, model, &coefficients)?;
    let is_binary = count == 1 && labels.len() == 2;
    if labels.len() != count && !is_binary {
        return Err(refuse(format!("{} labels for scores of {count} classes", labels.len())));
    }
    let chain = LastNodes { tensor: scores, ops: vec![] };
    let rows = model.shape(scores)[0];
    let label = if is_binary {
        let op = ClientOp::Compare { comparison: Comparison::Greater, with: vec![0.0] };
        chain.then(op).then(ClientOp::Reshape { shape: vec![rows] })
    } else {
        chain.then(ClientOp::ArgMax { axis: 1, keepdims: false })
    };
    let label = labels.look_up(label).value(node, model)?;
    let scores = if is_binary { both(scores, &transform, model)? } else { scores };
    let scores = match (transform.as_str(), is_binary) {
        ("NONE", _) | ("SOFTMAX" | "SOFTMAX_ZERO", true) => Value::Tensor(scores),
        ("LOGISTIC", _) => Value::Tensor(model.activation(scores, Function::Sigmoid)?),
        ("SOFTMAX" | "SOFTMAX_ZERO", false) => {
            let chain = LastNodes { tensor: scores, ops: vec![] };
            chain.then(ClientOp::Softmax { axis: 1 }).value(node, model)?
        }
        (other, _) => {
            return Err(refuse(format!(
                "attribute `post_transform` is `{other}`, expected NONE, LOGISTIC or SOFTMAX"
            )));
        }
    };
    Ok(vec![label, class_names(scores, &labels, node, model)?])
}

/// Scores of both classes from the one of the second, as onnxruntime has them: `[−s, s]` before a sigmoid, else
/// `[1 − s, s]`.
fn both(score: Tensor, transform: &str, model: &mut Builder) -> Result<Tensor, Refused> {
    let first = if transform == "LOGISTIC" { 0.0 } else { 1.0 };
    let pair = model.mat_mul(score, Weight::plain(array![[-1.0, 1.0]].into_dyn()))?;
    model.add_const(pair, array![first, 0.0].into_dyn())
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::ClientOp;

    use crate::onnx::testing::{Attr, Case};

    const ML: &str = "ai.onnx.ml";

    fn classifier(transform: &str, coefficients: &[f32], names: &[&str]) -> Case {
        let n = coefficients.len() / 2;
        let attributes = [
            ("coefficients", Attr::Floats(coefficients)),
            ("intercepts", Attr::Floats(&[0.5, 0.0, 0.0][..n])),
            ("post_transform", Attr::Text(transform)),
            ("classlabels_strings", Attr::Texts(names)),
        ];
        Case::new(13, &[1, 2])
            .node("LinearClassifier", "x", "label scores", &attributes)
            .of_domain(ML)
    }

    #[test]
    fn classes_have_scores_and_a_label() {
        let three = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let case = classifier("NONE", &three, &["a", "b", "c"]);
        let y = case.run(&[&[1.0, 2.0]]);
        assert_eq!((y[0].shape(), y[0][[0]]), (&[1][..], 2.0));
        assert_eq!(y[1].iter().copied().collect::<Vec<_>>(), [1.5, 2.0, 3.0]);
        let outputs = case.import().unwrap().outputs;
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(outputs[0].client.last(), Some(&ClientOp::Labels { names: names.clone() }));
        assert_eq!(outputs[1].client, [ClientOp::Classes { names }]);
        let softmax = classifier("SOFTMAX", &three, &["a", "b", "c"]).run(&[&[1.0, 2.0]]).remove(1);
        assert!((softmax.sum() - 1.0).abs() < 1e-15);
        assert!(classifier("NONE", &three, &["a"]).error().contains("1 labels for scores of 3"));
        assert!(classifier("PROBIT", &three, &["a", "b", "c"]).error().contains("`PROBIT`"));
    }

    #[test]
    fn one_row_of_coefficients_decides_between_two() {
        let run = |transform| {
            let y = classifier(transform, &[1.0, 1.0], &["no", "yes"]).run(&[&[1.0, -2.0]]);
            (y[0][[0]], y[1][[0, 0]], y[1][[0, 1]])
        };
        assert_eq!(run("NONE"), (0.0, 1.5, -0.5));
        let (label, no, yes) = run("LOGISTIC");
        assert_eq!((label, (no + yes - 1.0).abs() < 1e-15, no > yes), (0.0, true, true));
    }

    #[test]
    fn regressors_are_matrices() {
        let targets = |targets| {
            let attributes = [
                ("coefficients", Attr::Floats(&[1.0, 10.0, 2.0, 20.0])),
                ("intercepts", Attr::Floats(&[0.5, 0.25])),
                ("targets", Attr::Int(targets)),
            ];
            Case::new(13, &[1, 2]).node("LinearRegressor", "x", "y", &attributes).of_domain(ML)
        };
        assert_eq!(targets(2).result(&[1.0, 1.0]), (vec![1, 2], vec![11.5, 22.25]));
        assert!(targets(1).error().contains("`targets` is 1"));
        let machine = |kernel| {
            let attributes = [
                ("kernel_type", Attr::Text(kernel)),
                ("n_supports", Attr::Int(2)),
                ("coefficients", Attr::Floats(&[1.0, -1.0])),
                ("support_vectors", Attr::Floats(&[3.0, 0.0, 1.0, 1.0])),
                ("rho", Attr::Floats(&[0.5])),
            ];
            Case::new(13, &[1, 2]).node("SVMRegressor", "x", "y", &attributes).of_domain(ML)
        };
        assert_eq!(machine("LINEAR").result(&[1.0, 10.0]).1, [2.0 - 10.0 + 0.5]);
        assert!(machine("RBF").error().contains("instead: LinearSVR"));
    }
}
