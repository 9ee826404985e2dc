//! The polynomial of the sine: accurate where arguments may be, and nowhere else.
//!
//! Arguments lie near multiples I of q_0: with messages small against q_0 most of the range is never met, so that a polynomial
//! of a given degree can be more accurate than the interpolation of the whole range. It is fitted to the intervals around
//! all I by least squares; weights are those by which doubling the angle magnifies errors, and are raised where errors remain
//! largest until they are alike everywhere (Lawson's algorithm).

use std::f64::consts::PI;

use nalgebra::{DMatrix, DVector};

use crate::poly::chebyshev;

/// Messages within [−1, 1] are what is promised; those up to this may come, but for those beyond where the sine turns around.
const REACH: f64 = 1.25;

/// Points of each interval.
const POINTS: u32 = 7;

/// Rounds of Lawson's algorithm.
const ROUNDS: usize = 30;

/// Multiples up to this are common: about three standard deviations.
const COMMON: u32 = 4;

/// By how much more, for each further multiple, results may be off; they get rarer by more than that.
const TOLERANCE: f64 = 1.6;

/// What a polynomial of the sine is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CosineParams {
    /// In z = 2y² − 1.
    pub(super) degree: usize,
    /// How often the angle is doubled.
    pub(super) doublings: usize,
    /// Largest multiple of q_0.
    pub(super) overflow_bound: u32,
    /// q_0 over messages.
    pub(super) ratio: f64,
}

/// An argument, in multiples of q_0.
struct Point {
    /// Of the polynomial.
    z: f64,
    /// The value wanted.
    cosine: f64,
    /// By how much an error is magnified, in parts of what is tolerated there.
    gain: f64,
}

impl CosineParams {
    /// The largest argument less the shift, in multiples of q_0: what takes arguments to y in [−1, 1] divides by it.
    pub(super) fn range(&self) -> f64 {
        f64::from(self.overflow_bound) + 0.25 + self.reach()
    }

    /// The largest message, in multiples of q_0.
    fn reach(&self) -> f64 {
        (REACH / self.ratio).min(0.25)
    }

    /// What is in [−1, 1] for an argument, in multiples of q_0.
    fn y(&self, argument: f64) -> f64 {
        (argument - 0.25) / self.range()
    }

