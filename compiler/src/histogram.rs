//! How often a number falls where.

/// Counts in equal bins of an interval; what falls outside counts in the outermost bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Counts.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// No counts yet. An empty interval is widened to length 1.
    pub fn new(lo: f64, hi: f64, n_bins: usize) -> Histogram {
        let (lo, hi) = if hi > lo { (lo, hi) } else { (lo - 0.5, lo + 0.5) };
        Histogram { lo, hi, counts: vec![0; n_bins] }
    }

    /// Counts a number.
    pub fn add(&mut self, x: f64) {
        let place = (x - self.lo) / (self.hi - self.lo) * self.counts.len() as f64;
        let bin = (place.max(0.0) as usize).min(self.counts.len() - 1);
        self.counts[bin] += 1;
    }

    /// Adds another histogram of the same bins.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    /// The middle of each bin and its share of all counts.
    pub fn weights(&self) -> impl Iterator<Item = (f64, f64)> {
        let total = self.counts.iter().sum::<u64>().max(1) as f64;
        let width = (self.hi - self.lo) / self.counts.len() as f64;
        let bin = move |(i, &count): (usize, &u64)| {
            (self.lo + (i as f64 + 0.5) * width, count as f64 / total)
        };
        self.counts.iter().enumerate().map(bin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fall_into_bins() {
        let mut histogram = Histogram::new(0.0, 4.0, 4);
        [0.0, 0.9, 1.5, 3.99, 4.0, 9.0, -1.0].into_iter().for_each(|x| histogram.add(x));
        assert_eq!(histogram.counts, [3, 1, 0, 3]);
        assert_eq!(histogram.weights().next(), Some((0.5, 3.0 / 7.0)));
        assert_eq!(Histogram::new(2.0, 2.0, 1).hi, 2.5);
    }
}
