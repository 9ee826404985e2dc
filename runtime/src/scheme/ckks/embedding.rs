//! The canonical embedding: slots ↔ real polynomials.
//!
//! Slot j of a polynomial m is m(ζ^(5^j)), ζ = e^(πi/N). The
//! transform works on the N/2 complex numbers `m_k + i·m_(k+N/2)`, since ζ^(N/2·5^j) = i.

use std::f64::consts::PI;

use hecc_grammar::plan::Slots;

/// Roots for transforms of N/2 slots.
pub struct Embedding {
    n_slots: usize,
    /// For each length 2·len of a group, the len roots e^(2πi·(5^j mod 8len)/(8len)), real and imaginary parts.
    roots: Vec<Complex>,
    /// The bit reversal of the indices of slots.
    reversed: Vec<u32>,
}

/// Complex numbers, parts apart: loops over them compile to vector instructions.
struct Complex {
    re: Vec<f64>,
    im: Vec<f64>,
}

impl Embedding {
    /// Roots for a ring of degree `2·n_slots`.
    pub fn new(n_slots: usize) -> Embedding {
        let level = |log: u32| {
            let order = 4usize << log;
            let powers = std::iter::successors(Some(1usize), |g| Some(g * 5 % order));
            let angles = powers.take(1 << log >> 1).map(|g| 2.0 * PI * g as f64 / order as f64);
            let (re, im) = angles.map(|angle| (angle.cos(), angle.sin())).unzip();
            Complex { re, im }
        };
        let bits = n_slots.trailing_zeros();
        let reverse = |i: u32| i.reverse_bits().checked_shr(u32::BITS - bits).unwrap_or(0);
        Embedding {
            n_slots,
            roots: (1..=bits).map(level).collect(),
            reversed: (0..n_slots as u32).map(reverse).collect(),
        }
    }

    /// Slots to the N real coefficients.
    pub fn to_coefficients(&self, slots: &Slots) -> Vec<f64> {
        assert_eq!(slots.re.len(), self.n_slots);
        let im = slots.im.clone().unwrap_or_else(|| vec![0.0; self.n_slots]);
        let mut values = Complex { re: slots.re.clone(), im };
        for roots in self.roots.iter().rev() {
            values.each_group(roots, |(a_re, a_im), (b_re, b_im), (w_re, w_im)| {
                let (re, im) = (*a_re - *b_re, *a_im - *b_im);
                (*a_re, *a_im) = (*a_re + *b_re, *a_im + *b_im);
                (*b_re, *b_im) = (re * w_re + im * w_im, im * w_re - re * w_im);
            });
        }
        let scale = 1.0 / self.n_slots as f64;
        let reversed = |part: &[f64]| -> Vec<f64> {
            self.reversed.iter().map(|&i| part[i as usize] * scale).collect()
        };
        let mut coefficients = reversed(&values.re);
        coefficients.extend(reversed(&values.im));
        coefficients
    }

    /// The N real coefficients to slots.
    pub fn to_slots(&self, coefficients: &[f64]) -> Slots {
        assert_eq!(coefficients.len(), 2 * self.n_slots);
        let (re, im) = coefficients.split_at(self.n_slots);
        let reversed =
            |part: &[f64]| self.reversed.iter().map(|&i| part[i as usize]).collect::<Vec<f64>>();
        let mut values = Complex { re: reversed(re), im: reversed(im) };
        for roots in &self.roots {
            values.each_group(roots, |(a_re, a_im), (b_re, b_im), (w_re, w_im)| {
                let (re, im) = (*b_re * w_re - *b_im * w_im, *b_re * w_im + *b_im * w_re);
                (*b_re, *b_im) = (*a_re - re, *a_im - im);
                (*a_re, *a_im) = (*a_re + re, *a_im + im);
            });
        }
        Slots { re: values.re, im: Some(values.im) }
    }
}

impl Complex {
    /// Calls `butterfly(low, high, root)` for all pairs of the two halves of each group.
    fn each_group(
        &mut self,
        roots: &Complex,
        butterfly: impl Fn((&mut f64, &mut f64), (&mut f64, &mut f64), (f64, f64)),
    ) {
        let half = roots.re.len();
        let groups = self.re.chunks_exact_mut(2 * half).zip(self.im.chunks_exact_mut(2 * half));
        for (re, im) in groups {
            let ((a_re, b_re), (a_im, b_im)) = (re.split_at_mut(half), im.split_at_mut(half));
            let a = a_re.iter_mut().zip(a_im);
            let b = b_re.iter_mut().zip(b_im);
            let w = roots.re.iter().zip(&roots.im);
            for ((a, b), (&w_re, &w_im)) in a.zip(b).zip(w) {
                butterfly(a, b, (w_re, w_im));
            }
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
        for log in [0, 1, 5, 13] {
            let n = 1 << log;
            let embedding = Embedding::new(n);
            let slots: Vec<f64> = (0..n).map(|i| ((i * 37 % 101) as f64 - 50.0) / 50.0).collect();
            let slots = Slots { im: Some(slots.iter().map(|x| x * x).collect()), re: slots };
            let back = embedding.to_slots(&embedding.to_coefficients(&slots));
            let (im, back_im) = (slots.im.unwrap(), back.im.unwrap());
            let pairs = slots.re.iter().zip(&back.re).chain(im.iter().zip(&back_im));
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{error}");
        }
    }
}
