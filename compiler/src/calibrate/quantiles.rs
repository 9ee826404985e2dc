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
    sample.sort_by(f64::total_cmp);
    let mut quantiles = std::array::from_fn(|i| match i {
        0 => lo,
        _ if i + 1 == N_QUANTILES => hi,
        _ => part(&sample, i - 1).unwrap_or(hi).clamp(lo, hi),
    });
    quantiles.sort_by(f64::total_cmp);
    quantiles
}

/// What one of the parts of a sorted sample is like: the mean, or the root mean square of the tails.
fn part(sample: &[f64], i: usize) -> Option<f64> {
    const N_PARTS: usize = N_QUANTILES - 2;
    let (from, to) = (sample.len() * i / N_PARTS, sample.len() * (i + 1) / N_PARTS);
    // Of few elements some count for several parts.
    let part = &sample[from..to.max(from + 1).min(sample.len())];
    let mean = |of: fn(f64) -> f64| part.iter().map(|&x| of(x)).sum::<f64>() / part.len() as f64;
    let is_tail = i == 0 || i + 1 == N_PARTS;
    (!part.is_empty()).then(|| match is_tail {
        true => mean(|x| x * x).sqrt().copysign(mean(|x| x)),
        false => mean(|x| x),
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
    }

    #[test]
    fn few_elements_and_wide_tails_are_ascending() {
        assert_eq!(of(vec![2.0, 1.0], (1.0, 2.0))[N_QUANTILES - 2], 2.0);
        let sample = (0..93).map(|i| if i == 0 { -100.0 } else { 60.0 }).collect();
        assert!(of(sample, (-100.0, 60.0)).is_sorted());
    }
}
