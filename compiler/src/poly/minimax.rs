//! The sign as a composition of odd polynomials, each the best one on what those before it leave (Lee, Lee, No, Kim, "Minimax
//! approximation of sign function by composite polynomial for homomorphic comparison", IEEE TDSC 2022): what the field's
//! rectifiers are made of, and what hecc is compared with.
//!
//! The best odd polynomial on [−hi, −lo] ∪ [lo, hi] is found by Remez' exchange. By symmetry only [lo, hi] matters, where odd powers
//! are a Chebyshev system: the polynomial is the best one if its error takes its largest magnitude with alternating signs one more
//! time than it has coefficients.

use hecc_grammar::model::Polynomial;
use nalgebra::{DMatrix, DVector};

use super::value;

/// Points at which errors are looked at, evenly spaced and evenly spaced in logarithms, each.
const POINTS: usize = 4096;

/// Exchanges at most: ten are usual.
const MAX_EXCHANGES: usize = 60;

/// The largest error may exceed that of the equations by this share.
const ACCURACY: f64 = 1e-6;

/// By how much, in parts of it, errors between points may exceed those at points.
const BETWEEN: f64 = 1e-4;

/// Halvings of the interval in which the best threshold of a composition lies.
const HALVINGS: usize = 20;

/// A polynomial near the sign.
#[derive(Clone, Debug, PartialEq)]
struct Stage {
    /// On [−hi, hi].
    polynomial: Polynomial,
    /// Its largest error where its argument may be.
    error: f64,
}

/// Polynomials one after the other that make the sign of a number in [−1, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeSign {
    /// The polynomials, each on the values of the one before.
    pub stages: Vec<Polynomial>,
    /// Numbers nearer to zero have no sign.
    pub threshold: f64,
    /// Largest error beyond the threshold.
    pub error: f64,
}

impl CompositeSign {
    /// With the threshold that makes the error of `x·(1 + sign(x))/2`, on all of [−1, 1], smallest.
    pub fn of_rectifier(degrees: &[usize]) -> CompositeSign {
        // Errors beyond the threshold fall where it grows, those below it rise.
        let (mut low, mut high) = (1e-6f64, 0.5f64);
        for _ in 0..HALVINGS {
            let middle = (low * high).sqrt();
            let sign = CompositeSign::new(degrees, middle);
            if sign.error / 2.0 > sign.error_of_rectifier_within(sign.threshold) {
                low = middle;
            } else {
                high = middle;
            }
        }
        CompositeSign::new(degrees, high)
    }

    fn new(degrees: &[usize], threshold: f64) -> CompositeSign {
        let (mut stages, mut lo, mut hi) = (vec![], threshold, 1.0);
        let mut error = 1.0;
        for &degree in degrees {
            let stage = Stage::new(lo, hi, degree);
            (lo, hi, error) = (1.0 - stage.error, 1.0 + stage.error, stage.error);
            stages.push(stage.polynomial);
        }
        CompositeSign { stages, threshold, error }
    }

    /// The sign of a number in [−1, 1].
    pub fn value(&self, x: f64) -> f64 {
        self.stages.iter().fold(x, |x, stage| value(stage, x))
    }

    /// The largest error of `x·(1 + sign(x))/2` on [−1, 1].
    pub fn error_of_rectifier(&self) -> f64 {
        self.error_of_rectifier_within(self.threshold).max(self.error_of_rectifier_within(1.0))
    }

    fn error_of_rectifier_within(&self, most: f64) -> f64 {
        let point = |i: usize| most * i as f64 / POINTS as f64;
        let error = |x: f64| x * (1.0 - self.value(x)).abs() / 2.0;
        (0..=POINTS).map(|i| error(point(i))).fold(0.0, f64::max)
    }
}

impl Stage {
    /// The best odd polynomial of a degree for the sign on [−hi, −lo] ∪ [lo, hi].
    fn new(lo: f64, hi: f64, degree: usize) -> Stage {
        let n = degree.div_ceil(2);
        let grid = Grid::new(lo, hi, n);
        let mut points = first_points(&grid.points, n + 1);
        let mut stage = grid.equal_errors(&points);
        for _ in 0..MAX_EXCHANGES {
            let (errors, equal) = grid.errors(&stage);
            stage.error = errors.iter().fold(0.0, |most, error| error.abs().max(most));
            let extrema = alternating(&errors, n + 1);
            if stage.error <= equal * (1.0 + ACCURACY) || extrema.len() <= n {
                stage.error *= 1.0 + BETWEEN;
                break;
            }
            points = extrema;
            stage = grid.equal_errors(&points);
        }
        stage
    }
}

/// Where errors are looked at.
struct Grid {
    hi: f64,
    points: Vec<f64>,
    /// T_1, T_3, .. at each of them.
    basis: DMatrix<f64>,
}

impl Grid {
    fn new(lo: f64, hi: f64, n: usize) -> Grid {
        let share = |i: usize| i as f64 / POINTS as f64;
        let even = (0..=POINTS).map(|i| lo + (hi - lo) * share(i));
        let by_size = (1..POINTS).map(|i| lo * (hi / lo).powf(share(i)));
        let mut points: Vec<f64> = even.chain(by_size).collect();
        points.sort_by(f64::total_cmp);
        let angle = |x: f64| (x / hi).clamp(-1.0, 1.0).acos();
        let basis =
            DMatrix::from_fn(points.len(), n, |i, j| (angle(points[i]) * (2 * j + 1) as f64).cos());
        Grid { hi, points, basis }
    }

