//! The canonical embedding: slots ↔ real polynomials.
//!
//! Slot j of a polynomial m is m(ζ^(5^j)), ζ = e^(πi/N). With real slots the polynomial is real and symmetric; the
//! transform works on the N/2 complex numbers `m_k + i·m_(k+N/2)`, since ζ^(N/2·5^j) = i.

use std::f64::consts::PI;

/// Roots for transforms of N/2 slots.
pub struct Embedding {
    n_slots: usize,
    /// For each level of length `len`, the len/2 roots e^(2πi·(5^j mod 4len)/(4len)).
    roots: Vec<Vec<(f64, f64)>>,
}

impl Embedding {
    /// Roots for a ring of degree `2·n_slots`.
    pub fn new(n_slots: usize) -> Embedding {
        let level = |log: u32| {
            let order = 4usize << log;
            let powers = std::iter::successors(Some(1usize), |g| Some(g * 5 % order));
            let root = |g: usize| {
                let angle = 2.0 * PI * g as f64 / order as f64;
                (angle.cos(), angle.sin())
            };
            powers.take(1 << log >> 1).map(root).collect()
        };
        Embedding { n_slots, roots: (1..=n_slots.trailing_zeros()).map(level).collect() }
    }

    /// Real slots to the N real coefficients.
    pub fn to_coefficients(&self, slots: &[f64]) -> Vec<f64> {
        assert_eq!(slots.len(), self.n_slots);
        let mut values: Vec<(f64, f64)> = slots.iter().map(|&x| (x, 0.0)).collect();
        for roots in self.roots.iter().rev() {
            for group in values.chunks_exact_mut(2 * roots.len()) {
                let (low, high) = group.split_at_mut(roots.len());
                for ((a, b), w) in low.iter_mut().zip(high).zip(roots) {
                    let d = (a.0 - b.0, a.1 - b.1);
                    *a = (a.0 + b.0, a.1 + b.1);
                    *b = (d.0 * w.0 + d.1 * w.1, d.1 * w.0 - d.0 * w.1);
                }
            }
        }
        reverse_order(&mut values);
        let scale = 1.0 / self.n_slots as f64;
        values.iter().map(|v| v.0 * scale).chain(values.iter().map(|v| v.1 * scale)).collect()
    }

    /// The N real coefficients to slots, of which the real parts are returned.
    pub fn to_slots(&self, coefficients: &[f64]) -> Vec<f64> {
        assert_eq!(coefficients.len(), 2 * self.n_slots);
        let (re, im) = coefficients.split_at(self.n_slots);
        let mut values: Vec<(f64, f64)> = re.iter().copied().zip(im.iter().copied()).collect();
        reverse_order(&mut values);
        for roots in &self.roots {
            for group in values.chunks_exact_mut(2 * roots.len()) {
                let (low, high) = group.split_at_mut(roots.len());
                for ((a, b), w) in low.iter_mut().zip(high).zip(roots) {
                    let t = (b.0 * w.0 - b.1 * w.1, b.0 * w.1 + b.1 * w.0);
                    *b = (a.0 - t.0, a.1 - t.1);
                    *a = (a.0 + t.0, a.1 + t.1);
                }
            }
        }
        values.into_iter().map(|v| v.0).collect()
    }
}

fn reverse_order<T>(values: &mut [T]) {
    let bits = values.len().trailing_zeros();
    for i in 0..values.len() {
        let j = if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS - bits) };
        if i < j {
            values.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_values_at_powers_of_five() {
        let n_slots = 16;
        let coefficients: Vec<f64> = (0..32).map(|i| ((i * 7 + 3) % 11) as f64 - 5.0).collect();
        let slots = Embedding::new(n_slots).to_slots(&coefficients);
        let mut g = 1;
        for slot in slots {
            let term = |(k, c): (usize, &f64)| c * (PI * (k * g) as f64 / 32.0).cos();
            let expected: f64 = coefficients.iter().enumerate().map(term).sum();
            assert!((slot - expected).abs() < 1e-9);
            g = g * 5 % 64;
        }
    }

    #[test]
    fn round_trips_to_double_precision() {
        for log in [0, 1, 5, 13] {
            let n = 1 << log;
            let embedding = Embedding::new(n);
            let slots: Vec<f64> = (0..n).map(|i| ((i * 37 % 101) as f64 - 50.0) / 50.0).collect();
            let back = embedding.to_slots(&embedding.to_coefficients(&slots));
            let error = slots.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{error}");
        }
    }
}