    /// Chebyshev coefficients over z = 2y² − 1.
    pub(super) fn fit(&self) -> Vec<f64> {
        let points = self.points();
        let mut weights: Vec<f64> = points.iter().map(|_| 1.0).collect();
        let (mut best, mut least) = (vec![], f64::INFINITY);
        for _ in 0..ROUNDS {
            let coefficients = self.least_squares(&points, &weights);
            let errors: Vec<f64> = (points.iter())
                .map(|p| (p.cosine - chebyshev(&coefficients, p.z)).abs() * p.gain)
                .collect();
            let largest = errors.iter().copied().fold(0.0, f64::max);
            if largest < least {
                (best, least) = (coefficients, largest);
            }
            weights.iter_mut().zip(errors).for_each(|(weight, error)| *weight *= error);
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        best
    }

    fn least_squares(&self, points: &[Point], weights: &[f64]) -> Vec<f64> {
        let mut rows = DMatrix::zeros(points.len(), self.degree + 1);
        let mut target = DVector::zeros(points.len());
        for (i, (point, weight)) in points.iter().zip(weights).enumerate() {
            let root = weight.sqrt() * point.gain;
            let (mut last, mut next) = (1.0, point.z);
            for j in 0..=self.degree {
                rows[(i, j)] = root * last;
                (last, next) = (next, 2.0 * point.z * next - last);
            }
            target[i] = root * point.cosine;
        }
        let qr = rows.qr();
        let solution = qr.r().solve_upper_triangular(&(qr.q().transpose() * target));
        solution.map_or_else(|| vec![0.0; self.degree + 1], |x| x.iter().copied().collect())
    }

    fn points(&self) -> Vec<Point> {
        let node = |i: u32| (PI * (f64::from(i) + 0.5) / f64::from(POINTS)).cos();
        let around = |multiple: i32| {
            let tolerance = tolerance(multiple.unsigned_abs());
            (0..POINTS).map(move |i| (f64::from(multiple) + self.reach() * node(i), tolerance))
        };
        let bound = self.overflow_bound as i32;
        (-bound..=bound).flat_map(around).map(|(at, tolerance)| self.point(at, tolerance)).collect()
    }

    fn point(&self, at: f64, tolerance: f64) -> Point {
        let cosine = (2.0 * PI * (at - 0.25) / f64::from(1u32 << self.doublings)).cos();
        let (mut c, mut gain) = (cosine, 1.0);
        for _ in 0..self.doublings {
            gain *= 4.0 * c.abs();
            c = 2.0 * c * c - 1.0;
        }
        Point { z: 2.0 * self.y(at).powi(2) - 1.0, cosine, gain: gain / tolerance }
    }

    /// What the polynomial and doubling make of an argument, in multiples of q_0.
    pub(super) fn value(&self, coefficients: &[f64], at: f64) -> f64 {
        let mut value = chebyshev(coefficients, 2.0 * self.y(at).powi(2) - 1.0);
        for _ in 0..self.doublings {
            value = 2.0 * value * value - 1.0;
        }
        value
    }

    /// By how much results for messages within [−1, 1] are off the sine at most, rare multiples in parts of what is tolerated.
    pub(super) fn error(&self, coefficients: &[f64]) -> f64 {
        const STEPS: i32 = 8;
        let bound = self.overflow_bound as i32;
        let mut largest = 0.0f64;
        for multiple in -bound..=bound {
            for step in -STEPS..=STEPS {
                let message = f64::from(step) / f64::from(STEPS) / self.ratio;
                let found = self.value(coefficients, f64::from(multiple) + message);
                let error = (found - (2.0 * PI * message).sin()).abs();
                largest = largest.max(error / tolerance(multiple.unsigned_abs()));
            }
        }
        largest
    }
}

/// By how many times results may be further off where a multiple of q_0 is rare.
fn tolerance(multiple: u32) -> f64 {
    TOLERANCE.powi(multiple.saturating_sub(COMMON) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(degree: usize, doublings: usize, overflow_bound: u32, ratio: f64) -> f64 {
        let params = CosineParams { degree, doublings, overflow_bound, ratio };
        -params.error(&params.fit()).log2()
    }

    /// Bits that the interpolation at Chebyshev nodes has, which is accurate everywhere.
    fn bits_of_interpolation(params: &CosineParams) -> f64 {
        let n = params.degree + 1;
        let angle = |i: usize| PI * (i as f64 + 0.5) / n as f64;
        let factor = 2.0 * PI * params.range() / f64::from(1u32 << params.doublings);
        let cosine = |z: f64| (factor * ((1.0 + z) / 2.0).sqrt()).cos();
        let coefficient = |j: usize| {
            let sum: f64 =
                (0..n).map(|i| cosine(angle(i).cos()) * (j as f64 * angle(i)).cos()).sum();
            sum * if j == 0 { 1.0 } else { 2.0 } / n as f64
        };
        let coefficients: Vec<f64> = (0..n).map(coefficient).collect();
        -params.error(&coefficients).log2()
    }

    #[test]
    fn fits_gain_bits_on_the_interpolation() {
        for (degree, doublings, overflow_bound, least) in
            [(15, 2, 13, 13.0), (31, 1, 13, 25.0), (15, 3, 13, 40.0), (15, 3, 16, 32.5)]
        {
            let params = CosineParams { degree, doublings, overflow_bound, ratio: 8.0 };
            let bits = bits(degree, doublings, overflow_bound, 8.0);
            assert!(bits > least, "{params:?}: {bits}");
            let interpolated = bits_of_interpolation(&params);
            assert!(bits > interpolated + 2.0, "{params:?}: {bits}, interpolated {interpolated}");
        }
    }

    #[test]
    fn errors_are_those_of_a_finer_grid() {
        let params = CosineParams { degree: 15, doublings: 2, overflow_bound: 13, ratio: 8.0 };
        let coefficients = params.fit();
        let promised = params.error(&coefficients);
        for multiple in -13i32..=13 {
            let error = |step: i32| {
                let message = f64::from(step) / 8000.0;
                let found = params.value(&coefficients, f64::from(multiple) + message);
                (found - (2.0 * PI * message).sin()).abs()
            };
            let largest = (-1000..=1000).map(error).max_by(f64::total_cmp).unwrap();
            let allowed = promised * tolerance(multiple.unsigned_abs());
            assert!(largest < 1.1 * allowed, "{multiple}: {largest:e}, promised {allowed:e}");
        }
    }

    #[test]
    fn results_are_bounded_beyond_messages() {
        for ratio in [4.0, 8.0] {
            let params = CosineParams { degree: 15, doublings: 2, overflow_bound: 13, ratio };
            let coefficients = params.fit();
            let value = |i: i32| params.value(&coefficients, f64::from(i) / 4000.0);
            let largest =
                (-40_000..=40_000).map(|i| value(i).abs()).max_by(f64::total_cmp).unwrap();
            assert!(largest < 1.05, "{ratio}: {largest}");
        }
    }
}