    /// The polynomial whose errors at some points, one more than it has coefficients, are alike with alternating signs.
    fn equal_errors(&self, points: &[usize]) -> Stage {
        let n = self.basis.ncols();
        let matrix = DMatrix::from_fn(n + 1, n + 1, |i, j| match j < n {
            true => self.basis[(points[i], j)],
            false if i % 2 == 0 => 1.0,
            false => -1.0,
        });
        let solution = matrix.lu().solve(&DVector::from_element(n + 1, 1.0));
        let solution = solution.expect("odd powers are a Chebyshev system");
        let mut coefficients = vec![0.0; 2 * n];
        (0..n).for_each(|j| coefficients[2 * j + 1] = solution[j]);
        let polynomial = Polynomial { lo: -self.hi, hi: self.hi, coefficients };
        Stage { polynomial, error: solution[n].abs() }
    }

    /// Errors at all points, and that of the equations.
    fn errors(&self, stage: &Stage) -> (Vec<f64>, f64) {
        let odd = stage.polynomial.coefficients.iter().skip(1).step_by(2);
        let coefficients = DVector::from_iterator(self.basis.ncols(), odd.copied());
        let values = &self.basis * coefficients;
        (values.iter().map(|y| 1.0 - y).collect(), stage.error)
    }
}

/// `count` points, closer together at both ends and where numbers are small.
fn first_points(points: &[f64], count: usize) -> Vec<usize> {
    let (lo, hi) = (points[0], points[points.len() - 1]);
    let wanted = |k: usize| {
        let share = (1.0 - (std::f64::consts::PI * k as f64 / (count - 1) as f64).cos()) / 2.0;
        lo * (hi / lo).powf(share)
    };
    let nearest = |x: f64| points.partition_point(|&point| point < x).min(points.len() - 1);
    (0..count).map(|k| nearest(wanted(k))).collect()
}

/// The largest error of every run of one sign, without the smallest ones at the ends if there are more than `count`.
fn alternating(errors: &[f64], count: usize) -> Vec<usize> {
    let mut extrema: Vec<usize> = vec![];
    for (i, error) in errors.iter().enumerate() {
        match extrema.last_mut() {
            Some(last) if errors[*last].signum() == error.signum() => {
                if error.abs() > errors[*last].abs() {
                    *last = i;
                }
            }
            Some(_) | None => extrema.push(i),
        }
    }
    while extrema.len() > count {
        let (first, last) = (extrema[0], extrema[extrema.len() - 1]);
        extrema.remove(if errors[first].abs() < errors[last].abs() {
            0
        } else {
            extrema.len() - 1
        });
    }
    extrema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_polynomials_have_alternating_errors() {
        for (lo, hi, degree) in [(0.1, 1.0, 7), (2f64.powi(-9), 1.0, 15), (0.44, 1.56, 27)] {
            let Stage { polynomial, error } = Stage::new(lo, hi, degree);
            let steps = 100_000;
            let point = |i: usize| lo + (hi - lo) * i as f64 / steps as f64;
            let errors: Vec<f64> =
                (0..=steps).map(|i| 1.0 - value(&polynomial, point(i))).collect();
            let largest = errors.iter().map(|error| error.abs()).max_by(f64::total_cmp).unwrap();
            assert!((largest / error - 1.0).abs() < 1e-4, "{degree}: {largest:e}, {error:e}");
            let extrema = alternating(&errors, usize::MAX);
            assert_eq!(extrema.len(), degree.div_ceil(2) + 1, "{degree}");
            for i in extrema {
                assert!((errors[i].abs() / error - 1.0).abs() < 1e-3, "{degree} at {}", point(i));
            }
            let sum = value(&polynomial, -0.7) + value(&polynomial, 0.7);
            assert!(sum.abs() < 1e-13, "{degree}: {sum:e}");
        }
    }

    /// 13 bits: the precision that these degrees are known to have.
    #[test]
    fn three_stages_make_a_rectifier_of_13_bits() {
        let sign = CompositeSign::of_rectifier(&[15, 15, 27]);
        assert!(sign.error_of_rectifier().log2() < -13.0, "{sign:?}");
        assert!(sign.threshold < 2f64.powi(-9) && sign.error < 2f64.powi(-12), "{sign:?}");
        for i in 0..=10_000 {
            let x = sign.threshold.powf(1.0 - f64::from(i) / 10_000.0);
            for error in [sign.value(x) - 1.0, sign.value(-x) + 1.0] {
                assert!(error.abs() < sign.error * 1.001, "{x}: {error:e}, {:e}", sign.error);
            }
        }
    }

    #[test]
    fn images_of_stages_are_arguments_of_the_next() {
        let sign = CompositeSign::new(&[7, 7], 0.05);
        let [first, second] = &sign.stages[..] else { panic!("two stages") };
        let largest =
            (0..=1000).map(|i| value(first, f64::from(i) / 1000.0)).max_by(f64::total_cmp).unwrap();
        assert!((largest / second.hi - 1.0).abs() < 1e-4);
        assert!(CompositeSign::new(&[7], 0.05).error > sign.error);
    }
}
