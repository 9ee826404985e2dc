//! The coefficients of an elementwise polynomial, which channels may have of their own.

use ndarray::ArrayD;

/// Coefficients below this are zero: they are lost in rounding at every scale.
const NEGLIGIBLE: f64 = 1e-15;

/// Chebyshev coefficients of one polynomial for all elements, or of one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients(Vec<Row>);

/// The coefficient of one degree: one number, or one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<f64>);

impl Coefficients {
    /// Of one polynomial, constant first.
    pub fn one(coefficients: &[f64]) -> Coefficients {
        Coefficients(coefficients.iter().map(|&c| Row(vec![c])).collect())
    }

    /// Of an array `[channels, degree + 1]`.
    pub fn of_channels(array: &ArrayD<f64>) -> Coefficients {
        let of_degree = |j: usize| Row(array.outer_iter().map(|channel| channel[j]).collect());
        Coefficients((0..array.shape()[1]).map(of_degree).collect())
    }

    /// The degree.
    pub fn degree(&self) -> usize {
        self.0.len() - 1
    }

    /// How many polynomials there are.
    pub fn n_channels(&self) -> usize {
        self.0[0].0.len()
    }

    /// By degree.
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// Of `factor · polynomial + offset`.
    pub fn mapped(&self, (factor, offset): (f64, f64)) -> Coefficients {
        let mut rows: Vec<Row> = self.0.iter().map(|row| row.scaled(factor)).collect();
        rows[0].0.iter_mut().for_each(|c| *c += offset);
        Coefficients(rows)
    }
}

impl Row {
    /// The number of every channel, or the one of all.
    pub fn numbers(&self) -> &[f64] {
        &self.0
    }

    /// Whether no polynomial has this term.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|c| c.abs() < NEGLIGIBLE)
    }

    /// Zeros, as many channels as in `self`.
    pub fn zero(&self) -> Row {
        self.scaled(0.0)
    }

    /// Times a number.
    pub fn scaled(&self, factor: f64) -> Row {
        Row(self.0.iter().map(|c| c * factor).collect())
    }

    /// Channel by channel.
    pub fn plus(&self, other: &Row) -> Row {
        Row(self.0.iter().zip(&other.0).map(|(a, b)| a + b).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn channels_have_rows_of_their_own() {
        let two = Coefficients::of_channels(&array![[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]].into_dyn());
        assert_eq!((two.degree(), two.n_channels()), (2, 2));
        assert_eq!(two.rows()[1].numbers(), [2.0, 4.0]);
        assert!(two.rows()[2].is_zero() && !two.rows()[0].is_zero());
        let mapped = two.mapped((2.0, 5.0));
        assert_eq!(mapped.rows()[0].numbers(), [7.0, 11.0]);
        assert_eq!(mapped.rows()[1].numbers(), [4.0, 8.0]);
        assert_eq!(Coefficients::one(&[1.0, 2.0]).n_channels(), 1);
    }
}
