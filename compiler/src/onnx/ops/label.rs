//! Labels of classes: `LabelEncoder` and `ZipMap` of `ai.onnx.ml`. The client looks labels up; names stay with the
//! output, for whoever prints it.

use hecc_grammar::model::ClientOp;

use crate::onnx::builder::Builder;
use crate::onnx::client::LastNodes;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::file::tensor;
use crate::onnx::importer::Importer;
use crate::onnx::node::Node;
use crate::onnx::proto::TensorProto;
use crate::onnx::value::Value;

pub(super) const LABEL_ENCODER: Importer = Importer {
    op_type: "LabelEncoder",
    since: 7,
    supported: "keys and values of any type, defaults, `classes_strings`; last node, applied by the client",
    refused: "inside the network",
    import: encoder,
};
pub(super) const ZIP_MAP: Importer = Importer {
    op_type: "ZipMap",
    since: 7,
    supported: "the names go with the output, which stays a tensor",
    refused: "",
    import: zip_map,
};

/// What classes are called.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Labels {
    Numbers(Vec<f64>),
    Names(Vec<String>),
}

impl Labels {
    /// The attributes `classlabels_*` of a node.
    pub(super) fn of(node: &mut Node<'_>) -> Result<Option<Labels>, Refused> {
        let names =
            node.attr::<Vec<String>>("classlabels_strings")?.filter(|list| !list.is_empty());
        let numbers = match node.attr::<Vec<i64>>("classlabels_ints")? {
            Some(list) => Some(list),
            None => node.attr::<Vec<i64>>("classlabels_int64s")?,
        };
        let numbers = numbers.map(|list| list.into_iter().map(|v| v as f64).collect());
        Ok(names.map(Labels::Names).or(numbers.map(Labels::Numbers)))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Labels::Numbers(list) => list.len(),
            Labels::Names(list) => list.len(),
        }
    }

    /// Whether class `i` is called `i`.
    fn is_trivial(&self) -> bool {
        match self {
            Labels::Numbers(list) => list.iter().enumerate().all(|(i, &v)| v == i as f64),
            Labels::Names(_) => false,
        }
    }

    /// The labels of the classes that the client finds.
    pub(super) fn look_up(&self, chain: LastNodes) -> LastNodes {
        match self {
            Labels::Numbers(_) if self.is_trivial() => chain,
            Labels::Numbers(values) => {
                let keys = (0..values.len()).map(|i| i as f64).collect();
                chain.then(ClientOp::Lookup { keys, values: values.clone(), default: 0.0 })
            }
            Labels::Names(names) => chain.then(ClientOp::Labels { names: names.clone() }),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Labels::Numbers(list) => list.iter().map(f64::to_string).collect(),
            Labels::Names(list) => list.clone(),
        }
    }
}

/// Scores with the names of their classes, if there is one for each and they say more than the positions do.
pub(super) fn class_names(
    scores: Value,
    labels: &Labels,
    node: &Node<'_>,
    model: &Builder,
) -> Result<Value, Refused> {
    let chain = match &scores {
        Value::Tensor(tensor) => LastNodes { tensor: *tensor, ops: vec![] },
        Value::Client { tensor, ops, .. } => LastNodes { tensor: *tensor, ops: ops.clone() },
        Value::Constant(_)
        | Value::Quantized(_)
        | Value::Strings(_)
        | Value::Unknown
        | Value::Absent(_) => return Ok(scores),
    };
    let is_named = chain.ops.iter().any(|op| matches!(op, ClientOp::Classes { .. }));
    let count = chain.shape(model)?.last().copied().unwrap_or(1);
    if labels.is_trivial() || is_named || count != labels.len() {
        return Ok(scores);
    }
    chain.then(ClientOp::Classes { names: labels.names() }).value(node, model)
}

