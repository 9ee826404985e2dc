//! Prunes networks so that their plans get shorter: weights go in the groups that plaintexts apply, those that are left make up
//! for them.
//!
//! After HE-PEx (Aharoni et al., ESORICS 2023): as much is removed as one plaintext holds, whatever the layout, and all that shares
//! a plaintext with what stays may stay (it costs nothing). Unlike there no training is needed: groups are chosen by what they
//! contribute on calibration data, and what is left is fitted to the results of the whole layer, layer by layer, on what the
//! pruned layers before it make of the inputs.

mod choose;
mod gather;
mod refit;
mod statistics;

use std::collections::HashSet;

use hecc_grammar::model::{Model, Node, Op, Tensor};
use hecc_grammar::plan::Share;
use ndarray::{Array2, ArrayD, Axis, s};
use rayon::prelude::*;

use crate::analysis::groups;
use crate::calibrate::{Calibration, Split};
use crate::config::Config;
use crate::error::CompileError;
use crate::interpret::{InterpretError, Lockstep};
use crate::judge::{Distance, Judge, output_kinds, results};
use crate::pipeline::Compiled;

pub use crate::analysis::groups::{Group, Layer};
pub use crate::units::Weights;

use choose::{Weighed, Worth, choose};
use gather::{ALMOST_ZERO, gather};
use refit::refit;
use statistics::Moments;

/// Positions of a layer's results that are looked at, over all inputs, at most.
const MOST_POSITIONS: usize = 1 << 17;

/// Layers whose results are sums of more numbers than this are not refitted: there is too little data for that.
const MOST_FEATURES: usize = 1 << 12;

/// How much goes, and how that is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PruneConfig {
    /// The part of the plaintexts of weights that is left.
    pub keep: f64,
    /// How groups are chosen.
    pub method: Method,
}

/// How groups are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the mean magnitude of their weights, in the whole network; what is left stays as it is. What HE-PEx compares itself with
    /// (P2T), after Hunter.
    P2t,
    /// The same, but the same part of each layer: HE-PEx's local scope.
    P2tByLayer,
    /// Those that hold none but the smallest weights of their layers, with units in the order of balanced k-means; what is left
    /// stays as it is (HE-PEx's P3E, of which training is a part).
    P3e,
    /// Those too that hold few others (P4E).
    P4e,
    /// By what they contribute on the calibration data for the time that they take; what is left is refitted.
    Hecc,
}

/// A pruned network.
pub struct Pruned {
    /// It; nodes and shapes are those of the network that was given, units may be in another order.
    pub model: Model,
    /// What became of each layer whose weights fall into groups.
    pub layers: Vec<PrunedLayer>,
    /// Nodes with weights that were left alone.
    pub left: Vec<String>,
    /// Decisions on held-out inputs that are those of the network that was given, if it decides.
    pub agreement: Option<Share>,
    /// Root mean square of the errors of results on held-out inputs, as a part of their spread.
    pub error: f64,
}

/// What became of a layer.
pub struct PrunedLayer {
    /// The ONNX node.
    pub name: String,
    /// Its node in the model.
    pub tensor: Tensor,
    /// Plaintexts before and after.
    pub n_plaintexts: (usize, usize),
    /// Of its results; `None` if that would take too much memory to find out.
    pub errors: Option<Errors>,
    /// Which of its weights may become something else without another plaintext, such as by training. Weights that went with a
    /// plaintext may not; zeros that share one with what is left may (HE-PEx's *expand*).
    pub may_change: ArrayD<bool>,
}

/// Root mean squares of the error of a layer's results on calibration data that a fit did not see, as a part of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// With the weights that were left.
    pub masked: f64,
    /// After they were refitted, if they were.
    pub fitted: f64,
}

