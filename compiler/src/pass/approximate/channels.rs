//! The arguments of one activation, channel by channel, and the polynomials that are fitted to them.

use hecc_grammar::model::{Function, Polynomial};
use ndarray::{ArrayD, Axis};
use rayon::prelude::*;

use super::{LayerFit, SINE_MARGIN};
use crate::poly::{Fit, FitConfig, Observed, Point, Variable, fit};

/// Channels have polynomials of their own where as many arguments of each are observed.
const LEAST_ARGUMENTS: usize = 2000;

/// Bins of the arguments of a channel.
const N_BINS: usize = 512;

/// The interval of a channel is at least this part of its layer's median: a channel that hardly moved on the calibration data may
/// move more on other data.
const LEAST_SHARE: f64 = 0.05;

/// A channel whose interval is below this part of its layer's median is a constant.
const DEAD_SHARE: f64 = 0.03;

/// Margin and floor of fits up to a degree: the fewer coefficients, the more each of the interval's ends costs.
const FITS: [(usize, f64, f64); 3] = [(3, 1.1, 1e-4), (5, 1.2, 1e-4), (usize::MAX, 1.5, 1e-3)];

/// The same where polynomials are in the sine of the argument, which is bounded: what is beyond the margin folds back.
const FIT_OF_SINES: (f64, f64) = (SINE_MARGIN, 1e-4);

/// What one layer's channels see: the arguments that approximated layers before leave, and what the function makes of the
/// arguments that they stand for.
pub(super) struct Seen<'a> {
    /// The function.
    pub(super) function: Function,
    /// Arguments for each input, `[1, channels, ..]`.
    pub(super) arguments: Vec<&'a ArrayD<f64>>,
    /// The same in the network that was given.
    pub(super) clean: Vec<&'a ArrayD<f64>>,
    /// The least floor of fits.
    pub(super) floor: f64,
}

/// Whether channels of this shape have polynomials of their own.
pub(super) fn are_many(shape: &[usize], n_inputs: usize) -> bool {
    match shape {
        [1, channels, spatial @ ..] => {
            *channels > 1 && n_inputs * spatial.iter().product::<usize>() >= LEAST_ARGUMENTS
        }
        _ => false,
    }
}

/// The mean of what is wanted.
fn constant(observed: &Observed, degree: usize, variable: Variable) -> Fit {
    let points = || observed.points.iter();
    let mean: f64 = points().map(|point| point.weight * point.wanted).sum();
    let error = |point: &Point| (point.wanted - mean).abs();
    let mut coefficients = vec![0.0; degree + 1];
    coefficients[0] = mean;
    Fit {
        polynomial: Polynomial { lo: observed.lo, hi: observed.hi, coefficients },
        variable,
        mean_squared_error: points().map(|point| point.weight * error(point).powi(2)).sum(),
        max_error: points().map(error).fold(0.0, f64::max),
        max_error_beyond: 0.0,
    }
}

impl Seen<'_> {
    /// A polynomial for each channel.
    pub(super) fn fit(&self, degree: usize, variable: Variable) -> LayerFit {
        let n_channels = self.arguments[0].shape()[1];
        let ranges: Vec<(f64, f64)> =
            (0..n_channels).into_par_iter().map(|channel| self.range(channel)).collect();
        let mut halves: Vec<f64> = ranges.iter().map(|(lo, hi)| (hi - lo) / 2.0).collect();
        halves.sort_by(f64::total_cmp);
        let median = halves[n_channels / 2];
        let least = if median > 0.0 { LEAST_SHARE * median } else { 1.0 };
        let config = self.config(degree, variable);
        let of_channel = |(channel, &(lo, hi)): (usize, &(f64, f64))| {
            let (middle, half) = ((lo + hi) / 2.0, ((hi - lo) / 2.0).max(least));
            if (hi - lo) / 2.0 < DEAD_SHARE * median {
                let observed = self.observed(channel, (middle - median, middle + median));
                return constant(&observed, degree, variable);
            }
            let observed = self.observed(channel, (middle - half, middle + half));
            fit(|x| self.function.eval(x), &observed, degree, config)
        };
        LayerFit::Channels(ranges.par_iter().enumerate().map(of_channel).collect())
    }

    fn config(&self, degree: usize, variable: Variable) -> FitConfig {
        let usual = FITS.into_iter().find(|(most, ..)| degree <= *most);
        let (margin, floor) = match variable {
            Variable::Argument => usual.map(|(_, margin, floor)| (margin, floor)),
            Variable::Sine(_) => Some(FIT_OF_SINES),
        }
        .expect("the last has no limit");
        FitConfig { margin, floor: floor.max(self.floor), variable }
    }

    fn range(&self, channel: usize) -> (f64, f64) {
        let all = self.arguments.iter().flat_map(|x| x.index_axis(Axis(1), channel).into_iter());
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &x| (lo.min(x), hi.max(x)))
    }

    /// The arguments of a channel in bins, with the mean of what is wanted there.
    fn observed(&self, channel: usize, (lo, hi): (f64, f64)) -> Observed {
        let mut bins = vec![(0u32, 0.0, 0.0); N_BINS];
        let mut total = 0.0;
        for (x, z) in self.arguments.iter().zip(&self.clean) {
            let (x, z) = (x.index_axis(Axis(1), channel), z.index_axis(Axis(1), channel));
            for (&x, &z) in x.iter().zip(&z) {
                let place = (x - lo) / (hi - lo) * N_BINS as f64;
                let (count, sum, wanted) = &mut bins[(place.max(0.0) as usize).min(N_BINS - 1)];
                *count += 1;
                *sum += x;
                *wanted += self.function.eval(z);
                total += 1.0;
            }
        }
        let used = bins.into_iter().filter(|(count, ..)| *count > 0);
        let point = |(count, sum, wanted): (u32, f64, f64)| {
            let count = f64::from(count);
            Point { x: sum / count, weight: count / total, wanted: wanted / count }
        };
        Observed { lo, hi, points: used.map(point).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_that_hardly_move_are_constants() {
        let x = ArrayD::from_shape_fn(vec![1, 3, 8, 8], |at| {
            let place = (at[2] * 8 + at[3]) as f64 / 63.0;
            [place * 2.0 - 1.0, 0.7 + 1e-2 * place, place - 0.3][at[1]]
        });
        let seen =
            Seen { function: Function::Relu, arguments: vec![&x], clean: vec![&x], floor: 0.0 };
        let LayerFit::Channels(fits) = seen.fit(3, Variable::Sine(4.0)) else { panic!("channels") };
        let coefficients = |k: usize| &fits[k].polynomial.coefficients;
        assert!((coefficients(1)[0] - 0.705).abs() < 1e-3 && fits[1].max_error < 6e-3);
        assert!(coefficients(1)[1..].iter().all(|&c| c == 0.0) && coefficients(0)[1] != 0.0);
        let width = |k: usize| fits[k].polynomial.hi - fits[k].polynomial.lo;
        assert!(width(1) > 0.5 * width(2), "noise is not magnified");
    }
}
