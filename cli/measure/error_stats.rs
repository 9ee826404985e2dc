//! Errors over many numbers.

use serde_json::{Value as Json, json};

/// Largest and root mean square difference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ErrorStats {
    /// Numbers compared.
    pub(crate) count: u64,
    /// Largest difference.
    pub(crate) max: f64,
    sum_of_squares: f64,
}

impl ErrorStats {
    /// The differences of two lists; of none, if one of them is missing.
    pub(crate) fn between(found: &[f64], expected: &[f64]) -> ErrorStats {
        let mut stats = ErrorStats::default();
        if found.len() != expected.len() {
            return stats;
        }
        for (a, b) in found.iter().zip(expected) {
            let difference = (a - b).abs();
            stats.count += 1;
            stats.max = stats.max.max(difference);
            stats.sum_of_squares += difference * difference;
        }
        stats
    }

    /// Both together.
    pub(crate) fn merge(self, other: ErrorStats) -> ErrorStats {
        ErrorStats {
            count: self.count + other.count,
            max: self.max.max(other.max),
            sum_of_squares: self.sum_of_squares + other.sum_of_squares,
        }
    }

    /// Root mean square.
    pub(crate) fn rms(self) -> f64 {
        (self.sum_of_squares / self.count.max(1) as f64).sqrt()
    }

    /// −log2 of the largest difference, as a share of `range`.
    pub(crate) fn bits(self, range: (f64, f64)) -> Option<f64> {
        let size = range.0.abs().max(range.1.abs());
        (self.max > 0.0 && size > 0.0).then(|| -(self.max / size).log2())
    }

    /// For scripts; null if nothing was compared.
    pub(crate) fn json(self) -> Json {
        match self.count {
            0 => Json::Null,
            _ => json!({ "max": self.max, "rms": self.rms() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_summed_up() {
        let stats = ErrorStats::between(&[1.0, 2.0], &[1.0, 5.0]);
        let both = stats.merge(ErrorStats::between(&[0.0, 0.0], &[1.0, 0.0]));
        assert_eq!((both.count, both.max), (4, 3.0));
        assert_eq!(both.rms(), 2.5f64.sqrt());
        assert_eq!(both.bits((-6.0, 1.0)), Some(1.0));
        assert_eq!(ErrorStats::between(&[1.0], &[]).json(), Json::Null);
    }
}
