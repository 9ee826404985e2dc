//! How likely it is that raising adds more multiples of q_0 than the sine takes away.
//!
//! A raised coefficient is `m + I·q_0`, and I rounds `(S − m)/q_0`, S a sum of as many residues of q_0 as the sparse secret has
//! nonzero coefficients: independent, uniform in `[−q_0/2, q_0/2)`, whatever the message. So S/q_0 has the distribution of Irwin
//! and Hall, whose tail is known exactly. Coefficients and bootstraps are counted one by one (union bound).

use hecc_grammar::security::EPHEMERAL_WEIGHT;

/// The largest message, in units of q_0, that is allowed for: where the sine turns around.
const LARGEST_MESSAGE: f64 = 0.25;

/// No more is possible: as many residues as the secret is heavy, each at most q_0/2, and a message less than that.
pub(super) const NEVER_EXCEEDED: u32 = EPHEMERAL_WEIGHT as u32 / 2;

/// log2 of the probability that I of one coefficient is larger than `bound` in magnitude.
pub(super) fn log2_exceeds(bound: u32) -> f64 {
    let n = EPHEMERAL_WEIGHT as u32;
    // P(S > t) = Σ_k (−1)^k C(n, k) (n/2 − t − k)^n / n!, while the power's base is positive.
    let left = f64::from(n) / 2.0 - (f64::from(bound) + 0.5 - LARGEST_MESSAGE);
    if left <= 0.0 {
        return f64::NEG_INFINITY;
    }
    // Relative to the first term: the others are smaller by far in the tail.
    let (mut sum, mut choose) = (0.0, 1.0);
    for k in (0..n).take_while(|&k| f64::from(k) < left) {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sum += sign * choose * (1.0 - f64::from(k) / left).powi(n as i32);
        choose *= f64::from(n - k) / f64::from(k + 1);
    }
    let factorial: f64 = (1..=n).map(|i| f64::from(i).log2()).sum();
    // On both sides.
    f64::from(n) * left.log2() + sum.log2() - factorial + 1.0
}

/// log2 of the probability that any of `log_coefficients` (log2) coefficients has an I larger than `bound`.
pub(super) fn log2_failure(bound: u32, log_coefficients: f64) -> f64 {
    (log2_exceeds(bound) + log_coefficients).min(0.0)
}

/// The least bound that is exceeded with a probability of at most 2^`allowed`.
pub(super) fn least_bound(allowed: f64, log_coefficients: f64) -> u32 {
    let holds = |bound: &u32| log2_failure(*bound, log_coefficients) <= allowed;
    // Far below, the sum above loses its digits; nobody wants that.
    (NEVER_EXCEEDED / 2..NEVER_EXCEEDED).find(holds).unwrap_or(NEVER_EXCEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 19 bootstraps of 2^14 coefficients.
    fn run() -> f64 {
        (19.0 * 14f64.exp2()).log2()
    }

    #[test]
    fn failures_are_those_of_irwin_and_hall() {
        // By exact rational arithmetic.
        for (bound, expected) in [(10, -17.766), (12, -37.397), (13, -51.714), (15, -111.697)] {
            let found = log2_failure(bound, run());
            assert!((found - expected).abs() < 1e-2, "{bound}: {found}, expected {expected}");
        }
        assert_eq!(log2_failure(NEVER_EXCEEDED, run()), f64::NEG_INFINITY);
    }

    #[test]
    fn tails_are_those_of_sums_that_are_drawn() {
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let (n, mut beyond) = (400_000, 0);
        for _ in 0..n {
            let sum: f64 = (0..EPHEMERAL_WEIGHT).map(|_| uniform()).sum();
            beyond += usize::from(sum.abs() > 5.25);
        }
        let found = (f64::from(beyond as u32) / f64::from(n)).log2();
        assert!((found - log2_exceeds(5)).abs() < 0.1, "{found}, {}", log2_exceeds(5));
    }

    #[test]
    fn the_least_bound_is_enough_and_no_larger() {
        assert_eq!(least_bound(-40.0, run()), 13);
        assert_eq!(least_bound(-36.0, run()), 12);
        assert_eq!(least_bound(f64::NEG_INFINITY, run()), NEVER_EXCEEDED);
    }
}
