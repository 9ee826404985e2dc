//! What the elements of a tensor are like, in a few numbers.

use hecc_grammar::noise::{class_of, count_classes};
use hecc_grammar::plan::QUANTILES_OF_CLASS;
use ndarray::{ArrayD, Axis};

/// How many numbers there are.
pub const N_QUANTILES: usize = QUANTILES_OF_CLASS;

/// Ascending: the smallest element, what the elements of parts of equal size are like, the largest.
pub type Quantiles = [f64; N_QUANTILES];

/// Elements taken of a tensor for one input: so few of many inputs say enough.
const MOST_ELEMENTS: usize = 64;

/// Elements taken of each channel for one input.
const MOST_OF_CHANNEL: usize = 4;

/// What is seen of the classes of channels of a tensor (`noise::class_of`).
#[derive(Clone, Debug)]
pub(super) struct OfClasses(Vec<OfClass>);

/// The range of some channels, and elements of them.
#[derive(Clone, Debug)]
struct OfClass {
    range: (f64, f64),
    sample: Vec<f64>,
}

impl OfClasses {
    /// Of a tensor of one example, whose channels are its second dimension.
    pub(super) fn of(value: &ArrayD<f64>) -> OfClasses {
        let n_channels = value.len_of(Axis(1));
        let nothing = OfClass { range: (f64::INFINITY, f64::NEG_INFINITY), sample: vec![] };
        let mut classes = vec![nothing; count_classes(n_channels)];
        for (i, channel) in value.axis_iter(Axis(1)).enumerate() {
            let OfClass { range, sample } = &mut classes[class_of(i, n_channels)];
            *range = channel.iter().fold(*range, |(lo, hi), &x| (lo.min(x), hi.max(x)));
            let distance = channel.len().div_ceil(MOST_OF_CHANNEL) | 1;
            sample.extend(channel.iter().copied().step_by(distance));
        }
        OfClasses(classes)
    }

    /// With what was seen of the same tensor in another example.
    pub(super) fn merge(&mut self, other: OfClasses) {
        for (class, OfClass { range: (lo, hi), sample }) in self.0.iter_mut().zip(other.0) {
            class.range = (class.range.0.min(lo), class.range.1.max(hi));
            class.sample.extend(sample);
        }
    }

    /// The quantiles of each class.
    pub(super) fn quantiles(self) -> Vec<Quantiles> {
        self.0.into_iter().map(|class| of(class.sample, class.range)).collect()
    }
}

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
