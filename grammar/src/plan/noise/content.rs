//! What slots hold, as far as it is known without running a plan.

use std::rc::Rc;

use crate::plan::{MOST_QUANTILES, QUANTILES_OF_CLASS, Value};

use super::formulas::overflow;
use super::samples::{EXTREMES, SAMPLES, Samples};

/// Multiples of the prime, on both sides of none, that samples of a raised value hold: all alike, though the largest are rare.
const MULTIPLES: i32 = 5;

/// Messages that they hold besides: most values are small against their range, and there the sine is steepest.
const MESSAGES: [f64; 3] = [-0.3, 0.0, 0.3];

/// How many times their root mean square the largest of raised values are.
const LARGEST_RAISED: f64 = 6.0;

/// What slots hold.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Anything of at most this magnitude.
    Bounded(f64),
    /// In the linear maps of bootstrapping: the root mean square of the real parts, and the multiple of the message's unit
    /// that raising added.
    Raised { size: f64, unit: f64 },
    /// One complex number for each sample: bootstrapping takes values in pairs, as a + ib.
    Samples { re: Samples, im: Samples },
}

impl Content {
    /// Numbers without an imaginary part.
    pub(super) fn real(re: Samples) -> Content {
        Content::Samples { re, im: Samples::All(0.0) }
    }

    /// A bound, or a root mean square.
    pub(super) fn size(&self) -> f64 {
        match self {
            Content::Bounded(size) => *size,
            Content::Raised { size, .. } => *size,
            Content::Samples { .. } => self.samples().map(f64::abs).largest(),
        }
    }

    /// Whether [`Self::samples`] have the sign of what slots hold.
    pub(super) fn has_sign(&self) -> bool {
        matches!(self, Content::Samples { im: Samples::All(0.0), .. })
    }

    /// What errors are multiplied by in a product with it: with its sign only where it is real.
    pub(super) fn samples(&self) -> Samples {
        match self {
            Content::Bounded(size) => Samples::All(*size),
            Content::Raised { size, .. } => Samples::All(LARGEST_RAISED * size),
            Content::Samples { re, im: Samples::All(0.0) } => re.clone(),
            Content::Samples { re, im } => re.zip(im, f64::hypot),
        }
    }

    /// Times a real number for each sample.
    pub(super) fn scaled(&self, factor: &Samples) -> Content {
        match self {
            Content::Bounded(size) => Content::Bounded(size * factor.map(f64::abs).largest()),
            Content::Raised { size, unit } => {
                Content::Raised { size: size * factor.map(f64::abs).largest(), unit: *unit }
            }
            Content::Samples { re, im } => {
                let times = |x: &Samples| {
                    let is_zero = matches!(x, Samples::All(0.0));
                    if is_zero { Samples::All(0.0) } else { x.zip(factor, |x, f| f * x) }
                };
                Content::Samples { re: times(re), im: times(im) }
            }
        }
    }

    /// Times i.
    pub(super) fn turned(self) -> Content {
        match self {
            Content::Samples { re, im } => Content::Samples { re: im.map(|x| -x), im: re },
            Content::Bounded(_) | Content::Raised { .. } => self,
        }
    }

    /// The complex conjugate.
    pub(super) fn conjugated(self) -> Content {
        match self {
            Content::Samples { re, im } => Content::Samples { re, im: im.map(|x| -x) },
            Content::Bounded(_) | Content::Raised { .. } => self,
        }
    }

    /// The sum, slot by slot.
    pub(super) fn plus(&self, other: &Content) -> Content {
        match (self, other) {
            (Content::Samples { re, im }, Content::Samples { re: re_b, im: im_b }) => {
                let sum = |a: &Samples, b: &Samples| a.zip(b, |a, b| a + b);
                Content::Samples { re: sum(re, re_b), im: sum(im, im_b) }
            }
            (Content::Raised { size, unit }, other) | (other, Content::Raised { size, unit }) => {
                Content::Raised { size: size.hypot(other.size()), unit: *unit }
            }
            (Content::Bounded(_), _) | (_, Content::Bounded(_)) => {
                Content::Bounded(self.size() + other.size())
            }
        }
    }

    /// The product, slot by slot.
    pub(super) fn times(&self, other: &Content) -> Content {
        match (self, other) {
            (Content::Samples { re: a, im: b }, Content::Samples { re: c, im: d }) => {
                let product = |x: &Samples, y: &Samples| match (x, y) {
                    (Samples::All(0.0), _) | (_, Samples::All(0.0)) => Samples::All(0.0),
                    _ => x.zip(y, |x, y| x * y),
                };
                Content::Samples {
                    re: product(a, c).zip(&product(b, d), |x, y| x - y),
                    im: product(a, d).zip(&product(b, c), |x, y| x + y),
                }
            }
            (Content::Bounded(_) | Content::Raised { .. }, _)
            | (_, Content::Bounded(_) | Content::Raised { .. }) => {
                let largest = |content: &Content| content.samples().map(f64::abs).largest();
                Content::Bounded(largest(self) * largest(other))
            }
        }
    }
}

