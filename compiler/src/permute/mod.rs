//! Permutes units and channels of a network so that its zeros gather in whole plaintexts.
//!
//! Before: a model with polynomials, packed. After: the same model with the same results, units in another order; `None` if that
//! saves nothing. Weights of a plaintext are found by layouts ([`crate::analysis::groups`]), so an order is good for one packing:
//! whoever calls packs again and takes what is cheaper.

mod price;
mod search;
mod starts;

use hecc_grammar::cost::Costs;
use hecc_grammar::model::{Model, Tensor};
use rayon::prelude::*;

use crate::analysis::groups::{self, filled, held};
use crate::graph::Graph;
use crate::limits;
use crate::lower::Choice;
use crate::units::Weights;
use crate::units::{Axes, Orders, Rearranged};

use price::Prices;
use search::{Places, identity, improved, seconds};
use starts::{by_clusters, by_neighbors};

/// How an order is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Units of layers by balanced k-means, as in HE-PEx.
    Clusters,
    /// The best of searches from the order given, from clusters, and from the order by neighbors.
    Search,
}

/// Whether a network has zeros enough to gather: a layer that many of its weights are zero in.
pub(crate) fn has_zeros(model: &Model) -> bool {
    model.tensors().any(|(tensor, _)| has_zeros_in(model, tensor))
}

fn has_zeros_in(model: &Model, tensor: Tensor) -> bool {
    Weights::of(model, tensor).is_some_and(|Weights { matrix, .. }| {
        let n_zeros = matrix.iter().filter(|&&weight| weight == 0.0).count();
        n_zeros as f64 >= limits::PERMUTED_ZEROS * matrix.len() as f64
    })
}

/// Looks for an order of a packed network's units that takes less.
pub(crate) fn permute(
    model: &Model,
    (graph, choice): (&Graph, &Choice),
    costs: &Costs,
    method: Method,
) -> Option<Rearranged> {
    let axes = Axes::of(model);
    let n_weights = model.tensors().filter_map(|(tensor, _)| Weights::of(model, tensor));
    let n_weights: usize = n_weights.map(|weights| weights.matrix.len()).sum();
    if axes.sizes.is_empty() || n_weights > limits::PERMUTED_WEIGHTS {
        return None;
    }
    let held = held(&filled(model), graph, &choice.packing);
    let prices = Prices::new(model, &axes, held, (graph, choice), costs);
    let given = identity(&prices);
    let before = seconds(&prices, &given);
    let found = match method {
        Method::Clusters => by_clusters(&prices, given),
        Method::Search => searched(&prices, given),
    };
    (seconds(&prices, &found) < before).then(|| {
        let orders: Orders = found.iter().map(|places| inverse(places)).collect();
        Rearranged::new(model, &axes, &orders)
    })
}

/// The order of units in which balanced k-means brings zeros together, where it takes fewer plaintexts than the order that is given.
pub(crate) fn clustered(model: &Model, axes: &Axes, layers: &[groups::Layer]) -> Orders {
    let prices = Prices::of_plaintexts(model, axes, layers);
    let given = identity(&prices);
    let found = by_clusters(&prices, given.clone());
    let is_better = seconds(&prices, &found) < seconds(&prices, &given);
    let places = if is_better { found } else { given };
    places.iter().map(|places| inverse(places)).collect()
}

/// The best places found from several starts; of equal ones those of the first.
fn searched(prices: &Prices, given: Places) -> Places {
    let starts =
        [given.clone(), by_clusters(prices, given.clone()), by_neighbors(prices, given.clone())];
    let found: Vec<Places> = starts.into_par_iter().map(|start| improved(prices, start)).collect();
    let best = found.into_iter().min_by(|a, b| seconds(prices, a).total_cmp(&seconds(prices, b)));
    best.expect("there are several starts")
}

fn inverse(places: &[u32]) -> Vec<u32> {
    let mut order = vec![0; places.len()];
    (0..).zip(places).for_each(|(unit, &place)| order[place as usize] = unit);
    order
}