/// Prunes a network until so much of the plaintexts is left that the weights of its plan take. `compiled` is its plan as it is.
///
/// # Errors
/// If the network was trained for few bits, or has no weights that could go.
pub fn prune(
    model: &Model,
    calibration: &Calibration,
    compiled: &Compiled,
    config: &Config,
    wanted: PruneConfig,
) -> Result<Pruned, CompileError> {
    let layers = layers_of(model, compiled)?;
    let split = Split::new(model, calibration);
    let inputs = split.kept.in_lockstep(model);
    let kinds = output_kinds(model, config.outputs, calibration.targets.as_ref());
    let judge = Judge::new(kinds, &results(model, &split.kept.inputs)?);
    let distances = |choice: &Chosen, pruned: &Without, part: &Calibration| {
        let expected = results(&choice.model, &part.inputs)?;
        Ok::<_, CompileError>(judge.compare_all(&expected, &results(&pruned.model, &part.inputs)?))
    };
    let fits = wanted.method == Method::Hecc;
    let choices = chosen(model, &layers, &inputs, wanted).map_err(broken)?;
    let fitted = split.fitted.in_lockstep(model);
    let best = best_of(&choices, |choice| {
        let trial = without(&layers, choice, &fitted, fits).map_err(broken)?;
        Ok(largest_error(&distances(choice, &trial, &split.chosen)?))
    })?;
    let pruned = without(&layers, best, &inputs, fits).map_err(broken)?;
    let distances = distances(best, &pruned, &split.held_out)?;
    let Chosen { model, groups: chosen } = best;
    let Without { model: pruned, errors } = pruned;
    let left = layers.iter().zip(chosen).map(|(layer, chosen)| plaintexts_left(layer, chosen));
    let agreement = distances.iter().filter_map(|distance| distance.agreement());
    Ok(Pruned {
        layers: layers
            .iter()
            .zip(left)
            .zip(errors)
            .map(|((layer, left), errors)| PrunedLayer {
                name: layer.name.clone(),
                tensor: layer.tensor,
                n_plaintexts: (layer.n_plaintexts, left.len()),
                errors,
                may_change: may_change(model, layer, &left),
            })
            .collect(),
        left: others(model, &layers),
        agreement: agreement.reduce(|a, b| Share { count: a.count + b.count, of: a.of + b.of }),
        error: largest_error(&distances),
        model: pruned,
    })
}

/// The choice with the least error, by inputs that fits of this comparison do not see; what is reported is of others again.
fn best_of(
    choices: &[Chosen],
    error: impl Fn(&Chosen) -> Result<f64, CompileError>,
) -> Result<&Chosen, CompileError> {
    let [first, others @ ..] = choices else { unreachable!("every method chooses something") };
    if others.is_empty() {
        return Ok(first);
    }
    let (mut best, mut least) = (first, error(first)?);
    for choice in others {
        let own = error(choice)?;
        if own < least {
            (best, least) = (choice, own);
        }
    }
    Ok(best)
}

/// The largest root mean square among outputs.
fn largest_error(distances: &[Distance]) -> f64 {
    distances.iter().map(|distance| distance.size().rms).fold(0.0, f64::max)
}

/// A network without what was chosen to go.
struct Without {
    model: Model,
    /// Of each layer.
    errors: Vec<Option<Errors>>,
}

fn without(
    layers: &[Layer],
    Chosen { model, groups }: &Chosen,
    inputs: &[ArrayD<f64>],
    fits: bool,
) -> Result<Without, InterpretError> {
    let mut masked: Vec<Array2<f64>> = layers.iter().map(|l| matrix(model, l.tensor)).collect();
    for ((layer, matrix), groups) in layers.iter().zip(&mut masked).zip(groups) {
        let weights = matrix.as_slice_mut().expect("in standard order");
        let gone = groups.iter().flat_map(|&group| &layer.groups[group].weights);
        gone.for_each(|&place| weights[place as usize] = 0.0);
    }
    let fits = fits && groups.iter().any(|groups| !groups.is_empty());
    let (model, errors) = masked_in_sequence(model, layers, masked, inputs, fits)?;
    Ok(Without { model, errors })
}

/// What goes.
struct Chosen {
    /// The network, perhaps with units in another order.
    model: Model,
    /// For each layer, by number.
    groups: Vec<Vec<usize>>,
}