fn zip_map(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let labels = Labels::of(node)?;
    let scores = node.value(0).ok_or_else(|| refuse("input 0 is missing"))?;
    Ok(vec![match labels {
        Some(labels) => class_names(scores, &labels, node, model)?,
        None => scores,
    }])
}

fn encoder(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let chain = LastNodes::of(node, 0, model)?;
    let (keys, values, default) = table(node)?;
    // What the client holds are numbers, or places in a list of names.
    let names = chain.ops.iter().rev().find_map(|op| {
        if let ClientOp::Labels { names } = op { Some(names.clone()) } else { None }
    });
    let keys = match (keys, names) {
        (Labels::Numbers(keys), None) => keys,
        (Labels::Names(keys), Some(names)) => {
            let place = |key| names.iter().position(|name| name == key).map(|i| i as f64);
            // A key that no class has is never met.
            keys.iter().map(|key| place(key).unwrap_or(-1.0)).collect()
        }
        (Labels::Numbers(_), Some(_)) | (Labels::Names(_), None) => {
            return Err(refuse("keys and the labels that are looked up are of different types"));
        }
    };
    let chain = match values {
        Labels::Numbers(values) => {
            let Labels::Numbers(default) = default else {
                return Err(refuse("values and their default are of different types"));
            };
            let default = default.first().copied().unwrap_or(0.0);
            chain.then(ClientOp::Lookup { keys, values, default })
        }
        Labels::Names(mut names) => {
            let places: Vec<f64> = (0..names.len()).map(|i| i as f64).collect();
            let Labels::Names(unknown) = default else {
                return Err(refuse("values and their default are of different types"));
            };
            let default = names.len() as f64;
            names.extend(unknown.into_iter().take(1));
            chain
                .then(ClientOp::Lookup { keys, values: places, default })
                .then(ClientOp::Labels { names })
        }
    };
    Ok(vec![chain.value(node, model)?])
}

/// Keys, values, and the value of what is no key (a list of one).
fn table(node: &mut Node<'_>) -> Result<(Labels, Labels, Labels), Refused> {
    // Version 1: strings and their places in a list, whichever of the two the input holds.
    if let Some(names) = node.attr::<Vec<String>>("classes_strings")? {
        let unknown = node.attr::<String>("default_string")?;
        let places = (0..names.len()).map(|i| i as f64).collect();
        node.ignore("default_int64");
        let unknown = Labels::Names(vec![unknown.unwrap_or_else(|| UNKNOWN.to_owned())]);
        return Ok((Labels::Numbers(places), Labels::Names(names), unknown));
    }
    let keys = list(node, "keys")?.ok_or_else(|| refuse("the node has no keys"))?;
    let values = list(node, "values")?.ok_or_else(|| refuse("the node has no values"))?;
    if keys.len() != values.len() {
        return Err(refuse(format!("{} keys and {} values", keys.len(), values.len())));
    }
    let string = node.attr::<String>("default_string")?;
    let int = node.attr::<i64>("default_int64")?.map(|v| v as f64);
    let float = node.attr::<f64>("default_float")?;
    let tensor = node.attr::<TensorProto>("default_tensor")?.map(|t| labels(&t)).transpose()?;
    let default = match values {
        Labels::Names(_) => Labels::Names(vec![string.unwrap_or_else(|| UNKNOWN.to_owned())]),
        Labels::Numbers(_) => Labels::Numbers(vec![int.or(float).unwrap_or(-1.0)]),
    };
    Ok((keys, values, tensor.unwrap_or(default)))
}

/// What ONNX calls a label that is not known.
const UNKNOWN: &str = "_Unused";

