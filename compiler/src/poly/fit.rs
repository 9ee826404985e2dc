//! Fitting a polynomial to a function, where its argument falls.
//!
//! Weighted least squares on the observed distribution of the argument (OLA, arXiv 2310.10349, section on weighted
//! least squares), with a small uniform weight, the floor, over a widened interval: without it a polynomial explodes on
//! the rare arguments in the tail. The floor is raised while the polynomial strays far beyond the observed range and the
//! error on what was observed hardly grows. Solved by QR in the Chebyshev basis; the normal equations would lose all digits.

use std::f64::consts::PI;

use hecc_grammar::model::Polynomial;
use nalgebra::{DMatrix, DVector};
use ndarray::ArrayViewMutD;

use crate::histogram::Histogram;

use super::{apply, chebyshev};

/// Points of the uniform weight.
const N_FLOOR: usize = 512;

/// Beyond the observed range, within the margin, errors up to this many half-widths of the range are tame.
const TAME: f64 = 1.0;

/// Each try's floor is this many times the one before.
const RAISE: f64 = 3.0;

/// The most tries, the first included.
const MAX_TRIES: usize = 6;

/// A tamer polynomial may have at most this many times the mean squared error.
const WORTH: f64 = 1.25;

/// How a fit treats the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitConfig {
    /// The interval is the observed range, widened by this factor around its middle: the polynomial is tame on it.
    pub margin: f64,
    /// Share of the weight that is uniform over the interval, at first.
    pub floor: f64,
    /// What the polynomial is in.
    pub variable: Variable,
}

/// What a polynomial is in, given its argument t, the interval taken to [−1, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variable {
    /// t itself.
    Argument,
    /// `sin(2πt/ratio)`: within [−1, 1] whatever the argument. The polynomial is tame on all of it.
    Sine(f64),
}

impl Variable {
    fn of(self, t: f64) -> f64 {
        match self {
            Variable::Argument => t,
            Variable::Sine(ratio) => (2.0 * PI * t / ratio).sin(),
        }
    }

    /// The smallest t that a variable in [−1, 1] stands for.
    fn argument(self, variable: f64) -> f64 {
        match self {
            Variable::Argument => variable,
            Variable::Sine(ratio) => variable.asin() * ratio / (2.0 * PI),
        }
    }
}

/// A fitted polynomial and how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The polynomial, on the widened interval.
    pub polynomial: Polynomial,
    /// What it is in.
    pub variable: Variable,
    /// Mean squared error over the observed distribution.
    pub mean_squared_error: f64,
    /// Largest error over the observed range.
    pub max_error: f64,
    /// Largest error beyond it, within the margin.
    pub max_error_beyond: f64,
}

impl Fit {
    /// Its value.
    pub fn value(&self, x: f64) -> f64 {
        let Polynomial { lo, hi, coefficients } = &self.polynomial;
        chebyshev(coefficients, self.variable.of((2.0 * x - lo - hi) / (hi - lo)))
    }

    /// Puts its value in place of every number.
    pub fn apply(&self, mut numbers: ArrayViewMutD<'_, f64>) {
        let Polynomial { lo, hi, coefficients } = &self.polynomial;
        match self.variable {
            Variable::Argument => apply(&self.polynomial, numbers),
            Variable::Sine(_) => {
                numbers.mapv_inplace(|x| self.variable.of((2.0 * x - lo - hi) / (hi - lo)));
                let coefficients = coefficients.clone();
                apply(&Polynomial { lo: -1.0, hi: 1.0, coefficients }, numbers);
            }
        }
    }
}

/// Where an argument falls, and what is wanted of a polynomial there.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The smallest argument.
    pub lo: f64,
    /// The largest.
    pub hi: f64,
    /// The points.
    pub points: Vec<Point>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// The argument.
    pub x: f64,
    /// Its share of all.
    pub weight: f64,
    /// The value wanted.
    pub wanted: f64,
}

