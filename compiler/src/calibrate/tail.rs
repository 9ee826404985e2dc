//! How far beyond what was observed a rare value lies, if values are normal.

/// The number of observations is taken to be at least this.
const LEAST_OBSERVED: usize = 8;

/// The length of `k` standard normal numbers that is passed with probability `chance`, as a multiple of the length that
/// the largest of `n` observations has: at least 1.
pub(super) fn beyond(n: usize, k: usize, chance: f64) -> f64 {
    let observed = 1.0 / n.max(LEAST_OBSERVED) as f64;
    (length(k, chance) / length(k, observed)).max(1.0)
}

/// The length of `k` standard normal numbers that is passed with a probability (Wilson and Hilferty, PNAS 1931).
fn length(k: usize, probability: f64) -> f64 {
    let spread = 2.0 / (9.0 * k as f64);
    let cube_root = 1.0 - spread + normal(probability) * spread.sqrt();
    (k as f64).sqrt() * cube_root.max(0.0).powf(1.5)
}

/// The standard normal number that is passed with a probability of at most a half (Abramowitz and Stegun, 26.2.23).
fn normal(probability: f64) -> f64 {
    let t = (-2.0 * probability.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_match_the_tables() {
        for (k, probability, expected) in
            [(1, 1e-4, 3.891), (1, 0.01, 2.576), (2, 0.01, 3.035), (10, 1e-4, 5.964)]
        {
            let found = length(k, probability);
            assert!((found / expected - 1.0).abs() < 0.04, "{k} {probability}: {found}");
        }
    }

    #[test]
    fn the_more_was_observed_the_nearer_is_what_is_rare() {
        let factors = [2, 30, 300, 3000, 1_000_000].map(|n| beyond(n, 3, 1e-4));
        assert!(factors.is_sorted_by(|a, b| a >= b) && factors[0] < 3.0, "{factors:?}");
        assert_eq!(factors[4], 1.0);
    }
}
