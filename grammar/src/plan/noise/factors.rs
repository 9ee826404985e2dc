//! Plaintexts that hold a number for each channel.

use super::samples::{SAMPLES, Samples};

/// What channels are multiplied by.
pub(super) struct Factors {
    /// For each sample of a slot.
    pub(super) samples: Samples,
    /// The largest square as a multiple of the mean.
    pub(super) unevenness: f64,
}

impl Factors {
    /// Of the numbers in all slots; `None` if there are none.
    pub(super) fn new(numbers: Vec<f64>) -> Option<Factors> {
        let at = |sample: usize| numbers.get(sample * numbers.len() / SAMPLES).copied();
        let samples = (0..SAMPLES).map(at).collect::<Option<_>>()?;
        let squares = || numbers.iter().map(|x| x * x);
        let mean = squares().sum::<f64>() / numbers.len() as f64;
        let unevenness = if mean > 0.0 { squares().fold(0.0, f64::max) / mean } else { 1.0 };
        Some(Factors { samples: Samples::Each(samples), unevenness })
    }
}
