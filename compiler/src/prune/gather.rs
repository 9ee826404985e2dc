//! Prunes by magnitude, gathers the zeros by permuting units, and keeps all that shares a plaintext with what is left: P3E and P4E of
//! HE-PEx (Aharoni et al., ESORICS 2023), for any layout.

use hecc_grammar::model::Model;
use ndarray::Array2;

use super::{Chosen, matrix, plaintexts_left};
use crate::analysis::groups::Layer;
use crate::permute::clustered;
use crate::units::{Axes, Orders, Rearranged, Weights};

/// The part of the weights of a group that may be left for it to go all the same, by P4E.
pub(super) const ALMOST_ZERO: f64 = 1.0 / 16.0;

/// Halvings of the range in which the part of weights to prune is looked for: for the finest layers this is less than a weight.
const HALVINGS: usize = 20;

/// The network in which the smallest weights of each layer, the same part of each, are gathered so that at most `keep` of all
/// plaintexts are left. A group goes where no more than the part `almost` of its weights is among the others.
pub(super) fn gather(model: &Model, layers: &[Layer], keep: f64, almost: f64) -> Chosen {
    let n_plaintexts: usize = layers.iter().map(|layer| layer.n_plaintexts).sum();
    let most = (n_plaintexts as f64 * keep).ceil() as usize;
    let of_part = |part: f64| {
        let chosen = gathered(model, layers, part, almost);
        let left = layers.iter().zip(&chosen.groups);
        let left = left.map(|(layer, groups)| plaintexts_left(layer, groups).len());
        (left.sum::<usize>(), chosen)
    };
    let (left, whole) = of_part(0.0);
    if left <= most {
        return whole;
    }
    // Of these parts the first leaves too many plaintexts, the second does not.
    let (mut low, mut high) = (0.0, 1.0);
    let (mut left, mut best) = of_part(high);
    for _ in 0..HALVINGS {
        if left == most {
            break;
        }
        let part = f64::midpoint(low, high);
        let found = of_part(part);
        if found.0 <= most {
            high = part;
            (left, best) = found;
        } else {
            low = part;
        }
    }
    best
}

/// With this part of the weights of each layer pruned.
fn gathered(model: &Model, layers: &[Layer], part: f64, almost: f64) -> Chosen {
    let axes = Axes::of(model);
    let sparse = pruned(model, layers, part);
    let orders: Orders = clustered(&sparse, &axes, layers);
    let sparse = Rearranged::new(&sparse, &axes, &orders).model;
    let nearly_empty = |layer: &Layer| nearly_empty(layer, &matrix(&sparse, layer.tensor), almost);
    let groups = layers.iter().map(nearly_empty).collect();
    Chosen { model: Rearranged::new(model, &axes, &orders).model, groups }
}

/// The network without this part of the weights of each layer, the smallest ones.
fn pruned(model: &Model, layers: &[Layer], part: f64) -> Model {
    let mut pruned = model.clone();
    for layer in layers {
        let mut matrix = matrix(model, layer.tensor);
        let mut order: Vec<f64> = matrix.iter().map(|weight| weight.abs()).collect();
        order.sort_by(f64::total_cmp);
        let n_gone = (part * order.len() as f64).round() as usize;
        let most = n_gone.checked_sub(1).map_or(-1.0, |last| order[last]);
        matrix.mapv_inplace(|weight| if weight.abs() <= most { 0.0 } else { weight });
        let weights = Weights::of(model, layer.tensor).expect("layers have weights");
        let array = weights.array(model, &matrix);
        pruned.constants[weights.constant.index()] = array;
    }
    pruned
}

/// The groups of which hardly a weight is left.
fn nearly_empty(layer: &Layer, matrix: &Array2<f64>, almost: f64) -> Vec<usize> {
    let weights = matrix.as_slice().expect("in standard order");
    let is_nearly_empty = |g: &usize| {
        let own = &layer.groups[*g].weights;
        let n_left = own.iter().filter(|&&place| weights[place as usize] != 0.0).count();
        n_left as f64 <= almost * own.len() as f64
    };
    (0..layer.groups.len()).filter(is_nearly_empty).collect()
}
