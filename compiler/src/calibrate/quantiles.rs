//! What the elements of a tensor are like, in a few numbers.

use ndarray::ArrayD;

/// Number of quantiles, the smallest and the largest element among them.
pub const N_QUANTILES: usize = 33;

/// Equally spaced quantiles, ascending.
pub type Quantiles = [f64; N_QUANTILES];

/// Elements taken of a tensor for one input: so few of many inputs say enough.
const MOST_ELEMENTS: usize = 64;

/// Elements spread over a tensor. Their distance is odd, so that they do not all lie in the same column of an image.
pub(super) fn sample(value: &ArrayD<f64>) -> Vec<f64> {
    let distance = value.len().div_ceil(MOST_ELEMENTS) | 1;
    value.iter().copied().step_by(distance).collect()
}

/// The quantiles of a sample of elements of which all are within a range.
pub(super) fn of(mut sample: Vec<f64>, (lo, hi): (f64, f64)) -> Quantiles {
    sample.sort_by(f64::total_cmp);
    std::array::from_fn(|i| match i {
        0 => lo,
        _ if i + 1 == N_QUANTILES => hi,
        _ => sample.get(sample.len() * i / (N_QUANTILES - 1)).copied().unwrap_or(hi),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_equally_spaced() {
        let sample = (0..=320).rev().map(f64::from).collect();
        let quantiles = of(sample, (-5.0, 400.0));
        assert_eq!(quantiles[..3], [-5.0, 10.0, 20.0]);
        assert_eq!(quantiles[N_QUANTILES - 2..], [310.0, 400.0]);
    }
}
