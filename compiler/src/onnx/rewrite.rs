//! Puts other weights into an ONNX file, and leaves all else as it is.

use std::path::Path;

use bytes::Bytes;
use ndarray::{ArrayD, ArrayViewD, Axis};
use prost::Message;

use super::error::{ImportError, Refused, node_name, refuse};
use super::file::{tensor, wire};
use super::proto::tensor_proto::{DataLocation, DataType};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};

/// Weights of a node in place of others.
pub struct NewWeights<'a> {
    /// The node.
    pub node: &'a str,
    /// As they were imported: with factors and transposes of the nodes around it, perhaps.
    pub old: &'a ArrayD<f64>,
    /// What they become.
    pub new: &'a ArrayD<f64>,
    /// Where they may change once more; elsewhere they are zero.
    pub may_change: &'a ArrayD<bool>,
}

/// Numbers of a node in place of others, one for each unit: a bias, or the factors of an elementwise product.
pub struct NewVector<'a> {
    /// The node.
    pub node: &'a str,
    /// As they were imported, which is as they are stored.
    pub old: &'a ArrayD<f64>,
    /// What they become.
    pub new: &'a ArrayD<f64>,
}

/// A file with other weights.
pub struct Rewritten {
    /// It.
    pub file: Vec<u8>,
    /// For each change of weights, the initializer that it went into, and where that may change once more.
    pub may_change: Vec<(String, ArrayD<bool>)>,
}

/// How far, relatively, weights may be from a multiple of those that are stored: both are rounded to 32 bits.
const TOLERANCE: f64 = 1e-5;

