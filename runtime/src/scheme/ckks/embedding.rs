//! The canonical embedding: slots ↔ real polynomials.
//!
//! Slot j of a polynomial m is m(ζ^(5^j)), ζ = e^(πi/N). The
//! transform works on the N/2 complex numbers `m_k + i·m_(k+N/2)`, since ζ^(N/2·5^j) = i.

use hecc_grammar::plan::Slots;

use crate::kernel::active;
use crate::ring::EmbeddingTable;

/// Transforms of N/2 slots.
pub struct Embedding {
    table: EmbeddingTable,
}

impl Embedding {
    /// Roots for a ring of degree `2·n_slots`.
    pub fn new(n_slots: usize) -> Embedding {
        Embedding { table: EmbeddingTable::new(n_slots) }
    }

    /// The number of slots.
    pub fn n_slots(&self) -> usize {
        self.table.n_slots()
    }

    /// Slots to the N real coefficients, times `factor`.
    pub fn to_coefficients(&self, slots: Slots, factor: f64) -> Vec<f64> {
        let n = self.n_slots();
        let Slots { mut re, im } = slots;
        let mut im = im.unwrap_or_else(|| vec![0.0; n]);
        let mut coefficients = vec![0.0; 2 * n];
        let halves = coefficients.split_at_mut(n).into();
        (active().embed)([&mut re, &mut im], halves, factor / n as f64, &self.table);
        coefficients
    }

    /// The N real coefficients to slots.
    pub fn to_slots(&self, coefficients: &[f64]) -> Slots {
        let n = self.n_slots();
        assert_eq!(coefficients.len(), 2 * n);
        let reversed =
            |part: &[f64]| -> Vec<f64> { (0..n).map(|i| part[self.table.reversed(i)]).collect() };
        let (low, high) = coefficients.split_at(n);
        let (mut re, mut im) = (reversed(low), reversed(high));
        for roots in self.table.levels() {
            let half = roots.re.len();
            for (re, im) in re.chunks_exact_mut(2 * half).zip(im.chunks_exact_mut(2 * half)) {
                let ((a_re, b_re), (a_im, b_im)) = (re.split_at_mut(half), im.split_at_mut(half));
                let a = a_re.iter_mut().zip(a_im);
                let b = b_re.iter_mut().zip(b_im);
                for ((a, b), (w_re, w_im)) in a.zip(b).zip(roots.re.iter().zip(&roots.im)) {
                    let (re, im) = (*b.0 * w_re - *b.1 * w_im, *b.0 * w_im + *b.1 * w_re);
                    (*b.0, *b.1) = (*a.0 - re, *a.1 - im);
                    (*a.0, *a.1) = (*a.0 + re, *a.1 + im);
                }
            }
        }
        Slots { re, im: Some(im) }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn slots_are_values_at_powers_of_five() {
        let n_slots = 16;
        let coefficients: Vec<f64> = (0..32).map(|i| ((i * 7 + 3) % 11) as f64 - 5.0).collect();
        let slots = Embedding::new(n_slots).to_slots(&coefficients).re;
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
        for log in [0, 1, 5, 6, 7, 12, 13] {
            let n = 1 << log;
            let embedding = Embedding::new(n);
            let slots: Vec<f64> = (0..n).map(|i| ((i * 37 % 101) as f64 - 50.0) / 50.0).collect();
            let slots = Slots { im: Some(slots.iter().map(|x| x * x).collect()), re: slots };
            let back = embedding.to_slots(&embedding.to_coefficients(slots.clone(), 1.0));
            let (im, back_im) = (slots.im.unwrap(), back.im.unwrap());
            let pairs = slots.re.iter().zip(&back.re).chain(im.iter().zip(&back_im));
            let error = pairs.map(|(a, b)| (a - b).abs()).max_by(f64::total_cmp).unwrap();
            assert!(error < 1e-12, "{error}");
        }
    }
}
