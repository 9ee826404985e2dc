//! Features of `ai.onnx.ml`: `Scaler`, `Imputer`, `FeatureVectorizer` and `ArrayFeatureExtractor` on encrypted values,
//! `Normalizer` and `Binarizer` left to the client.

use hecc_grammar::model::{ClientOp, Comparison, Norm};
use ndarray::Array1;

use super::gather::look_up;
use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::file::attribute::Marker;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::value::Value;

pub(super) const ARRAY_FEATURE_EXTRACTOR: Importer = Importer {
    op_type: "ArrayFeatureExtractor",
    since: 7,
    supported: "constant indices; a list of constants at the indices that the client finds",
    refused: "encrypted indices",
    import: extract,
};
pub(super) const BINARIZER: Importer = Importer {
    op_type: "Binarizer",
    since: 7,
    supported: "`threshold`; last node, applied by the client",
    refused: "inside the network",
    import: binarize,
};
pub(super) const FEATURE_VECTORIZER: Importer = Importer {
    op_type: "FeatureVectorizer",
    since: 7,
    supported: "`inputdimensions`",
    refused: "",
    import: vectorize,
};
pub(super) const IMPUTER: Importer = Importer {
    op_type: "Imputer",
    since: 7,
    supported: "values that replace NaN, which encrypted inputs never hold",
    refused: "a number that is replaced",
    import: impute,
};
pub(super) const NORMALIZER: Importer = Importer {
    op_type: "Normalizer",
    since: 7,
    supported: "`norm`; last node, applied by the client",
    refused: "inside the network",
    import: normalize,
};
pub(super) const SCALER: Importer = Importer {
    op_type: "Scaler",
    since: 7,
    supported: "`offset`, `scale`",
    refused: "",
    import: scale,
};

/// `(x − offset)·scale`.
fn scale(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let mut x = node.tensor(0, model)?;
    let array = |list: Vec<f64>| Array1::from(list).into_dyn();
    if let Some(offset) = node.attr::<Vec<f64>>("offset")?.filter(|list| !list.is_empty()) {
        x = model.add_const(x, -array(offset))?;
    }
    if let Some(scale) = node.attr::<Vec<f64>>("scale")?.filter(|list| !list.is_empty()) {
        x = model.mul_const(x, array(scale))?;
    }
    Ok(vec![x.into()])
}

fn impute(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    node.ignore("imputed_value_floats");
    node.ignore("imputed_value_int64s");
    let replaced = node.attr::<Marker>("replaced_value_float")?.map(|Marker(x)| x);
    let replaced = replaced.or(node.attr::<i64>("replaced_value_int64")?.map(|v| v as f64));
    match replaced.filter(|v| !v.is_nan()) {
        None => Ok(vec![node.tensor(0, model)?.into()]),
        Some(v) => Err(refuse(format!("it compares encrypted numbers with {v}"))
            .instead("impute before encryption, and drop the node")),
    }
}

fn vectorize(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let declared = node.attr::<Vec<i64>>("inputdimensions")?;
    let mut parts = Vec::with_capacity(node.n_inputs());
    for i in 0..node.n_inputs() {
        let x = node.tensor(i, model)?;
        let width = match model.shape(x)[..] {
            [width] | [_, width] => width,
            ref shape => {
                return Err(refuse(format!(
                    "input {i} has shape {shape:?}, expected [n, features]"
                )));
            }
        };
        let found = Some(width as i64);
        let wanted = declared.as_ref().map_or(found, |list| list.get(i).copied());
        if wanted != found {
            return Err(refuse(format!("input {i} has {width} features, not {wanted:?}")));
        }
        parts.push(if model.shape(x).len() == 1 { model.reshape(x, vec![1, width])? } else { x });
    }
    if parts.is_empty() {
        return Err(refuse("no inputs, expected at least one"));
    }
    Ok(vec![model.concat(parts, 1)?.into()])
}

/// Takes elements of the last dimension.
fn extract(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    if let Some(chain) = LastNodes::begun(node, 1) {
        let table = node.value(0).ok_or_else(|| refuse("input 0 is missing"))?;
        let count = chain.shape(model)?.iter().product();
        let chain = look_up(chain, table)?;
        let chain = chain.then(ClientOp::Reshape { shape: vec![1, count] });
        return Ok(vec![chain.value(node, model)?]);
    }
    let (x, indices) = (node.tensor(0, model)?, node.constant(1)?.to_integers()?);
    let from = model.shape(x);
    let extent = from.last().copied().unwrap_or(0);
    let inside = |&i: &i64| usize::try_from(i).ok().filter(|&i| i < extent);
    let Some(list) = indices.iter().map(inside).collect::<Option<Vec<usize>>>() else {
        return Err(refuse(format!("indices {indices:?}, expected each in 0 to {extent}")));
    };
    let taken = model.gather(x, from.len() - 1, list)?;
    if from.len() > 1 {
        return Ok(vec![taken.into()]);
    }
    Ok(vec![model.reshape(taken, vec![1, indices.len()])?.into()])
}