impl Observed {
    /// Where a function's argument falls.
    pub fn of(histogram: &Histogram, f: impl Fn(f64) -> f64) -> Observed {
        let seen = histogram.weights().filter(|&(_, weight)| weight > 0.0);
        let points = seen.map(|(x, weight)| Point { x, weight, wanted: f(x) }).collect();
        Observed { lo: histogram.lo, hi: histogram.hi, points }
    }
}

/// The polynomial of a degree that is near to what is wanted where its argument was observed, to `f` elsewhere, and tame beyond if
/// that costs little.
pub fn fit(f: impl Fn(f64) -> f64, observed: &Observed, degree: usize, config: FitConfig) -> Fit {
    let half = (observed.hi - observed.lo) / 2.0;
    let mut best = fit_once(&f, observed, degree, config);
    let allowed = best.mean_squared_error * WORTH;
    let mut floor = config.floor;
    for _ in 1..MAX_TRIES {
        if best.max_error_beyond <= TAME * half {
            break;
        }
        floor *= RAISE;
        let next = fit_once(&f, observed, degree, FitConfig { floor, ..config });
        if next.mean_squared_error > allowed || next.max_error_beyond >= best.max_error_beyond {
            break;
        }
        best = next;
    }
    best
}

fn fit_once(f: &impl Fn(f64) -> f64, observed: &Observed, degree: usize, config: FitConfig) -> Fit {
    let middle = (observed.lo + observed.hi) / 2.0;
    let half = (observed.hi - observed.lo) / 2.0 * config.margin;
    let (lo, hi) = (middle - half, middle + half);
    let variable = config.variable;
    let floor = (0..N_FLOOR).map(|i| {
        // Chebyshev nodes: the ends of the interval are where a polynomial strays.
        let t = (PI * (i as f64 + 0.5) / N_FLOOR as f64).cos();
        let x = middle + half * variable.argument(t);
        Point { x, weight: config.floor / N_FLOOR as f64, wanted: f(x) }
    });
    let lighter = |point: &Point| Point { weight: point.weight * (1.0 - config.floor), ..*point };
    let points: Vec<Point> = observed.points.iter().map(lighter).chain(floor).collect();
    let mut rows = DMatrix::zeros(points.len(), degree + 1);
    let mut target = DVector::zeros(points.len());
    for (i, &Point { x, weight, wanted }) in points.iter().enumerate() {
        let root = weight.sqrt();
        for (j, t) in basis(variable.of((x - middle) / half), degree).into_iter().enumerate() {
            rows[(i, j)] = root * t;
        }
        target[i] = root * wanted;
    }
    let qr = rows.qr();
    let projected = qr.q().transpose() * target;
    let solution = qr.r().solve_upper_triangular(&projected);
    let coefficients =
        solution.map_or_else(|| vec![0.0; degree + 1], |x| x.iter().copied().collect());
    let polynomial = Polynomial { lo, hi, coefficients };
    let mut fit = Fit {
        polynomial,
        variable,
        mean_squared_error: 0.0,
        max_error: 0.0,
        max_error_beyond: 0.0,
    };
    for &Point { x, weight, wanted } in &observed.points {
        let error = (wanted - fit.value(x)).abs();
        fit.mean_squared_error += weight * error * error;
        fit.max_error = fit.max_error.max(error);
    }
    let beyond = (0..=N_FLOOR)
        .map(|i| middle + half * variable.argument(2.0 * i as f64 / N_FLOOR as f64 - 1.0))
        .filter(|x| !(observed.lo..=observed.hi).contains(x));
    fit.max_error_beyond = beyond.map(|x| (f(x) - fit.value(x)).abs()).fold(0.0, f64::max);
    fit
}