/// The file with new weights in place of those of some nodes.
///
/// # Errors
/// If the weights of a node are not stored as numbers of 32 or 64 bits that those imported are multiples of, row by row, or the
/// numbers of units not as they are imported.
pub fn with_weights(
    bytes: Bytes,
    dir: Option<&Path>,
    changes: &[NewWeights<'_>],
    vectors: &[NewVector<'_>],
) -> Result<Rewritten, ImportError> {
    wire::check(&bytes)?;
    let mut model = ModelProto::decode(bytes)?;
    let graph = model.graph.as_mut();
    let graph = graph.ok_or_else(|| ImportError::Model("the file has no graph".to_owned()))?;
    let replaced = changes.iter().map(|change| replace(graph, dir, change));
    let may_change = replaced.collect::<Result<_, _>>()?;
    vectors.iter().try_for_each(|vector| replace_vector(graph, dir, vector))?;
    Ok(Rewritten { file: model.encode_to_vec(), may_change })
}

fn replace(
    graph: &mut GraphProto,
    dir: Option<&Path>,
    change: &NewWeights<'_>,
) -> Result<(String, ArrayD<bool>), ImportError> {
    let refused = |reason: String| ImportError::Model(format!("node `{}`: {reason}", change.node));
    let has_weights = |node: &NodeProto| matches!(node.op_type(), "Conv" | "Gemm" | "MatMul");
    let place =
        graph.node.iter().position(|node| node_name(node) == change.node && has_weights(node));
    let place =
        place.ok_or_else(|| refused("no convolution or product is called so".to_owned()))?;
    let names = &graph.node[place].input;
    let found = [1, 0].into_iter().find_map(|input| {
        let name = names.get(input)?;
        let read = stored(graph, &graph.node[..place], dir, name)?;
        Some((input, name.clone(), read))
    });
    let Some((input, name, read)) = found else {
        let hint = "its weights are computed from others, expected an initializer; fold constants first (onnxsim, onnxruntime)";
        return Err(refused(hint.to_owned()));
    };
    let Stored { array, like } = read.map_err(|error| refused(error.reason))?;
    let way = Way::of(&array, change.old).ok_or_else(|| {
        refused(format!("its weights are no multiples of those stored in `{name}`, row by row"))
    })?;
    let written = encoded(&like, &way.back(&array, change)).map_err(refused)?;
    let may_change = way.turned_back(change.may_change.clone());
    Ok((put(graph, (place, input), written), may_change))
}

fn replace_vector(
    graph: &mut GraphProto,
    dir: Option<&Path>,
    change: &NewVector<'_>,
) -> Result<(), ImportError> {
    let refused = |reason: String| ImportError::Model(format!("node `{}`: {reason}", change.node));
    let largest = change.old.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let is_old = |array: &ArrayD<f64>| {
        let mut pairs = array.iter().zip(change.old);
        array.len() == change.old.len() && pairs.all(|(a, b)| (a - b).abs() <= TOLERANCE * largest)
    };
    let nodes = graph.node.iter().enumerate();
    let mut inputs = nodes
        .filter(|(_, node)| node_name(node) == change.node)
        .flat_map(|(place, node)| (0..node.input.len()).map(move |input| (place, input)));
    let found = inputs.find_map(|(place, input)| {
        let read = stored(graph, &graph.node[..place], dir, &graph.node[place].input[input])?;
        read.ok().filter(|read| is_old(&read.array)).map(|read| ((place, input), read))
    });
    let (place, Stored { array, like }) = found.ok_or_else(|| {
        refused(
            "its units are to change places, but what it adds or multiplies them with is not stored as it is computed with; fold \
             batch normalizations first, or choose another method"
                .to_owned(),
        )
    })?;
    let new = change.new.iter().copied().collect();
    let new = ArrayD::from_shape_vec(array.shape(), new).expect("as many numbers as before");
    put(graph, place, encoded(&like, &new).map_err(refused)?);
    Ok(())
}

/// Makes an input of a node read another tensor, for others who read the same name it stays; returns its name.
fn put(graph: &mut GraphProto, (place, input): (usize, usize), written: TensorProto) -> String {
    let name = graph.node[place].input[input].clone();
    let n_readers: usize =
        graph.node.iter().map(|node| node.input.iter().filter(|i| **i == name).count()).sum();
    let own = graph.initializer.iter().position(|tensor| tensor.name() == name);
    if let (Some(position), 1) = (own, n_readers) {
        graph.initializer[position] = TensorProto { name: Some(name.clone()), ..written };
        return name;
    }
    let is_taken = |fresh: &String| {
        let of_nodes = graph.node.iter().flat_map(|node| &node.output);
        graph
            .initializer
            .iter()
            .map(TensorProto::name)
            .chain(of_nodes.map(String::as_str))
            .any(|name| name == fresh)
    };
    let mut fresh = (0..).map(|k| format!("{name}.{k}"));
    let fresh = fresh.find(|fresh| !is_taken(fresh)).expect("names do not run out");
    graph.initializer.push(TensorProto { name: Some(fresh.clone()), ..written });
    graph.node[place].input[input].clone_from(&fresh);
    fresh
}

/// Weights that a node reads, and the tensor that they are stored in.
struct Stored {
    array: ArrayD<f64>,
    like: TensorProto,
}

/// The weights behind a name: an initializer, a constant, or one of these transposed by one of `nodes`; `None` if they are computed
/// otherwise.
fn stored(
    graph: &GraphProto,
    nodes: &[NodeProto],
    dir: Option<&Path>,
    name: &str,
) -> Option<Result<Stored, Refused>> {
    let read = |like: &TensorProto| {
        let array = tensor::read(like, dir)?.into_array();
        Ok(Stored { array, like: TensorProto { dims: vec![], ..like.clone() } })
    };
    if let Some(own) = graph.initializer.iter().find(|tensor| tensor.name() == name) {
        return Some(read(own));
    }
    let place = nodes.iter().position(|node| node.output.iter().any(|output| output == name))?;
    let (before, node) = (&nodes[..place], &nodes[place]);
    let operand = || stored(graph, before, dir, node.input.first()?);
    match node.op_type() {
        "Constant" => {
            let value = node.attribute.iter().find(|attribute| attribute.name() == "value")?;
            Some(read(value.t.as_ref()?))
        }
        "Identity" => operand(),
        "Transpose" => {
            let perm = node.attribute.iter().find(|attribute| attribute.name() == "perm");
            let turned = |stored: Stored| match stored.array.ndim() {
                2 if perm.is_some_and(|perm| perm.ints == [0, 1]) => Ok(stored),
                2 => Ok(Stored {
                    array: stored.array.t().as_standard_layout().into_owned(),
                    ..stored
                }),
                n => Err(refuse(format!(
                    "its weights are transposed and have {n} dimensions, expected 2"
                ))),
            };
            Some(operand()?.and_then(turned))
        }
        _ => None,
    }
}

/// How imported weights come from stored ones.
struct Way {
    is_transposed: bool,
    /// The dimension of the imported weights that factors belong to, and these.
    axis: usize,
    factors: Vec<f64>,
}

impl Way {
    fn of(stored: &ArrayD<f64>, imported: &ArrayD<f64>) -> Option<Way> {
        [false, true].into_iter().find_map(|is_transposed| {
            let stored = oriented(stored, is_transposed)?;
            if stored.shape() != imported.shape() {
                return None;
            }
            (0..imported.ndim()).find_map(|axis| {
                let factors = factors(&stored, imported, axis)?;
                Some(Way { is_transposed, axis, factors })
            })
        })
    }

    /// What is to be stored so that new weights are imported; where a factor is zero, what is stored already.
    fn back(&self, stored: &ArrayD<f64>, change: &NewWeights<'_>) -> ArrayD<f64> {
        let mut numbers =
            oriented(stored, self.is_transposed).expect("it was oriented before").to_owned();
        for (index, number) in numbers.indexed_iter_mut() {
            let factor = self.factors[index[self.axis]];
            if factor != 0.0 {
                *number = change.new[&index] / factor;
            } else if !change.may_change[&index] {
                *number = 0.0;
            }
        }
        self.turned_back(numbers)
    }

    /// As it is stored.
    fn turned_back<T: Clone>(&self, imported: ArrayD<T>) -> ArrayD<T> {
        if self.is_transposed { imported.t().as_standard_layout().into_owned() } else { imported }
    }
}

fn oriented(array: &ArrayD<f64>, is_transposed: bool) -> Option<ArrayViewD<'_, f64>> {
    match is_transposed {
        false => Some(array.view()),
        true if array.ndim() == 2 => Some(array.t()),
        true => None,
    }
}

/// The factor for each index along an axis that takes one array to another.
fn factors(stored: &ArrayViewD<'_, f64>, imported: &ArrayD<f64>, axis: usize) -> Option<Vec<f64>> {
    let lanes = stored.axis_iter(Axis(axis)).zip(imported.axis_iter(Axis(axis)));
    let of_lane = |(stored, imported): (ArrayViewD<'_, f64>, ArrayViewD<'_, f64>)| {
        let pairs = || stored.iter().zip(imported.iter());
        let (&from, &to) = pairs().max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
        let factor = if from == 0.0 { 1.0 } else { to / from };
        let most = TOLERANCE * to.abs();
        pairs().all(|(from, to)| (from * factor - to).abs() <= most).then_some(factor)
    };
    lanes.map(of_lane).collect()
}

/// A stored tensor with other numbers.
fn encoded(like: &TensorProto, numbers: &ArrayD<f64>) -> Result<TensorProto, String> {
    if like.data_location() == DataLocation::External {
        let reason = "its weights are in a file of their own, expected all in one: onnx.save(onnx.load(path), path)";
        return Err(reason.to_owned());
    }
    let raw: Vec<u8> = match DataType::try_from(like.data_type()) {
        Ok(DataType::Float) => numbers.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        Ok(DataType::Double) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        found => {
            let found = found.map_or("unknown numbers".to_owned(), |kind| format!("{kind:?}"));
            return Err(format!("its weights are stored as {found}, expected Float or Double"));
        }
    };
    Ok(TensorProto {
        dims: numbers.shape().iter().map(|&n| n as i64).collect(),
        float_data: vec![],
        double_data: vec![],
        raw_data: Some(raw.into()),
        ..like.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::model::Model;

    use crate::onnx::import;
    use crate::onnx::testing::{Attr, Case};

    /// The weights of the products of a model.
    fn all_weights(model: &Model) -> Vec<&ArrayD<f64>> {
        let constants = model.nodes.iter().flat_map(|node| node.op.constants());
        constants.map(|constant| model.array(constant)).filter(|array| array.ndim() > 1).collect()
    }

    fn weights(model: &Model) -> ArrayD<f64> {
        all_weights(model)[0].clone()
    }

    /// What new weights become, and what is written.
    fn changed(case: &Case, node: &str, change: impl Fn(f64) -> f64) -> (ArrayD<f64>, Rewritten) {
        let bytes: Bytes = case.model.encode_to_vec().into();
        let old = weights(&import(bytes.clone(), None).unwrap());
        let new = old.mapv(change);
        let may_change = new.mapv(|w| w != 0.0);
        let changes = [NewWeights { node, old: &old, new: &new, may_change: &may_change }];
        let written = with_weights(bytes, None, &changes, &[]).unwrap();
        (new, written)
    }

    /// An initializer of a file.
    fn initializer(file: &[u8], name: &str) -> ArrayD<f64> {
        let graph = ModelProto::decode(file).unwrap().graph.unwrap();
        let tensor = graph.initializer.iter().find(|tensor| tensor.name() == name).unwrap();
        super::tensor::read(tensor, None).unwrap().into_array()
    }

    #[test]
    fn what_is_written_is_what_is_imported() {
        let transposed = Case::new(13, &[1, 3])
            .floats("w", &[2, 3], &[1.0, -2.0, 0.5, 0.25, 4.0, -1.0])
            .node("Gemm", "x w", "y", &[("transB", Attr::Int(1)), ("alpha", Attr::Float(0.5))]);
        let normalized = Case::new(13, &[1, 2, 1, 1])
            .floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0])
            .floats("s", &[2], &[0.5, -3.0])
            .floats("b", &[2], &[0.0, 1.0])
            .node("Conv", "x w", "c", &[])
            .node("BatchNormalization", "c s b b s2", "y", &[])
            .floats("s2", &[2], &[1.0, 2.0]);
        let turned = Case::new(13, &[1, 3])
            .floats("w", &[2, 3], &[1.0, -2.0, 0.5, 0.25, 4.0, -1.0])
            .node("Transpose", "w", "t", &[])
            .node("Identity", "t", "u", &[])
            .node("MatMul", "x u", "y", &[]);
        for (case, node) in [(transposed, "y"), (normalized, "c"), (turned, "y")] {
            let (new, written) =
                changed(&case, node, |w| if w.abs() < 1.5 { 0.0 } else { 1.25 * w });
            // As weights are stored, not as they are imported.
            let [(name, may_change)] = &written.may_change[..] else { panic!("one change") };
            let stored = initializer(&written.file, name);
            assert_eq!(*may_change, stored.mapv(|w| w != 0.0));
            let found = weights(&import(written.file.into(), None).unwrap());
            assert_eq!(found.shape(), new.shape());
            assert!(found.iter().zip(&new).all(|(a, b)| (a - b).abs() < 1e-6), "{found} {new}");
        }
    }

    #[test]
    fn others_who_read_the_same_weights_keep_them() {
        let case = Case::new(13, &[1, 2])
            .floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
            .node("MatMul", "x w", "h", &[])
            .node("Relu", "h", "r", &[])
            .node("MatMul", "r w", "y", &[]);
        let bytes: Bytes = case.model.encode_to_vec().into();
        let old = weights(&import(bytes.clone(), None).unwrap());
        let new = old.mapv(|w| 10.0 * w);
        let may_change = new.mapv(|w| w > 15.0);
        let change = NewWeights { node: "y", old: &old, new: &new, may_change: &may_change };
        let written = with_weights(bytes, None, &[change], &[]).unwrap();
        assert_eq!(written.may_change, [("w.0".to_owned(), may_change)]);
        let model = import(written.file.into(), None).unwrap();
        let found = all_weights(&model);
        assert_eq!(found, [&old, &new]);
    }

    #[test]
    fn what_is_imported_as_zero_is_stored_as_such_where_it_must_not_change() {
        let case = Case::new(13, &[1, 2, 1, 1])
            .floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0])
            .floats("s", &[2], &[0.0, 1.0])
            .floats("b", &[2], &[1.0, 1.0])
            .node("Conv", "x w", "c", &[])
            .node("BatchNormalization", "c s b b b", "y", &[]);
        let (_, written) = changed(&case, "c", |w| w);
        let stored: Vec<f64> = initializer(&written.file, "w").into_iter().collect();
        assert_eq!(stored[..2], [0.0, 0.0]);
        assert!(stored[2] > 0.0 && stored[3] > 0.0);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let case = Case::new(13, &[1, 2]).floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]).node(
            "MatMul",
            "x w",
            "y",
            &[],
        );
        let bytes: Bytes = case.model.encode_to_vec().into();
        let (old, other) = (
            weights(&import(bytes.clone(), None).unwrap()),
            ndarray::array![[1.0, 2.0], [3.0, 9.0]].into_dyn(),
        );
        let error = |node: &str, old: &ArrayD<f64>| {
            let may_change = &old.mapv(|_| true);
            let changes = [NewWeights { node, old, new: old, may_change }];
            with_weights(bytes.clone(), None, &changes, &[]).err().unwrap().to_string()
        };
        assert!(error("z", &old).contains("node `z`: no convolution or product"));
        assert!(error("y", &other).contains("no multiples of those stored in `w`"));
    }

    #[test]
    fn numbers_of_units_are_written_where_they_are_stored_so() {
        let case = Case::new(13, &[1, 2])
            .floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
            .floats("b", &[2], &[5.0, 6.0])
            .node("Gemm", "x w b", "h", &[])
            .node("Mul", "h b", "y", &[]);
        let bytes: Bytes = case.model.encode_to_vec().into();
        let (old, new) =
            (ndarray::array![[5.0, 6.0]].into_dyn(), ndarray::array![[6.0, 5.0]].into_dyn());
        let written = |old: &ArrayD<f64>| {
            let vector = NewVector { node: "h", old, new: &new };
            with_weights(bytes.clone(), None, &[], &[vector])
        };
        let file = written(&old).unwrap().file;
        // The product reads what it did.
        for (name, numbers) in [("b", [5.0, 6.0]), ("b.0", [6.0, 5.0])] {
            assert_eq!(
                initializer(&file, name),
                ndarray::array![numbers[0], numbers[1]].into_dyn()
            );
        }
        let error = written(&(2.0 * &old)).err().unwrap().to_string();
        assert!(error.contains("node `h`: its units are to change places"), "{error}");
    }
}
