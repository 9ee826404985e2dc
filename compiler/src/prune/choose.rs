//! Which groups go: those whose weights matter least for the time that they take.

use ndarray::Array2;

use crate::analysis::groups::{Group, Layer};

/// A layer with what decides which of its groups go.
pub(super) struct Weighed<'a> {
    pub(super) layer: &'a Layer,
    /// Its weights, `[results, features]`.
    pub(super) matrix: &'a Array2<f64>,
    /// The sum of squares of each feature on the calibration data.
    pub(super) squares: &'a [f64],
}

/// What a group is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// The mean magnitude of its weights.
    Magnitude,
    /// The part of its layer's groups in which that is smaller.
    MagnitudeInLayer,
    /// Its part of its layer for each second that it takes.
    Contribution,
    /// By how much that makes what is left of the layer smaller, as a logarithm, where groups go in order.
    LogContribution,
}

/// What a part of a layer is compared with.
#[derive(Clone, Copy)]
enum Loss {
    PartOfLayer,
    PartOfWhatIsLeft,
}

/// For each layer, the groups that go, so that `keep` of all plaintexts are left: those that are worth least, of whatever
/// layer.
pub(super) fn choose(layers: &[Weighed<'_>], keep: f64, worth: Worth) -> Vec<Vec<usize>> {
    // For each plaintext of each layer, the groups in it.
    let mut readers: Vec<Vec<usize>> =
        layers.iter().map(|weighed| readers(weighed.layer)).collect();
    let offers = layers.iter().zip(&readers).enumerate().flat_map(|(l, (weighed, readers))| {
        let worths = match worth {
            Worth::Magnitude => magnitudes(weighed),
            Worth::MagnitudeInLayer => ranks(&magnitudes(weighed)),
            Worth::Contribution => contributions(weighed, readers, Loss::PartOfLayer),
            Worth::LogContribution => contributions(weighed, readers, Loss::PartOfWhatIsLeft),
        };
        worths.into_iter().enumerate().map(move |(g, worth)| (worth, l, g))
    });
    let mut offers: Vec<(f64, usize, usize)> = offers.collect();
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

/// For each plaintext, how many groups are in it.
fn readers(layer: &Layer) -> Vec<usize> {
    let mut readers = vec![0; layer.n_plaintexts];
    let all = layer.groups.iter().flat_map(|group| &group.plaintexts);
    all.for_each(|&plaintext| readers[plaintext as usize] += 1);
    readers
}

/// The mean magnitude of the weights of each group.
fn magnitudes(Weighed { layer, matrix, .. }: &Weighed<'_>) -> Vec<f64> {
    let weights = matrix.as_slice().expect("in standard order");
    let magnitude = |&place: &u32| weights[place as usize].abs();
    let mean = |group: &Group| {
        group.weights.iter().map(magnitude).sum::<f64>() / group.weights.len() as f64
    };
    layer.groups.iter().map(mean).collect()
}

/// For each number, the part of all that is smaller.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    order.iter().enumerate().for_each(|(rank, &g)| ranks[g] = rank as f64 / numbers.len() as f64);
    ranks
}

/// What is lost with each group for each second that it takes; of plaintexts that several groups are in, each has its share.
///
/// A group makes up a part of the mean square of its layer's results, all weights taken to act independently of each other. What a
/// network computes passes through all of its layers, so parts that are left multiply, and logarithms of them add up: a tenth of
/// the whole is worth less than the last tenth, and the last group of a layer never goes before others.
///
/// Taken by the parts of whole layers instead, small layers may go as a whole; where none does, errors are smaller.
fn contributions(
    Weighed { layer, matrix, squares }: &Weighed<'_>,
    readers: &[usize],
    loss: Loss,
) -> Vec<f64> {
    let weights = matrix.as_slice().expect("in standard order");
    let energy =
        |&place: &u32| weights[place as usize].powi(2) * squares[place as usize % squares.len()];
    let own: Vec<f64> =
        layer.groups.iter().map(|group| group.weights.iter().map(energy).sum()).collect();
    let seconds = |group: &Group| {
        let shares =
            group.plaintexts.iter().map(|&plaintext| 1.0 / readers[plaintext as usize] as f64);
        shares.sum::<f64>() * layer.seconds.max(f64::MIN_POSITIVE)
    };
    let seconds: Vec<f64> = layer.groups.iter().map(seconds).collect();
    let mut order: Vec<usize> = (0..own.len()).collect();
    order.sort_by(|&a, &b| (own[a] / seconds[a]).total_cmp(&(own[b] / seconds[b])));
    let all: f64 = own.iter().sum();
    // From the last one on, so that what is left is a sum of what is left and no difference.
    let mut left = 0.0;
    let mut worths = vec![0.0; own.len()];
    for &g in order.iter().rev() {
        let whole = left + own[g];
        let lost = match loss {
            _ if whole == 0.0 => 0.0,
            Loss::PartOfLayer => own[g] / all,
            Loss::PartOfWhatIsLeft => (whole / left).ln(),
        };
        worths[g] = lost / seconds[g];
        left = whole;
    }
    worths
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Tensor;

    use super::*;

    fn layer(seconds: f64, groups: &[&[u32]]) -> Layer {
        let group = |(plaintext, weights): (u32, &&[u32])| Group {
            weights: weights.to_vec(),
            plaintexts: vec![plaintext],
        };
        let n_plaintexts = groups.len();
        let groups = (0..).zip(groups).map(group).collect();
        let (tensor, name, empty) = (Tensor(0), String::new(), vec![]);
        Layer { tensor, name, groups, empty, n_plaintexts, seconds }
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
            choose(&layers, 0.5, Worth::LogContribution)
        };
        // 0.05 of 5.05 in one second; of 5 in four seconds 1 and 4.
        assert_eq!(weigh([1.0, 1.0]), [vec![1], vec![0]]);
        // A feature that is seldom large.
        assert_eq!(weigh([1.0, 0.01]), [vec![1], vec![1]]);
        let layers = [Weighed { layer: &one, matrix: &a, squares: &[1.0, 1.0] }];
        assert_eq!(choose(&layers, 1.0, Worth::LogContribution), [vec![0usize; 0]]);
        assert_eq!(choose(&layers, 0.0, Worth::LogContribution), [vec![1, 0]]);
        // Mean magnitudes, whatever the layer and the features: 1.5, 0.15; 1, 2.
        let layers = [
            Weighed { layer: &one, matrix: &a, squares: &[9.0, 1.0] },
            Weighed { layer: &other, matrix: &b, squares: &[1.0, 1.0] },
        ];
        assert_eq!(choose(&layers, 0.5, Worth::Magnitude), [vec![1], vec![0]]);
        assert_eq!(choose(&layers, 0.25, Worth::Magnitude), [vec![1, 0], vec![0]]);
    }

    #[test]
    fn no_layer_goes_as_a_whole_before_another() {
        // The first is slow, and goes by parts of the whole alone: 0.3 in ten seconds against 0.5 in one.
        let (slow, fast) = (layer(10.0, &[&[0], &[1], &[2]]), layer(1.0, &[&[0], &[1], &[2]]));
        let (a, b) = (ndarray::array![[0.5, 0.6, 0.7]], ndarray::array![[1.0, 1.0, 1.0]]);
        let layers = [
            Weighed { layer: &slow, matrix: &a, squares: &[1.0; 3] },
            Weighed { layer: &fast, matrix: &b, squares: &[1.0; 3] },
        ];
        let chosen = choose(&layers, 0.3, Worth::LogContribution);
        assert_eq!(chosen.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        // By mean magnitude one does: HE-PEx's global scope.
        assert_eq!(choose(&layers, 0.5, Worth::Magnitude), [vec![0, 1, 2], vec![]]);
        assert_eq!(choose(&layers, 0.6, Worth::MagnitudeInLayer), [vec![0], vec![0]]);
    }

    #[test]
    fn plaintexts_of_several_groups_go_with_the_last_of_them() {
        let mut one = layer(1.0, &[&[0], &[1], &[2]]);
        one.groups[1].plaintexts = vec![0, 1];
        let matrix = ndarray::array![[1.0, 2.0, 3.0]];
        let weighed = [Weighed { layer: &one, matrix: &matrix, squares: &[1.0; 3] }];
        // Without the first group all three plaintexts are left.
        assert_eq!(choose(&weighed, 0.6, Worth::LogContribution), [vec![0, 1]]);
    }
}
