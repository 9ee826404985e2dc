//! What the elements of a tensor are like, in a few numbers.

use ndarray::ArrayD;

/// How many numbers there are.
pub const N_QUANTILES: usize = 33;

/// Ascending: the smallest element, what the elements of parts of equal size are like, the largest.
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
    const N_PARTS: usize = N_QUANTILES - 2;
    sample.sort_by(f64::total_cmp);
    let part = |i: usize| {
        let part = &sample[sample.len() * i / N_PARTS..sample.len() * (i + 1) / N_PARTS];
        let mean =
            |of: fn(f64) -> f64| part.iter().map(|&x| of(x)).sum::<f64>() / part.len() as f64;
        match i {
            _ if part.is_empty() => sample.get(sample.len() * i / N_PARTS).copied().unwrap_or(hi),
            // Tails count by their squares.
            0 | LAST => mean(|x| x * x).sqrt().copysign(mean(|x| x)),
            _ => mean(|x| x),
        }
    };
    const LAST: usize = N_PARTS - 1;
    std::array::from_fn(|i| match i {
        0 => lo,
        _ if i + 1 == N_QUANTILES => hi,
        _ => part(i - 1).clamp(lo, hi),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_equal_sizes() {
        let sample = (0..310).rev().map(f64::from).collect();
        let quantiles = of(sample, (-5.0, 400.0));
        assert_eq!(quantiles[0], -5.0);
        assert!((quantiles[1] - 28.5f64.sqrt()).abs() < 1e-12, "{}", quantiles[1]);
        assert_eq!(quantiles[2..4], [14.5, 24.5]);
        assert_eq!(quantiles[N_QUANTILES - 1], 400.0);
        assert_eq!(of(vec![2.0, 1.0], (1.0, 2.0))[N_QUANTILES - 2], 2.0);
    }
}