/// What a method chooses; of several choices the one with the smaller error is to be taken.
fn chosen(
    model: &Model,
    layers: &[Layer],
    inputs: &[ArrayD<f64>],
    PruneConfig { keep, method }: PruneConfig,
) -> Result<Vec<Chosen>, InterpretError> {
    let by_worth = |worth: Worth| {
        let squares = squares(model, layers, inputs)?;
        let matrices: Vec<Array2<f64>> = layers.iter().map(|l| matrix(model, l.tensor)).collect();
        let all = layers.iter().zip(&matrices).zip(&squares);
        let weighed: Vec<Weighed<'_>> =
            all.map(|((layer, matrix), squares)| Weighed { layer, matrix, squares }).collect();
        Ok(Chosen { model: model.clone(), groups: choose(&weighed, keep, worth) })
    };
    match method {
        Method::P2t => Ok(vec![by_worth(Worth::Magnitude)?]),
        Method::P2tByLayer => Ok(vec![by_worth(Worth::MagnitudeInLayer)?]),
        Method::Hecc => Ok(vec![by_worth(Worth::LogContribution)?, by_worth(Worth::Contribution)?]),
        Method::P3e => Ok(vec![gather(model, layers, keep, 0.0)]),
        Method::P4e => Ok(vec![gather(model, layers, keep, ALMOST_ZERO)]),
    }
}

/// The plaintexts of the groups that were not chosen to go.
fn plaintexts_left(layer: &Layer, chosen: &[usize]) -> HashSet<u32> {
    let is_left =
        |(g, group): (usize, &Group)| (!chosen.contains(&g)).then(|| group.plaintexts.clone());
    layer.groups.iter().enumerate().filter_map(is_left).flatten().collect()
}

/// Which weights need no other plaintexts than these.
fn may_change(model: &Model, layer: &Layer, left: &HashSet<u32>) -> ArrayD<bool> {
    let weights = Weights::of(model, layer.tensor).expect("layers have weights");
    let mut free = vec![1.0; weights.matrix.len()];
    for group in layer.groups.iter().chain(&layer.empty) {
        if !group.plaintexts.iter().all(|plaintext| left.contains(plaintext)) {
            group.weights.iter().for_each(|&place| free[place as usize] = 0.0);
        }
    }
    let free = Array2::from_shape_vec(weights.size, free).expect("a number for each weight");
    weights.array(model, &free).mapv(|part| part != 0.0)
}

fn broken(error: InterpretError) -> CompileError {
    CompileError::Calibration(error.to_string())
}

/// The layers of the network that was given whose weights fall into groups in its plan.
fn layers_of(model: &Model, compiled: &Compiled) -> Result<Vec<Layer>, CompileError> {
    if let Some(node) = model.nodes.iter().find(|node| matches!(node.op, Op::FakeQuant { .. })) {
        return Err(CompileError::Pruning(format!(
            "node `{}` rounds: weights that were trained for few bits cannot be refitted; prune the network before it is trained \
             for them",
            node.name
        )));
    }
    let (approximated, packing) = (&compiled.approximated, &compiled.packing);
    if packing.is_by_element() {
        return Err(CompileError::Pruning(
            "with so many inputs every weight is a number, which goes by itself: prune for fewer inputs at once".to_owned(),
        ));
    }
    let found = groups::layers(approximated, &compiled.graph, packing).into_iter();
    // Nodes keep names and weights where activations are replaced.
    let original = |layer: Layer| {
        let weights = Weights::of(approximated, layer.tensor)?;
        let (tensor, _) = model.tensors().find(|(tensor, node)| {
            let same = |own: Weights<'_>| own.size == weights.size && own.matrix == weights.matrix;
            node.name == layer.name && Weights::of(model, *tensor).is_some_and(same)
        })?;
        Some(Layer { tensor, ..layer })
    };
    let layers: Vec<Layer> = found.filter_map(original).collect();
    if layers.iter().all(|layer| layer.groups.is_empty()) {
        return Err(CompileError::Pruning(
            "no node has weights that could go: convolutions without groups and products with a constant matrix have".to_owned(),
        ));
    }
    Ok(layers)
}