/// All of [−1, 1].
pub(super) fn grid(value: Value) -> Samples {
    let inner = (SAMPLES - EXTREMES) as f64;
    let inside = |i| -((i as f64 + 0.5) / inner * std::f64::consts::PI).cos();
    Samples::Each(samples(value, (-1.0, 1.0), inside).collect())
}

/// What calibration saw: the smallest, what parts of equal size are like, the largest; of each class, if they are told apart.
pub(super) fn spread(quantiles: &[f64], value: Value) -> Samples {
    if quantiles.len() <= MOST_QUANTILES {
        return Samples::Each(spread_of_class(quantiles, value).collect());
    }
    let classes = quantiles.chunks(QUANTILES_OF_CLASS);
    Samples::Each(classes.flat_map(|quantiles| spread_of_class(quantiles, value)).collect())
}

fn spread_of_class(quantiles: &[f64], value: Value) -> impl Iterator<Item = f64> {
    let inner = &quantiles[1..quantiles.len() - 1];
    let ends = (quantiles[0], quantiles[quantiles.len() - 1]);
    let part = |i: usize| inner.get(i * inner.len() / (SAMPLES - EXTREMES)).copied();
    samples(value, ends, move |i| part(i).unwrap_or(ends.1))
}

/// The ends, which are the first samples of all values, and others, which meet those of other values as if at random.
fn samples(
    value: Value,
    (lo, hi): (f64, f64),
    inner: impl Fn(usize) -> f64,
) -> impl Iterator<Item = f64> {
    let inner = (0..SAMPLES - EXTREMES).map(move |i| inner(shuffled(i, SAMPLES - EXTREMES, value)));
    [lo, hi].into_iter().chain(inner)
}

/// The place of sample `i` of `n` in an order of the value's own, so that samples of different values meet as if at random.
fn shuffled(i: usize, n: usize, value: Value) -> usize {
    const STRIDES: [usize; 8] = [1, 2, 4, 5, 7, 8, 13, 16];
    (i * STRIDES[value.index() % STRIDES.len()] + value.index()) % n
}

/// The mean over the samples of a raised value, each multiple of the prime as often as it comes: for each message, the largest.
pub(super) fn mean_of_raised(samples: &Samples) -> f64 {
    let weight = |multiple: i32| (-0.5 * (f64::from(multiple) / overflow()).powi(2)).exp();
    let total: f64 = (-MULTIPLES..=MULTIPLES).map(weight).sum();
    let of_message = |message: usize| {
        let at = |(i, multiple)| weight(multiple) * samples.at(i * MESSAGES.len() + message);
        (0..).zip(-MULTIPLES..=MULTIPLES).map(at).sum::<f64>() / total
    };
    (0..MESSAGES.len()).map(of_message).fold(f64::NEG_INFINITY, f64::max)
}

/// The variance of what bootstrapping makes of one message, by which multiple of the prime comes with it: what polynomials of the sine
/// are off.
pub(super) fn scatter(results: &Samples) -> f64 {
    let (n, n_messages) = (2 * MULTIPLES as usize + 1, MESSAGES.len());
    let mean = |message: usize| {
        (0..n).map(|i| results.at(i * n_messages + message)).sum::<f64>() / n as f64
    };
    let means: Vec<f64> = (0..n_messages).map(mean).collect();
    let square = |s: usize| (results.at(s) - means[s % n_messages]).powi(2);
    mean_of_raised(&Samples::Each((0..n * n_messages).map(square).collect()))
}

/// Twice the real part of a value whose slots hold multiples of a unit and messages smaller by the factor `unit`.
pub(super) fn raised_samples(size: f64, unit: f64) -> Samples {
    let each = 2.0 * size / overflow();
    let of = |multiple: i32| MESSAGES.map(|m| each * (f64::from(multiple) + m / unit));
    let samples: Rc<[f64]> = (-MULTIPLES..=MULTIPLES).flat_map(of).collect();
    debug_assert_eq!(samples.len(), SAMPLES);
    Samples::Each(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_differ_by_the_multiple_scatter() {
        let of = |f: &dyn Fn(usize, usize) -> f64| {
            let (n, m) = (2 * MULTIPLES as usize + 1, MESSAGES.len());
            Samples::Each((0..n * m).map(|i| f(i / m, i % m)).collect())
        };
        assert_eq!(scatter(&of(&|_, message| message as f64)), 0.0);
        let alternating = of(&|multiple, _| if multiple % 2 == 0 { 0.1 } else { -0.1 });
        assert!((scatter(&alternating) - 0.01).abs() < 1e-3);
        // The rare multiples hardly count.
        let rare = of(&|multiple, _| if multiple == 0 { 1.0 } else { 0.0 });
        assert!(mean_of_raised(&rare) < 0.005, "{}", mean_of_raised(&rare));
        let common = of(&|multiple, _| if multiple == 5 { 1.0 } else { 0.0 });
        assert!((mean_of_raised(&common) - 0.24).abs() < 0.01, "{}", mean_of_raised(&common));
    }
}
