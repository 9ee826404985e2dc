//! What layers see of the calibration data: second moments of what their results are sums of.

use ndarray::{Array1, Array2, linalg::general_mat_mul};

/// Sums over positions of one image or of many.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// `Σ f·fᵀ` over features f.
    pub(super) gram: Array2<f64>,
    /// `Σ f·rᵀ` over features and the results that are wanted for them, without bias.
    pub(super) cross: Array2<f64>,
    /// `Σ r²`, over all results.
    pub(super) wanted: f64,
}

impl Moments {
    /// Of no positions, of so many results and features.
    pub(super) fn none((results, features): (usize, usize)) -> Moments {
        let (gram, cross) =
            (Array2::zeros((features, features)), Array2::zeros((features, results)));
        Moments { gram, cross, wanted: 0.0 }
    }

    /// Of `[features, positions]` and `[results, positions]`.
    pub(super) fn of(features: &Array2<f64>, results: &Array2<f64>) -> Moments {
        let (n, m) = (features.nrows(), results.nrows());
        let (mut gram, mut cross) = (Array2::zeros((n, n)), Array2::zeros((n, m)));
        general_mat_mul(1.0, features, &features.t(), 0.0, &mut gram);
        general_mat_mul(1.0, features, &results.t(), 0.0, &mut cross);
        Moments { gram, cross, wanted: results.iter().map(|r| r * r).sum() }
    }

    /// Both together.
    pub(super) fn plus(mut self, other: &Moments) -> Moments {
        self.gram += &other.gram;
        self.cross += &other.cross;
        self.wanted += other.wanted;
        self
    }

    /// `Σ f²` of every feature.
    pub(super) fn squares(&self) -> Array1<f64> {
        self.gram.diag().to_owned()
    }

    /// `Σ (w·f − r)²` for a row of weights for each result, as a part of `Σ r²`.
    pub(super) fn error(&self, matrix: &Array2<f64>) -> f64 {
        let of_row = |(o, w): (usize, ndarray::ArrayView1<'_, f64>)| {
            w.dot(&self.gram.dot(&w)) - 2.0 * w.dot(&self.cross.column(o))
        };
        let sum: f64 = matrix.outer_iter().enumerate().map(of_row).sum();
        ((sum + self.wanted) / self.wanted.max(f64::MIN_POSITIVE)).max(0.0)
    }
}
