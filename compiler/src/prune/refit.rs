//! Fits the weights that are left to what the whole layer computed: least squares, result by result.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::statistics::Moments;

/// How strongly weights may be held to what they were, as a part of the mean square of features: where the data say little, they
/// stay.
const RIDGES: [f64; 4] = [1e-4, 1e-2, 1e-1, 1.0];

/// A matrix that was fitted, and how far its results were off where it was not.
pub(super) struct Refitted {
    pub(super) matrix: Array2<f64>,
    /// See [`Moments::error`], of inputs that the choice of the fit, but not the fit saw; then it was fitted to all.
    pub(super) error: f64,
}

/// The matrix nearest to the results wanted, of those that are zero where `matrix` is: fitted to some inputs, as strongly as
/// helps with others. `matrix` itself if nothing does.
pub(super) fn refit(matrix: &Array2<f64>, fitted: &Moments, others: &Moments) -> Refitted {
    let unchanged = Refitted { matrix: matrix.clone(), error: others.error(matrix) };
    let tried = RIDGES.iter().map(|&ridge| (ridge, others.error(&nearest(matrix, fitted, ridge))));
    let Some((ridge, error)) = tried.min_by(|a, b| a.1.total_cmp(&b.1)) else { return unchanged };
    if error >= unchanged.error {
        return unchanged;
    }
    Refitted { matrix: nearest(matrix, &fitted.clone().plus(others), ridge), error }
}

fn nearest(matrix: &Array2<f64>, moments: &Moments, ridge: f64) -> Array2<f64> {
    let mean = moments.squares().mean().unwrap_or(0.0);
    let rows: Vec<ArrayView1<'_, f64>> = matrix.outer_iter().collect();
    let row = |(o, row)| row_of(row, moments, moments.cross.column(o), ridge * mean);
    let refitted: Vec<f64> = rows.into_par_iter().enumerate().flat_map_iter(row).collect();
    Array2::from_shape_vec(matrix.dim(), refitted).expect("rows are as long as before")
}

/// One row of weights; as it was if there is nothing to fit to.
fn row_of(
    row: ArrayView1<'_, f64>,
    moments: &Moments,
    cross: ArrayView1<'_, f64>,
    ridge: f64,
) -> Vec<f64> {
    let left: Vec<usize> = (0..row.len()).filter(|&i| row[i] != 0.0).collect();
    if left.is_empty() || ridge <= 0.0 {
        return row.to_vec();
    }
    let n = left.len();
    let gram = DMatrix::from_fn(n, n, |a, b| {
        moments.gram[[left[a], left[b]]] + if a == b { ridge } else { 0.0 }
    });
    let wanted = DVector::from_fn(n, |a, _| cross[left[a]] + ridge * row[left[a]]);
    let mut new = row.to_vec();
    if let Some(factors) = gram.cholesky() {
        let solved = factors.solve(&wanted);
        left.iter().zip(solved.iter()).for_each(|(&i, &w)| new[i] = w);
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_makes_up_for_what_is_gone() {
        // The third feature is the sum of the others.
        let features = Array2::from_shape_fn((3, 50), |(f, p)| {
            let (a, b) = ((p as f64 * 0.7).sin(), (p as f64 * 1.3).cos());
            [a, b, a + b][f]
        });
        let whole = ndarray::array![[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]];
        let moments = Moments::of(&features, &whole.dot(&features));
        let mut pruned = whole.clone();
        pruned.column_mut(2).fill(0.0);
        let refitted = refit(&pruned, &moments, &moments).matrix;
        assert!(moments.error(&whole) < 1e-12);
        assert!(moments.error(&pruned) > 0.1);
        assert!(moments.error(&refitted) < 1e-5, "{}", moments.error(&refitted));
        assert_eq!(refitted.column(2).to_vec(), [0.0, 0.0]);
        // 1·a − 2·b + 3·(a + b)
        assert!((refitted[[0, 0]] - 4.0).abs() < 0.02 && (refitted[[0, 1]] - 1.0).abs() < 0.02);
    }

    #[test]
    fn few_inputs_are_not_learned_by_heart() {
        let random = |seed: usize| {
            move |(f, p): (usize, usize)| ((f * 31 + p * 17 + seed) as f64 * 12.9898).sin()
        };
        let whole = Array2::from_shape_fn((2, 40), random(1));
        let mut pruned = whole.clone();
        pruned.slice_mut(ndarray::s![.., ..;2]).fill(0.0);
        let moments = |seed: usize, n: usize| {
            let features = Array2::from_shape_fn((40, n), random(seed));
            Moments::of(&features, &whole.dot(&features))
        };
        let (few, others) = (moments(1000, 10), moments(5000, 200));
        let by_heart = nearest(&pruned, &few, RIDGES[0]);
        let refitted = refit(&pruned, &few, &others);
        // On what neither saw.
        let unseen = moments(9000, 200);
        assert!(unseen.error(&refitted.matrix) < unseen.error(&by_heart));
    }

    #[test]
    fn features_that_are_never_seen_keep_their_weights() {
        let moments = Moments::of(&Array2::zeros((2, 4)), &Array2::zeros((1, 4)));
        let matrix = ndarray::array![[1.5, 0.0]];
        assert_eq!(refit(&matrix, &moments, &moments).matrix, matrix);
    }
}
