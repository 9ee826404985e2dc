//! Fits what is usual of lists of numbers: of results, and of summaries of inputs.

use hecc_grammar::model::Model;
use hecc_grammar::plan::{MAX_DISTANCE, Profile, summary};
use nalgebra::{DMatrix, DVector};
use ndarray::ArrayD;

use super::groups::rows;
use super::tail::beyond;

/// How often a usual list may be called unusual.
const CHANCE: f64 = 1e-4;

/// Numbers of a list vary by at least this part of the largest one: encryption adds noise.
const LEAST_DEVIATION: f64 = 1.0 / 1024.0;

/// Added to correlations of 1, so that lists which depend on each other have a distance.
const RIDGE: f64 = 0.01;

/// What was seen of the inputs of a model: whether their elements are usual together.
pub fn input_profiles(model: &Model, inputs: &[ArrayD<f64>]) -> Vec<Profile> {
    let of_input = |((_, node), batch): ((_, &hecc_grammar::model::Node), &ArrayD<f64>)| {
        let summaries = rows(&node.shape, batch).into_iter().map(|row| {
            let row: Vec<f64> = row.into_iter().copied().collect();
            summary(&node.shape, &row)
        });
        // Single elements are held to their ranges.
        Profile { ranges: vec![], ..profile(&summaries.collect::<Vec<_>>()) }
    };
    model.inputs().zip(inputs).map(of_input).collect()
}

/// What is usual of lists of equal length.
pub fn profile(lists: &[Vec<f64>]) -> Profile {
    let n = lists.first().map_or(0, Vec::len);
    let largest = lists.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
    if n == 0 || lists.iter().flatten().any(|x| !x.is_finite()) {
        return Profile::default();
    }
    let least = (largest * LEAST_DEVIATION).max(f64::MIN_POSITIVE);
    let ranges = (0..n).map(|i| usual_range(lists, i, least)).collect();
    if n > MAX_DISTANCE {
        return Profile { ranges, ..Profile::default() };
    }
    let count = lists.len() as f64;
    let column = |i: usize| lists.iter().map(move |list| list[i]);
    let center: Vec<f64> = (0..n).map(|i| column(i).sum::<f64>() / count).collect();
    let deviation = |i: usize| {
        let square = column(i).map(|x| (x - center[i]).powi(2)).sum::<f64>() / count;
        square.sqrt().max(least)
    };
    let deviations: Vec<f64> = (0..n).map(deviation).collect();
    let standard =
        DMatrix::from_fn(lists.len(), n, |row, i| (lists[row][i] - center[i]) / deviations[i]);
    let mut correlation = standard.transpose() * &standard / count;
    // That of what hardly varies is less than 1.
    correlation.fill_diagonal(1.0 + RIDGE);
    let inverse = correlation.cholesky().and_then(|cholesky| cholesky.l().try_inverse());
    let inverse = inverse.expect("a correlation with a ridge is positive definite");
    let distance = |row: usize| (&inverse * standard.row(row).transpose()).norm_squared();
    let farthest = (0..lists.len()).map(|row| left_out(distance(row), count)).fold(0.0, f64::max);
    let whitening = (0..n).flat_map(|i| (0..=i).map(move |j| (i, j)));
    let whitening = whitening.map(|(i, j)| inverse[(i, j)] / deviations[j]).collect();
    let farthest = farthest.sqrt().max(1.0) * beyond(lists.len(), n, CHANCE);
    Profile { ranges, center, whitening, farthest }
}

/// The usual range of number `i` of the lists.
fn usual_range(lists: &[Vec<f64>], i: usize, least: f64) -> (f64, f64) {
    let column = DVector::from_iterator(lists.len(), lists.iter().map(|list| list[i]));
    let (lo, hi) = (column.min(), column.max());
    let room = (hi - lo) / 2.0 * (beyond(lists.len(), 1, CHANCE) - 1.0) + least;
    (lo - room, hi + room)
}

/// The squared distance of a list from the others, given its distance from all of them, itself included, which is less:
/// by Sherman and Morrison's formula.
fn left_out(square: f64, count: f64) -> f64 {
    let share = (square / (count - 1.0).max(1.0)).min(0.9);
    square / (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::plan::Unusual;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    /// Lists of two numbers that are nearly the same, and one of its own.
    fn lists(count: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut normal = || {
            let uniform =
                |rng: &mut ChaCha20Rng| (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            (0..12).map(|_| uniform(&mut rng)).sum::<f64>() - 6.0
        };
        (0..count)
            .map(|_| {
                let x = 5.0 + normal();
                vec![x, x + 0.1 * normal(), 100.0 * normal()]
            })
            .collect()
    }

    #[test]
    fn others_of_the_same_kind_are_usual() {
        for (count, most) in [(20, 80), (64, 20), (256, 12), (2000, 12)] {
            let profile = profile(&lists(count, 1));
            let others = lists(4000, 2);
            let odd = others.iter().filter(|list| profile.judge(list).is_some()).count();
            assert!(odd <= most, "{odd} of {} are unusual after {count}", others.len());
        }
    }

    #[test]
    fn what_is_unusual_together_is_found() {
        let profile = profile(&lists(256, 1));
        assert_eq!(profile.judge(&[5.0, 5.1, 10.0]), None);
        assert!(matches!(profile.judge(&[4.0, 6.0, 0.0]), Some(Unusual::Distance { .. })));
        let element = profile.judge(&[5.0, 5.0, 2000.0]);
        assert!(matches!(element, Some(Unusual::Element { index: 2, .. })), "{element:?}");
    }

    #[test]
    fn constants_have_room_for_noise() {
        let profile = profile(&vec![vec![3.0, -1.0]; 50]);
        assert_eq!(profile.judge(&[3.001, -1.001]), None);
        assert!(profile.judge(&[3.5, -1.0]).is_some());
    }

    #[test]
    fn nothing_is_usual_of_what_is_no_number() {
        for odd in [f64::NAN, f64::INFINITY] {
            assert_eq!(profile(&[vec![1.0, 2.0], vec![odd, 2.0]]), Profile::default());
        }
    }
}