/// Nodes with weights that are in no layer.
fn others(model: &Model, layers: &[Layer]) -> Vec<String> {
    let is_left = |(tensor, node): &(Tensor, &Node)| {
        let has_weights =
            matches!(node.op, Op::Conv { .. } | Op::MatMul { .. } | Op::MatMulLeft { .. });
        has_weights && layers.iter().all(|layer| layer.tensor != *tensor)
    };
    model.tensors().filter(is_left).map(|(_, node)| node.name.clone()).collect()
}

fn matrix(model: &Model, tensor: Tensor) -> Array2<f64> {
    let weights = Weights::of(model, tensor).expect("layers have weights");
    Array2::from_shape_vec(weights.size, weights.matrix.into_owned()).expect("it has that size")
}

/// For each layer, the sum of squares of every number that its results are sums of.
fn squares(
    model: &Model,
    layers: &[Layer],
    inputs: &[ArrayD<f64>],
) -> Result<Vec<Vec<f64>>, InterpretError> {
    let mut squares = vec![vec![]; layers.len()];
    let mut clean = Lockstep::new(model, inputs)?;
    for (tensor, node) in model.tensors() {
        for (layer, squares) in layers.iter().zip(&mut squares) {
            if layer.tensor == tensor {
                let weights = Weights::of(model, tensor).expect("layers have weights");
                let images: Vec<&ArrayD<f64>> = clean.values(node.op.operands()[0]).collect();
                let of_image =
                    |x: &&ArrayD<f64>| weights.features(x).map(|f| f * f).sum_axis(Axis(1));
                let sum = images.par_iter().map(of_image).reduce_with(|a, b| a + b);
                *squares = sum.map_or(vec![], |sum| sum.to_vec());
            }
        }
        clean.step();
    }
    Ok(squares)
}

/// The network with its layers' weights masked and, if `fits`, refitted one after the other, each on what the layers before make of
/// the inputs.
fn masked_in_sequence(
    model: &Model,
    layers: &[Layer],
    masked: Vec<Array2<f64>>,
    inputs: &[ArrayD<f64>],
    fits: bool,
) -> Result<(Model, Vec<Option<Errors>>), InterpretError> {
    let mut new = model.clone();
    let mut errors = vec![None; layers.len()];
    let (mut clean, mut pruned) = (Lockstep::new(model, inputs)?, Lockstep::new(model, inputs)?);
    for (tensor, node) in model.tensors() {
        clean.step();
        if let Some(l) = layers.iter().position(|layer| layer.tensor == tensor) {
            let x: Vec<&ArrayD<f64>> = pruned.values(node.op.operands()[0]).collect();
            let wanted: Vec<&ArrayD<f64>> = clean.values(tensor).collect();
            let weights = Weights::of(model, tensor).expect("layers have weights");
            let mut fitted = masked[l].clone();
            if weights.size.1 <= MOST_FEATURES {
                let [some, others] = moments(model, tensor, &x, &wanted);
                let error = others.error(&masked[l]).sqrt();
                let mut own = Errors { masked: error, fitted: error };
                if fits {
                    let refitted = refit(&masked[l], &some, &others);
                    own.fitted = refitted.error.sqrt();
                    fitted = refitted.matrix;
                }
                errors[l] = Some(own);
            }
            let array = weights.array(model, &fitted);
            let constant = new.constant(array);
            let op = &mut new.nodes[tensor.index()].op;
            for own in op.constants_mut().into_iter().filter(|own| **own == weights.constant) {
                *own = constant;
            }
        }
        pruned.step_in(&new);
    }
    Ok((new, errors))
}

/// One image of so many tells how good a fit to the others is.
const EVERY: usize = 4;