/// The list `keys_*` or `values_*`, of whatever type.
fn list(node: &mut Node<'_>, what: &str) -> Result<Option<Labels>, Refused> {
    if let Some(names) = node.attr::<Vec<String>>(&format!("{what}_strings"))? {
        return Ok(Some(Labels::Names(names)));
    }
    if let Some(ints) = node.attr::<Vec<i64>>(&format!("{what}_int64s"))? {
        return Ok(Some(Labels::Numbers(ints.into_iter().map(|v| v as f64).collect())));
    }
    if let Some(floats) = node.attr::<Vec<f64>>(&format!("{what}_floats"))? {
        return Ok(Some(Labels::Numbers(floats)));
    }
    let tensor = node.attr::<TensorProto>(&format!("{what}_tensor"))?;
    tensor.map(|tensor| labels(&tensor)).transpose()
}

fn labels(tensor: &TensorProto) -> Result<Labels, Refused> {
    if tensor::holds_strings(tensor) {
        return Ok(Labels::Names(tensor::read_strings(tensor)?.names.to_vec()));
    }
    Ok(Labels::Numbers(tensor::read(tensor, None)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::ClientOp;

    use crate::onnx::testing::{Attr, Case};

    const ML: &str = "ai.onnx.ml";

    fn arg_max() -> Case {
        let axis = [("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))];
        Case::new(13, &[1, 3]).node("ArgMax", "x", "i", &axis)
    }

    fn last(case: &Case) -> Option<ClientOp> {
        case.import().unwrap().outputs.remove(0).client.pop()
    }

    #[test]
    fn encoders_look_up_numbers_and_names() {
        let numbers = [
            ("keys_int64s", Attr::Ints(&[0, 2])),
            ("values_floats", Attr::Floats(&[0.5, 1.5])),
            ("default_float", Attr::Float(-7.0)),
        ];
        let case = arg_max().node("LabelEncoder", "i", "y", &numbers).of_domain(ML);
        assert_eq!(case.result(&[0.0, 0.0, 1.0]).1, [1.5]);
        assert_eq!(case.result(&[0.0, 1.0, 0.0]).1, [-7.0]);
        let names = [
            ("keys_int64s", Attr::Ints(&[2, 0])),
            ("values_strings", Attr::Texts(&["cow", "cat"])),
        ];
        let case = arg_max().node("LabelEncoder", "i", "n", &names).of_domain(ML);
        assert_eq!(case.result(&[0.0, 0.0, 1.0]).1, [0.0]);
        assert_eq!(case.result(&[0.0, 1.0, 0.0]).1, [2.0]);
        let want = ["cow", "cat", "_Unused"].map(str::to_owned).to_vec();
        assert_eq!(last(&case), Some(ClientOp::Labels { names: want }));
        // And back from names to numbers.
        let back = [
            ("keys_strings", Attr::Texts(&["cat", "dog", "cow"])),
            ("values_int64s", Attr::Ints(&[10, 20, 30])),
        ];
        let case = case.node("LabelEncoder", "n", "y", &back).of_domain(ML);
        assert_eq!(case.result(&[0.0, 0.0, 1.0]).1, [30.0]);
        let old = [("classes_strings", Attr::Texts(&["a", "b", "c"]))];
        let case = arg_max().node("LabelEncoder", "i", "y", &old).of_domain(ML);
        assert_eq!(case.result(&[0.0, 1.0, 0.0]).1, [1.0]);
    }

    #[test]
    fn maps_stay_tensors_with_names() {
        let case = |names: &[&str]| {
            let classes = [("classlabels_strings", Attr::Texts(names))];
            let case = Case::new(13, &[1, 2]).node("Softmax", "x", "p", &[]);
            case.node("ZipMap", "p", "y", &classes).of_domain(ML)
        };
        assert_eq!(case(&["no", "yes"]).result(&[0.0, 0.0]), (vec![1, 2], vec![0.5, 0.5]));
        let names = ["no", "yes"].map(str::to_owned).to_vec();
        assert_eq!(last(&case(&["no", "yes"])), Some(ClientOp::Classes { names }));
        assert_eq!(last(&case(&["one"])), Some(ClientOp::Softmax { axis: 1 }));
    }
}
