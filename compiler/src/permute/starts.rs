//! Orders that a search begins with: units that need the same lie next to each other.

use super::price::Prices;
use super::search::Places;

/// Units of a cluster.
const CLUSTER: usize = 8;

/// Rounds over all axes.
const ROUNDS: usize = 3;

/// Iterations of one clustering.
const ITERATIONS: usize = 10;

/// Iterations of the order by neighbors.
const SMOOTHINGS: usize = 60;

/// Units by the mean place of what they are connected with, again and again: the power iteration for Fiedler's vector of the
/// network, with ranks for numbers, so that what stays in place holds the others.
pub(super) fn by_neighbors(prices: &Prices, start: Places) -> Places {
    let mut places = start;
    for _ in 0..SMOOTHINGS {
        for axis in 0..places.len() {
            let mut sums = vec![(0.0, 0.0); places[axis].len()];
            each_end(prices, axis, |unit, (layer, other), end| {
                let n = prices.layers[layer].lengths[other] as f64;
                let place = match prices.layers[layer].sides[other] {
                    Some((axis, _)) => places[axis][end],
                    None => end as u32,
                };
                sums[unit].0 += f64::from(place) / n;
                sums[unit].1 += 1.0;
            });
            let n = sums.len() as f64;
            let own = places[axis].iter().map(|&place| f64::from(place) / n);
            let means = sums.iter().zip(own);
            let means =
                means.map(|((sum, count), own)| if *count > 0.0 { sum / count } else { own });
            places[axis] = ranks(&means.collect::<Vec<f64>>());
        }
    }
    places
}

/// Units by clusters of equal size whose members need about the same groups of others (balanced k-means, as in HE-PEx).
pub(super) fn by_clusters(prices: &Prices, start: Places) -> Places {
    let mut places = start;
    for _ in 0..ROUNDS {
        for axis in 0..places.len() {
            let features = features(prices, &places, axis);
            places[axis] = clustered(&features, &places[axis]);
        }
    }
    places
}

/// Calls `see` with the unit, the layer with the side of its other end, and that end, of every weight of an axis.
fn each_end(prices: &Prices, axis: usize, mut see: impl FnMut(usize, (usize, usize), usize)) {
    for (l, layer) in prices.layers.iter().enumerate() {
        for side in [0, 1] {
            if layer.sides[side].is_none_or(|(own, _)| own != axis) {
                continue;
            }
            for weight in &layer.weights {
                let [unit, end] = [side, 1 - side].map(|side| weight.units[side] as usize);
                see(unit, (l, 1 - side), end);
            }
        }
    }
}

/// For each unit of an axis, which groups of others it is connected with.
fn features(prices: &Prices, places: &Places, axis: usize) -> Vec<Vec<f64>> {
    let mut firsts = vec![];
    let mut n_features = 0;
    for layer in &prices.layers {
        firsts.push(layer.lengths.map(|length| {
            let first = n_features;
            n_features += length.div_ceil(CLUSTER);
            first
        }));
    }
    let mut features = vec![vec![0.0; n_features]; places[axis].len()];
    each_end(prices, axis, |unit, (layer, other), end| {
        let place = match prices.layers[layer].sides[other] {
            Some((axis, _)) => places[axis][end] as usize,
            None => end,
        };
        features[unit][firsts[layer][other] + place / CLUSTER] = 1.0;
    });
    features
}

/// The places of units, cluster after cluster, from those that they had.
fn clustered(features: &[Vec<f64>], places: &[u32]) -> Vec<u32> {
    let n = features.len();
    let mut clusters: Vec<usize> = places.iter().map(|&place| place as usize / CLUSTER).collect();
    let n_clusters = n.div_ceil(CLUSTER);
    for _ in 0..ITERATIONS {
        let centers = centers(features, &clusters, n_clusters);
        let distances: Vec<Vec<f64>> = features
            .iter()
            .map(|own| centers.iter().map(|center| distance(own, center)).collect())
            .collect();
        let assigned = balanced(&distances, n);
        if assigned == clusters {
            break;
        }
        clusters = assigned;
    }
    ranks(&clusters.iter().map(|&cluster| cluster as f64).collect::<Vec<f64>>())
}

fn centers(features: &[Vec<f64>], clusters: &[usize], n_clusters: usize) -> Vec<Vec<f64>> {
    let mut centers = vec![vec![0.0; features[0].len()]; n_clusters];
    for (own, &cluster) in features.iter().zip(clusters) {
        let members = clusters.iter().filter(|&&other| other == cluster).count() as f64;
        centers[cluster].iter_mut().zip(own).for_each(|(sum, x)| *sum += x / members);
    }
    centers
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// A cluster with room for each unit: those that prefer one most choose first.
fn balanced(distances: &[Vec<f64>], n: usize) -> Vec<usize> {
    let decisiveness = |own: &Vec<f64>| {
        let least = own.iter().copied().fold(f64::INFINITY, f64::min);
        own.iter().sum::<f64>() / own.len() as f64 - least
    };
    let mut units: Vec<usize> = (0..n).collect();
    units.sort_by(|&a, &b| decisiveness(&distances[b]).total_cmp(&decisiveness(&distances[a])));
    let n_clusters = distances[0].len();
    let room = |cluster: usize| CLUSTER.min(n - cluster * CLUSTER);
    let mut taken = vec![0; n_clusters];
    let mut clusters = vec![0; n];
    for unit in units {
        let open = (0..n_clusters).filter(|&cluster| taken[cluster] < room(cluster));
        let nearest = open.min_by(|&a, &b| distances[unit][a].total_cmp(&distances[unit][b]));
        let cluster = nearest.expect("there is room for all units");
        taken[cluster] += 1;
        clusters[unit] = cluster;
    }
    clusters
}

/// The rank of each number, of equal ones that of the first first.
fn ranks(numbers: &[f64]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0; numbers.len()];
    (0..).zip(order).for_each(|(rank, unit)| ranks[unit] = rank);
    ranks
}
