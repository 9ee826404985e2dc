//! Which groups go: those whose weights matter least for the time that they take.

use ndarray::Array2;

use super::Method;
use crate::analysis::groups::Layer;

/// A layer with what decides which of its groups go.
pub(super) struct Weighed<'a> {
    pub(super) layer: &'a Layer,
    /// Its weights, `[results, features]`.
    pub(super) matrix: &'a Array2<f64>,
    /// The sum of squares of each feature on the calibration data.
    pub(super) squares: &'a [f64],
}

/// For each layer, the groups that go, so that `keep` of all plaintexts are left.
///
/// A group's worth is the part of the mean square of its layer's results that it makes up, all weights taken to act
/// independently of each other. It goes before another one if that is less for each second that it takes; of plaintexts that
/// several groups are in, each has its share. By [`Method::P2t`] it is the mean magnitude of its weights.
pub(super) fn choose(layers: &[Weighed<'_>], keep: f64, method: Method) -> Vec<Vec<usize>> {
    let mut offers: Vec<(f64, usize, usize)> = vec![];
    // For each plaintext of each layer, the groups in it.
    let mut readers: Vec<Vec<usize>> = vec![];
    for (l, Weighed { layer, matrix, squares }) in layers.iter().enumerate() {
        let mut of_layer = vec![0; layer.n_plaintexts];
        let all = layer.groups.iter().flat_map(|group| &group.plaintexts);
        all.for_each(|&plaintext| of_layer[plaintext as usize] += 1);
        let weights = matrix.as_slice().expect("in standard order");
        let energy = |place: usize| weights[place].powi(2) * squares[place % squares.len()];
        let all: f64 = (0..weights.len()).map(energy).sum();
        for (g, group) in layer.groups.iter().enumerate() {
            let own: f64 = group.weights.iter().map(|&place| energy(place as usize)).sum();
            let shares = group.plaintexts.iter().map(|&p| 1.0 / of_layer[p as usize] as f64);
            let seconds = shares.sum::<f64>() * layer.seconds.max(f64::MIN_POSITIVE);
            let magnitude = |&place: &u32| weights[place as usize].abs();
            let worth = match method {
                Method::P2t => {
                    group.weights.iter().map(magnitude).sum::<f64>() / group.weights.len() as f64
                }
                Method::Hecc if all > 0.0 => own / all / seconds,
                Method::Hecc => 0.0,
            };
            offers.push((worth, l, g));
        }
        readers.push(of_layer);
    }
    offers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left: usize = layers.iter().map(|weighed| weighed.layer.n_plaintexts).sum();
    let kept = (left as f64 * keep).ceil() as usize;
    let mut chosen = vec![vec![]; layers.len()];
    for (_, l, g) in offers {
        if left <= kept {
            break;
        }
        for &plaintext in &layers[l].layer.groups[g].plaintexts {
            let readers = &mut readers[l][plaintext as usize];
            *readers -= 1;
            left -= usize::from(*readers == 0);
        }
        chosen[l].push(g);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Tensor;

    use super::*;
    use crate::analysis::groups::Group;

    fn layer(seconds: f64, groups: &[&[u32]]) -> Layer {
        let group = |(plaintext, weights): (u32, &&[u32])| Group {
            weights: weights.to_vec(),
            plaintexts: vec![plaintext],
        };
        let n_plaintexts = groups.len();
        let groups = (0..).zip(groups).map(group).collect();
        Layer { tensor: Tensor(0), name: String::new(), groups, n_plaintexts, seconds }
    }

    #[test]
    fn what_matters_least_for_its_time_goes_first() {
        let (one, other) = (layer(1.0, &[&[0, 3], &[1, 2]]), layer(4.0, &[&[0], &[1]]));
        let (a, b) = (ndarray::array![[1.0, 0.1], [0.2, 2.0]], ndarray::array![[1.0, 2.0]]);
        let weigh = |squares: [f64; 2]| {
            let layers = [
                Weighed { layer: &one, matrix: &a, squares: &[1.0, 1.0] },
                Weighed { layer: &other, matrix: &b, squares: &squares },
            ];
            choose(&layers, 0.5, Method::Hecc)
        };
        // 0.05 of 5.05 in one second; of 5 in four seconds 1 and 4.
        assert_eq!(weigh([1.0, 1.0]), [vec![1], vec![0]]);
        // A feature that is seldom large.
        assert_eq!(weigh([1.0, 0.01]), [vec![1], vec![1]]);
        let layers = [Weighed { layer: &one, matrix: &a, squares: &[1.0, 1.0] }];
        assert_eq!(choose(&layers, 1.0, Method::Hecc), [vec![0usize; 0]]);
        assert_eq!(choose(&layers, 0.0, Method::Hecc), [vec![1, 0]]);
        // Mean magnitudes, whatever the layer and the features: 1.5, 0.15; 1, 2.
        let layers = [
            Weighed { layer: &one, matrix: &a, squares: &[9.0, 1.0] },
            Weighed { layer: &other, matrix: &b, squares: &[1.0, 1.0] },
        ];
        assert_eq!(choose(&layers, 0.5, Method::P2t), [vec![1], vec![0]]);
        assert_eq!(choose(&layers, 0.25, Method::P2t), [vec![1, 0], vec![0]]);
    }

    #[test]
    fn plaintexts_of_several_groups_go_with_the_last_of_them() {
        let mut one = layer(1.0, &[&[0], &[1], &[2]]);
        one.groups[1].plaintexts = vec![0, 1];
        let matrix = ndarray::array![[1.0, 2.0, 3.0]];
        let weighed = [Weighed { layer: &one, matrix: &matrix, squares: &[1.0; 3] }];
        // Without the first group all three plaintexts are left.
        assert_eq!(choose(&weighed, 0.6, Method::Hecc), [vec![0, 1]]);
    }
}