/// What a layer is refitted to: of images that it is fitted to, and of others.
fn moments(
    model: &Model,
    tensor: Tensor,
    x: &[&ArrayD<f64>],
    wanted: &[&ArrayD<f64>],
) -> [Moments; 2] {
    let weights = Weights::of(model, tensor).expect("layers have weights");
    let op = &model.node(tensor).op;
    let bias =
        if let Op::Conv { bias: Some(bias), .. } = op { Some(model.array(*bias)) } else { None };
    let n_positions = wanted[0].len() / weights.size.0.max(1);
    let stride = (x.len() * n_positions).div_ceil(MOST_POSITIONS);
    let of_image = |i: usize| {
        let mut results = weights.results(wanted[i]);
        if let Some(bias) = bias {
            results.outer_iter_mut().zip(bias).for_each(|(mut row, b)| row -= *b);
        }
        let some = s![.., ..;stride];
        let features = weights.features(x[i]);
        Moments::of(&features.slice(some).to_owned(), &results.slice(some).to_owned())
    };
    let is_other = |i: usize| i % EVERY == EVERY - 1 || x.len() < EVERY;
    [false, true].map(|others| {
        let none = || Moments::none(weights.size);
        let images = (0..x.len()).into_par_iter().filter(|&i| is_other(i) == others);
        images.map(of_image).reduce(none, |a, b| a.plus(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::groups::testing::two_layers;
    use crate::layout::Batch;
    use crate::pipeline::compile;

    fn model() -> Model {
        let numbers = |n: usize| move |i: usize| ((i * 37 + n) % 23) as f64 / 8.0 - 1.3;
        two_layers(numbers(36), numbers(192))
    }

    fn pruned(model: &Model, keep: f64, method: Method) -> Pruned {
        let calibration = Calibration::assumed(model, -1.0, 1.0);
        let config = Config { permute: None, ..Config::standard() };
        let compiled = compile(model, &calibration, &config).unwrap();
        prune(model, &calibration, &compiled, &config, PruneConfig { keep, method }).unwrap()
    }

    #[test]
    fn weights_that_are_numbers_are_no_groups() {
        let (model, batch) = (model(), Batch::Slots);
        let calibration = Calibration::assumed(&model, -1.0, 1.0);
        let config = Config { permute: None, batch, ..Config::standard() };
        let compiled = compile(&model, &calibration, &config).unwrap();
        let wanted = PruneConfig { keep: 0.5, method: Method::P2t };
        let error = prune(&model, &calibration, &compiled, &config, wanted).err().unwrap();
        assert!(error.to_string().contains("prune for fewer inputs at once"), "{error}");
    }

    fn n_plaintexts(pruned: &Pruned) -> usize {
        pruned.layers.iter().map(|layer| layer.n_plaintexts.1).sum()
    }

    /// The model with weights wherever they may be.
    fn grown(pruned: &Pruned) -> Model {
        let mut grown = pruned.model.clone();
        for layer in &pruned.layers {
            let constant = Weights::of(&pruned.model, layer.tensor).unwrap().constant;
            let array = &mut grown.constants[constant.index()];
            assert_eq!(array.shape(), layer.may_change.shape());
            for (weight, &may_change) in array.iter_mut().zip(&layer.may_change) {
                assert!(may_change || *weight == 0.0);
                *weight = if may_change { 0.5 } else { 0.0 };
            }
        }
        grown
    }

    #[test]
    fn what_may_change_takes_no_other_plaintext() {
        for method in [Method::P2t, Method::P3e, Method::P4e] {
            let first = pruned(&model(), 0.6, method);
            assert!(first.layers.iter().any(|layer| layer.may_change.iter().any(|may| !may)));
            // All that is false went, and nothing of it is among what is left once more.
            let again = pruned(&grown(&first), 1.0, Method::P2t);
            assert_eq!(n_plaintexts(&again), n_plaintexts(&first), "{method:?}");
            for (before, after) in first.layers.iter().zip(&again.layers) {
                assert_eq!(before.may_change, after.may_change);
            }
        }
    }

    #[test]
    fn units_in_another_order_compute_the_same() {
        let (model, whole) = (model(), pruned(&model(), 1.0, Method::P4e));
        let total: usize = whole.layers.iter().map(|layer| layer.n_plaintexts.0).sum();
        assert!(whole.error < 1e-12);
        for (method, keep) in [(Method::P3e, 0.8), (Method::P4e, 0.8), (Method::P4e, 0.3)] {
            let found = n_plaintexts(&pruned(&model, keep, method));
            let most = (total as f64 * keep).ceil() as usize;
            assert!(found <= most && found + 3 >= most, "{method:?} {keep}: {found} of {total}");
        }
    }
}
