//! Steps downhill, in coordinates in which values change alike: orthogonal polynomials over the arguments that were seen. Without them
//! steps that some terms need are too large for others. Steps are those of Adam (Kingma, Ba, ICLR 2015), and their size falls to
//! nothing along a cosine.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use crate::differentiate::{Channel, Curve, Network};

/// What is added to the mean squares of all terms: directions that arguments were not seen in.
const FLOOR: f64 = 1e-4;

/// Inputs that coordinates are made for.
const MOST_IMAGES: usize = 64;

/// The size of a step, in parts of a channel's values.
const RATE: f64 = 4e-3;

/// The share of the size that is left at the end.
const LAST: f64 = 0.02;

/// Steps until they are as large.
const WARM_UP: f64 = 20.0;

/// What the means of gradients and of their squares keep with each step.
const KEPT: (f64, f64) = (0.9, 0.98);

/// Gradients are at most so long.
const LONGEST: f64 = 10.0;

/// A channel's values are taken to be at least this part of what its layer's are in the mean.
const LEAST_SCALE: f64 = 0.3;

/// By how much a loss changes with all coefficients: by layer, channel and degree.
type Gradients = Vec<Vec<Vec<f64>>>;

/// Where coefficients are, and where they go.
pub(super) struct Adam {
    /// All channels of all layers.
    channels: Vec<Coordinates>,
    n_steps: i32,
}

/// The coefficients of a channel as `start + inverse·θ`.
struct Coordinates {
    start: Vec<f64>,
    /// Upper triangular.
    inverse: DMatrix<f64>,
    numbers: Vec<Parameter>,
}

/// A number with the means of its gradients and of their squares.
#[derive(Clone, Copy, Default)]
struct Parameter {
    value: f64,
    mean: f64,
    square: f64,
}

impl Adam {
    /// For the arguments that curves have on some inputs.
    pub(super) fn new(network: &Network, curves: &[Curve], images: &[Vec<Vec<f32>>]) -> Adam {
        let images = &images[..images.len().min(MOST_IMAGES)];
        let of_image = |image: &Vec<Vec<f32>>| {
            let values = network.values(image, Some(curves));
            let arguments = network.arguments(&values);
            let products = curves.iter().zip(arguments).map(|(curve, x)| curve.products(x));
            products.collect::<Gradients>()
        };
        let each: Vec<Gradients> = images.par_iter().map(of_image).collect();
        let mut channels = vec![];
        for (layer, curve) in curves.iter().enumerate() {
            let count = (curve.length * images.len()) as f64;
            let of_channel = |(k, channel): (usize, &Channel)| {
                let n = channel.coefficients.len();
                let sum = |at: usize| each.iter().map(|sums| sums[layer][k][at]).sum::<f64>();
                let mean = DMatrix::from_fn(n, n, |i, j| sum(i * n + j) / count);
                Coordinates::new(channel, mean)
            };
            let (mut of_layer, sizes): (Vec<Coordinates>, Vec<f64>) =
                curve.channels.iter().enumerate().map(of_channel).unzip();
            let least = LEAST_SCALE * sizes.iter().sum::<f64>() / sizes.len() as f64;
            for (coordinates, size) in of_layer.iter_mut().zip(sizes) {
                coordinates.inverse *= size.max(least);
            }
            channels.append(&mut of_layer);
        }
        Adam { channels, n_steps: 0 }
    }

    /// Goes a step, given the gradients of a batch and the share of steps that is done.
    pub(super) fn step(&mut self, batch: &[Gradients], done: f64, curves: &mut [Curve]) {
        self.n_steps += 1;
        let mut gradients = self.mean(batch);
        let length = gradients.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
        if !length.is_finite() {
            return;
        }
        let shorter = (LONGEST / length).min(1.0);
        gradients.iter_mut().flatten().for_each(|g| *g *= shorter);
        let falling = LAST + (1.0 - LAST) * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        let size = RATE * falling * (f64::from(self.n_steps) / WARM_UP).min(1.0);
        let channels = curves.iter_mut().flat_map(|curve| &mut curve.channels);
        for ((coordinates, gradient), channel) in
            self.channels.iter_mut().zip(gradients).zip(channels)
        {
            for (number, g) in coordinates.numbers.iter_mut().zip(gradient) {
                number.step(g, size, self.n_steps);
            }
            coordinates.write(&mut channel.coefficients);
        }
    }

    /// The mean over a batch, channel by channel, in their coordinates.
    fn mean(&self, batch: &[Gradients]) -> Vec<Vec<f64>> {
        let zeros = |c: &Coordinates| vec![0.0; c.start.len()];
        let mut sums: Vec<Vec<f64>> = self.channels.iter().map(zeros).collect();
        for gradients in batch {
            for (sum, gradient) in sums.iter_mut().zip(gradients.iter().flatten()) {
                sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g / batch.len() as f64);
            }
        }
        let channels = self.channels.iter().zip(sums);
        channels.map(|(coordinates, sum)| coordinates.along(sum)).collect()
    }
}

impl Coordinates {
    /// Those of a channel, given the means of products of its terms, and the size of its values: in them all change by that once.
    fn new(channel: &Channel, mut products: DMatrix<f64>) -> (Coordinates, f64) {
        let n = channel.coefficients.len();
        // The mean squares of Chebyshev polynomials over all that a sine can be are 1, 1/2, 1/2, ..
        (0..n).for_each(|i| products[(i, i)] += if i == 0 { FLOOR } else { FLOOR / 2.0 });
        let upper = products.cholesky().expect("the floor is positive").l().transpose();
        let start: Vec<f64> = channel.coefficients.iter().map(|&c| f64::from(c)).collect();
        let size = (&upper * DVector::from_vec(start.clone())).norm();
        let mut inverse = upper.try_inverse().expect("its diagonal is positive");
        if start.iter().skip(1).all(|&c| c == 0.0) {
            // A constant stays one: of other terms nothing is seen.
            inverse.columns_mut(1, n - 1).fill(0.0);
        }
        (Coordinates { start, inverse, numbers: vec![Parameter::default(); n] }, size)
    }

    /// A gradient in coefficients as one in these coordinates.
    fn along(&self, gradient: Vec<f64>) -> Vec<f64> {
        (self.inverse.transpose() * DVector::from_vec(gradient)).iter().copied().collect()
    }

    fn write(&self, coefficients: &mut [f32]) {
        let numbers =
            DVector::from_iterator(self.start.len(), self.numbers.iter().map(|n| n.value));
        let moved = &self.inverse * numbers;
        for ((c, start), moved) in coefficients.iter_mut().zip(&self.start).zip(&moved) {
            *c = (start + moved) as f32;
        }
    }
}

impl Parameter {
    fn step(&mut self, g: f64, size: f64, n_steps: i32) {
        self.mean += (1.0 - KEPT.0) * (g - self.mean);
        self.square += (1.0 - KEPT.1) * (g * g - self.square);
        let mean = self.mean / (1.0 - KEPT.0.powi(n_steps));
        let square = self.square / (1.0 - KEPT.1.powi(n_steps));
        self.value -= size * mean / (square.sqrt() + 1e-8);
    }
}