fn normalize(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let norm = match node.attr::<String>("norm")?.as_deref() {
        None | Some("MAX") => Norm::Max,
        Some("L1") => Norm::L1,
        Some("L2") => Norm::L2,
        Some(other) => {
            return Err(refuse(format!("attribute `norm` is `{other}`, expected MAX, L1 or L2")));
        }
    };
    let chain = LastNodes::of(node, 0, model)?;
    let axis = chain.shape(model)?.len().checked_sub(1);
    let axis = axis.ok_or_else(|| refuse("input 0 is one number, expected a list"))?;
    Ok(vec![chain.then(ClientOp::Normalize { axis, norm }).value(node, model)?])
}

fn binarize(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let with = vec![node.attr::<f64>("threshold")?.unwrap_or(0.0)];
    let op = ClientOp::Compare { comparison: Comparison::Greater, with };
    Ok(vec![LastNodes::of(node, 0, model)?.then(op).value(node, model)?])
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    const ML: &str = "ai.onnx.ml";

    #[test]
    fn features_are_scaled_and_picked() {
        let scaler = [("offset", Attr::Floats(&[1.0, 2.0])), ("scale", Attr::Floats(&[10.0]))];
        let case = Case::new(13, &[1, 2]).node("Scaler", "x", "y", &scaler).of_domain(ML);
        assert_eq!(case.result(&[2.0, 4.0]).1, [10.0, 20.0]);
        let case = Case::new(13, &[1, 3]).ints("i", &[2, 0]);
        let case = case.node("ArrayFeatureExtractor", "x i", "y", &[]).of_domain(ML);
        assert_eq!(case.result(&[1.0, 2.0, 3.0]), (vec![1, 2], vec![3.0, 1.0]));
        let case = Case::new(13, &[1, 2]).input("z", &[1, 1]);
        let case = case.node("FeatureVectorizer", "x z", "y", &[]).of_domain(ML);
        assert_eq!(case.run(&[&[1.0, 2.0], &[3.0]])[0].shape(), [1, 3]);
    }

    #[test]
    fn missing_values_are_never_encrypted() {
        let case = |replaced| {
            let attributes = [("replaced_value_float", Attr::Float(replaced))];
            Case::new(13, &[1, 2]).node("Imputer", "x", "y", &attributes).of_domain(ML)
        };
        assert_eq!(case(f32::NAN).result(&[1.0, 2.0]).1, [1.0, 2.0]);
        assert!(case(-1.0).error().contains("instead: impute before encryption"));
    }

    #[test]
    fn the_client_normalizes_and_compares() {
        let norm = [("norm", Attr::Text("L1"))];
        let normalizer =
            |name| Case::new(13, &[1, 2]).node("Normalizer", "x", name, &norm).of_domain(ML);
        assert_eq!(normalizer("y").result(&[1.0, -3.0]).1, [0.25, -0.75]);
        let first =
            normalizer("t").floats("w", &[2, 1], &[1.0, 1.0]).node("MatMul", "t w", "y", &[]);
        assert!(
            first.error().contains("instead: normalize the input before encryption"),
            "{}",
            first.error()
        );
        let threshold = [("threshold", Attr::Float(0.5))];
        let case = Case::new(13, &[1, 2]).node("Binarizer", "x", "y", &threshold).of_domain(ML);
        assert_eq!(case.result(&[0.5, 0.6]).1, [0.0, 1.0]);
    }

    #[test]
    fn labels_by_the_indices_that_the_client_finds() {
        let case =
            Case::new(13, &[1, 3]).strings("classes", &["cat", "dog", "cow"]).ints("flat", &[-1]);
        let case = case
            .node("ArgMax", "x", "i", &[("axis", Attr::Int(1))])
            .node("ArrayFeatureExtractor", "classes i", "l", &[])
            .of_domain(ML)
            .node("Reshape", "l flat", "y", &[]);
        assert_eq!(case.result(&[0.0, 2.0, 1.0]), (vec![1], vec![1.0]));
        let want = "output \"y\" t0 | arg_max axis=1 keepdims=true | labels \"cat\" \"dog\" \"cow\" \
                    | reshape shape=[1]";
        assert_eq!(case.operations()[1], want);
        // As many labels as there are rows, which are a batch.
        let rows = Case::new(13, &[-1, 3]).strings("classes", &["cat", "dog", "cow"]);
        let rows = rows.ints("flat", &[-1]).node("ArgMax", "x", "i", &[("axis", Attr::Int(1))]);
        let rows = rows.node("ArrayFeatureExtractor", "classes i", "l", &[]).of_domain(ML);
        let rows = rows.node("Reshape", "l flat", "y", &[]);
        assert_eq!(rows.import_for_one().unwrap().nodes[0].shape, [1, 3]);
    }
}
