//! A layer's activation as something with parameters: a polynomial for each channel, in its argument or in a sine of it.

use std::f32::consts::TAU;

use crate::poly::{Fit, Variable};

/// The polynomials of a layer, constant first in the Chebyshev basis of what they are in.
#[derive(Clone, Debug)]
pub struct Curve {
    /// One for each channel, or one for all elements.
    pub channels: Vec<Channel>,
    /// Elements of a channel that lie side by side.
    pub length: usize,
    variable: Variable,
}

/// The polynomial of a channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// What takes its arguments to [−1, 1]: a factor, and what is added.
    to_unit: (f32, f32),
    /// Its coefficients.
    pub coefficients: Vec<f32>,
}

/// So many elements are computed side by side.
const LANES: usize = 16;

/// What a polynomial is in, and how fast that changes with the argument, for some elements.
struct Block {
    variable: [f32; LANES],
    slope: [f32; LANES],
}

impl Curve {
    /// The polynomials of fits, all in one variable, for a layer of so many elements.
    pub fn new(fits: &[Fit], n_elements: usize) -> Curve {
        let channel = |fit: &Fit| {
            let polynomial = &fit.polynomial;
            let (factor, offset) = crate::graph::to_unit_interval(polynomial);
            let coefficients = polynomial.coefficients.iter().map(|&c| c as f32).collect();
            Channel { to_unit: (factor as f32, offset as f32), coefficients }
        };
        Curve {
            channels: fits.iter().map(channel).collect(),
            length: n_elements / fits.len(),
            variable: fits[0].variable,
        }
    }

    /// Values for all elements.
    pub fn values(&self, x: &[f32]) -> Vec<f32> {
        let mut y = Vec::with_capacity(x.len());
        for (channel, x) in self.channels.iter().zip(x.chunks(self.length)) {
            for x in x.chunks(LANES) {
                let block = self.block(channel, x);
                let (values, _) = series(&channel.coefficients, &block.variable);
                y.extend_from_slice(&values[..x.len()]);
            }
        }
        y
    }

    /// Given by how much a sum changes with each value: by how much it does with each argument, and, added to `to_coefficients`, with
    /// each channel's coefficients.
    pub fn back(&self, x: &[f32], to_values: &[f32], to_coefficients: &mut [Vec<f64>]) -> Vec<f32> {
        let mut to_arguments = Vec::with_capacity(x.len());
        let channels = self.channels.iter().zip(to_coefficients);
        let pieces = x.chunks(self.length).zip(to_values.chunks(self.length));
        for ((channel, sums), (x, g)) in channels.zip(pieces) {
            let mut partial = vec![[0.0f32; LANES]; channel.coefficients.len()];
            for (x, g) in x.chunks(LANES).zip(g.chunks(LANES)) {
                let block = self.block(channel, x);
                let (_, derivative) = series(&channel.coefficients, &block.variable);
                let mut lanes = [0.0; LANES];
                lanes[..g.len()].copy_from_slice(g);
                add_basis(&mut partial, &block.variable, &lanes);
                let one = |i: usize| g[i] * derivative[i] * block.slope[i];
                to_arguments.extend((0..g.len()).map(one));
            }
            for (sum, lanes) in sums.iter_mut().zip(partial) {
                *sum += lanes.iter().map(|&x| f64::from(x)).sum::<f64>();
            }
        }
        to_arguments
    }

    /// For each channel `Σ T_j·T_k` over its elements, row by row.
    pub fn products(&self, x: &[f32]) -> Vec<Vec<f64>> {
        let of_channel = |(channel, x): (&Channel, &[f32])| {
            let n = channel.coefficients.len();
            let mut sums = vec![0.0; n * n];
            for x in x.chunks(LANES) {
                let block = self.block(channel, x);
                for (i, _) in x.iter().enumerate() {
                    let mut powers = vec![1.0f64, f64::from(block.variable[i])];
                    while powers.len() < n {
                        let k = powers.len();
                        powers.push(2.0 * powers[1] * powers[k - 1] - powers[k - 2]);
                    }
                    for j in 0..n {
                        (0..n).for_each(|k| sums[j * n + k] += powers[j] * powers[k]);
                    }
                }
            }
            sums
        };
        self.channels.iter().zip(x.chunks(self.length)).map(of_channel).collect()
    }

    fn block(&self, channel: &Channel, x: &[f32]) -> Block {
        let (factor, offset) = channel.to_unit;
        let mut t = [0.0f32; LANES];
        t.iter_mut().zip(x).for_each(|(t, &x)| *t = factor * x + offset);
        match self.variable {
            Variable::Argument => Block { variable: t, slope: [factor; LANES] },
            Variable::Sine(ratio) => {
                let turns = 1.0 / ratio as f32;
                let steepness = factor * turns * TAU;
                let (mut variable, mut slope) = ([0.0; LANES], [0.0; LANES]);
                for i in 0..LANES {
                    variable[i] = sine(t[i] * turns);
                    slope[i] = steepness * sine(t[i] * turns + 0.25);
                }
                Block { variable, slope }
            }
        }
    }
}