/// T_0(t), .., T_degree(t).
fn basis(t: f64, degree: usize) -> Vec<f64> {
    let mut values = vec![1.0, t];
    while values.len() <= degree {
        let next = 2.0 * t * values[values.len() - 1] - values[values.len() - 2];
        values.push(next);
    }
    values.truncate(degree + 1);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FitConfig = FitConfig { margin: 1.0, floor: 0.0, variable: Variable::Argument };

    /// Counts that follow a normal distribution, from −8 to 8 standard deviations: a polynomial of degree 15 feels six.
    fn normal(f: impl Fn(f64) -> f64) -> Observed {
        let mut histogram = Histogram::new(-8.0, 8.0, 2000);
        for (i, count) in histogram.counts.iter_mut().enumerate() {
            let x = -8.0 + (i as f64 + 0.5) * 0.008;
            *count = (1e15 * (-x * x / 2.0).exp()) as u64;
        }
        Observed::of(&histogram, f)
    }

    #[test]
    fn polynomials_are_recovered() {
        let f = |x: f64| 0.25 * x.powi(5) - x * x + 3.0;
        let fit = fit(f, &normal(f), 5, CONFIG);
        assert!(fit.max_error < 1e-9, "{}", fit.max_error);
    }

    /// The closed form for the rectifier of a standard normal variable: E(3) = 1.13e-2, E(7) = 2.65e-3, E(15) = 7.81e-4.
    #[test]
    fn errors_of_the_rectifier_match_the_closed_form() {
        for (degree, expected) in [(2, 1.13e-2), (3, 1.13e-2), (7, 2.65e-3), (15, 7.81e-4)] {
            let fit = fit(relu, &normal(relu), degree, CONFIG);
            assert!(
                (fit.mean_squared_error / expected - 1.0).abs() < 0.03,
                "{degree}: {}",
                fit.mean_squared_error
            );
        }
    }

    fn relu(x: f64) -> f64 {
        x.max(0.0)
    }

    /// As many numbers as a layer sees of some hundred inputs: four and a half standard deviations.
    fn observed() -> Observed {
        let mut histogram = Histogram::new(-4.5, 4.5, 2000);
        for (i, count) in histogram.counts.iter_mut().enumerate() {
            let x = -4.5 + (i as f64 + 0.5) * 0.0045;
            *count = (1e6 * (-x * x / 2.0).exp()) as u64;
        }
        Observed::of(&histogram, relu)
    }

    #[test]
    fn polynomials_are_tame_within_the_margin() {
        let config = FitConfig { margin: 1.5, floor: 1e-5, ..CONFIG };
        for degree in [7, 11, 15, 23, 31, 63] {
            let fit = fit(relu, &observed(), degree, config);
            let errors = (0..=900)
                .map(|i| -6.75 + 0.015 * f64::from(i))
                .map(|x: f64| (fit.value(x) - x.max(0.0)).abs());
            let largest = errors.max_by(f64::total_cmp).unwrap();
            assert!(largest < 1.1 * TAME * 4.5, "degree {degree}: {largest}");
        }
    }

    #[test]
    fn taming_costs_little_where_the_argument_falls() {
        let observed = observed();
        let config = FitConfig { margin: 1.5, floor: 1e-5, ..CONFIG };
        for degree in [2, 3, 5, 7, 15] {
            let wild = fit_once(&relu, &observed, degree, config);
            let tame = fit(relu, &observed, degree, config);
            assert!(tame.mean_squared_error <= WORTH * wild.mean_squared_error, "{degree}");
            assert!(tame.max_error_beyond <= wild.max_error_beyond, "{degree}");
        }
    }

    /// Where what is beyond the margin folds back, results stay as small as at the ends.
    #[test]
    fn fits_through_the_sine_are_better_and_bounded() {
        let observed = observed();
        for degree in [3, 5, 7] {
            let plain = FitConfig { margin: 1.2, floor: 1e-4, variable: Variable::Argument };
            let through = FitConfig { variable: Variable::Sine(4.0), ..plain };
            let plain = fit(relu, &observed, degree, plain);
            let through = fit(relu, &observed, degree, through);
            assert!(through.mean_squared_error < plain.mean_squared_error, "degree {degree}");
            let values = (-1000..=1000).map(|i| through.value(0.1 * f64::from(i)));
            let largest = values.map(f64::abs).max_by(f64::total_cmp).unwrap();
            assert!(largest < 4.0 * 4.5, "degree {degree}: {largest}");
            let mut all = ndarray::arr1(&[-3.0, 0.1, 50.0]).into_dyn();
            let expected = all.mapv(|x| through.value(x));
            through.apply(all.view_mut());
            assert!(all.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}