/// The value of a Chebyshev series and its derivative, by Clenshaw's recurrence.
fn series(coefficients: &[f32], t: &[f32; LANES]) -> ([f32; LANES], [f32; LANES]) {
    let zero = [0.0f32; LANES];
    let (mut b1, mut b2, mut d1, mut d2) = (zero, zero, zero, zero);
    for &c in coefficients.iter().skip(1).rev() {
        for i in 0..LANES {
            let (b, d) = (2.0 * t[i] * b1[i] - b2[i] + c, 2.0 * b1[i] + 2.0 * t[i] * d1[i] - d2[i]);
            (b2[i], d2[i]) = (b1[i], d1[i]);
            (b1[i], d1[i]) = (b, d);
        }
    }
    let (mut value, mut derivative) = (zero, zero);
    for i in 0..LANES {
        value[i] = coefficients[0] + t[i] * b1[i] - b2[i];
        derivative[i] = b1[i] + t[i] * d1[i] - d2[i];
    }
    (value, derivative)
}

/// Adds `g·T_j(t)` to the `j`-th sum.
fn add_basis(sums: &mut [[f32; LANES]], t: &[f32; LANES], g: &[f32; LANES]) {
    let (mut last, mut next) = ([1.0f32; LANES], *t);
    for sum in sums {
        for i in 0..LANES {
            sum[i] += g[i] * last[i];
            let after = 2.0 * t[i] * next[i] - last[i];
            (last[i], next[i]) = (next[i], after);
        }
    }
}

/// `sin(2π·turns)`, to seven digits.
fn sine(turns: f32) -> f32 {
    // Adding this rounds to whole numbers.
    const WHOLE: f32 = 12_582_912.0;
    // Of the series of sin(2πx), from its first power on.
    const TERMS: [f32; 6] = {
        let mut terms = [TAU; 6];
        let mut k = 1;
        while k < terms.len() {
            terms[k] = -terms[k - 1] * TAU * TAU / (2 * k * (2 * k + 1)) as f32;
            k += 1;
        }
        terms
    };
    let part = turns - ((turns + WHOLE) - WHOLE);
    let quarter = part.min(0.5 - part).max(-0.5 - part);
    let square = quarter * quarter;
    quarter * TERMS.iter().rev().fold(0.0, |sum, &c| sum * square + c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::model::Polynomial;

    fn curve(variable: Variable) -> Curve {
        let fit = |lo: f64| Fit {
            polynomial: Polynomial { lo, hi: 2.0, coefficients: vec![0.3, 0.5, -0.2, 0.1] },
            variable,
            mean_squared_error: 0.0,
            max_error: 0.0,
            max_error_beyond: 0.0,
        };
        Curve::new(&[fit(-1.0), fit(-3.0)], 40)
    }

    #[test]
    fn sines_are_those_of_the_library() {
        for i in -3000..=3000 {
            let turns = i as f32 / 1000.0;
            let wanted = (f64::from(turns) * std::f64::consts::TAU).sin();
            assert!((f64::from(sine(turns)) - wanted).abs() < 1e-6, "{turns}");
        }
    }

    #[test]
    fn derivatives_are_quotients_of_differences() {
        for variable in [Variable::Argument, Variable::Sine(4.0)] {
            let curve = curve(variable);
            let x: Vec<f32> = (0..40).map(|i| (i * 7 % 40) as f32 / 12.0 - 1.4).collect();
            let g: Vec<f32> = (0..40).map(|i| (i % 5) as f32 - 1.5).collect();
            let sum = |curve: &Curve, x: &[f32]| -> f64 {
                curve.values(x).iter().zip(&g).map(|(y, g)| f64::from(y * g)).sum()
            };
            let mut to_coefficients = vec![vec![0.0; 4]; 2];
            let to_arguments = curve.back(&x, &g, &mut to_coefficients);
            let step = 1e-2f32;
            for i in [0, 7, 19, 20, 39] {
                let moved = |by: f32| {
                    let mut x = x.clone();
                    x[i] += by;
                    sum(&curve, &x)
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                assert!((slope - f64::from(to_arguments[i])).abs() < 2e-2, "{variable:?} {i}");
            }
            for (channel, j) in [(0, 0), (0, 3), (1, 1), (1, 2)] {
                let moved = |by: f32| {
                    let mut curve = curve.clone();
                    curve.channels[channel].coefficients[j] += by;
                    sum(&curve, &x)
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                assert!((slope - to_coefficients[channel][j]).abs() < 1e-3, "{channel} {j}");
            }
        }
    }
}
