//! Tunes the coefficients of all layers together by their gradient: layers that were fitted one after the other know nothing of
//! those after them. Weights stay what they are, and inputs need no labels: what is wanted are the results of the network that was
//! given. Only polynomials in sines are tuned: whatever their coefficients, no argument is beyond what they were fitted on.

mod coordinates;
mod wanted;

use hecc_grammar::model::Model;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::LayerFit;
use super::degree_search::Layer;
use crate::calibrate::Calibration;
use crate::differentiate::{Curve, Network};
use crate::judge::Judge;
use crate::passes::Passes;
use coordinates::Adam;
use wanted::Wanted;

/// Inputs of one step.
const BATCH: usize = 32;

/// Steps, where there is time for as many.
const MOST_STEPS: usize = 250;

/// Fewer steps gain too little.
const LEAST_STEPS: usize = 30;

/// Products of two numbers, forwards and backwards, that there is time for: a minute of one core.
const MOST_PRODUCTS: f64 = 7e11;

/// Numbers that are kept of what values should be.
const MOST_NUMBERS: usize = 1 << 26;

/// Networks whose coefficients can be tuned.
pub(super) struct Tuning<'a> {
    model: &'a Model,
    layers: Vec<Layer>,
    judge: &'a Judge,
    network: Network,
    n_steps: usize,
}

impl<'a> Tuning<'a> {
    /// Of a model; `None` if the derivative of an operation is not known, or it takes too long to tune.
    pub(super) fn new(model: &'a Model, layers: &[Layer], judge: &'a Judge) -> Option<Tuning<'a>> {
        let network = Network::new(model)?;
        let of_step = (2 * BATCH * network.n_products()).max(1) as f64;
        let n_steps = ((MOST_PRODUCTS / of_step) as usize).min(MOST_STEPS);
        (n_steps >= LEAST_STEPS).then_some(Tuning {
            model,
            layers: layers.to_vec(),
            judge,
            network,
            n_steps,
        })
    }

    /// Polynomials of the same degrees that are better on these inputs.
    pub(super) fn tuned(
        &self,
        fits: &[LayerFit],
        inputs: &Calibration,
        passes: &Passes,
    ) -> Vec<LayerFit> {
        let mut curves: Vec<Curve> = (self.layers.iter().zip(fits))
            .map(|(layer, fit)| Curve::new(fit.fits(), self.model.shape(layer.x).iter().product()))
            .collect();
        let wanted = Wanted::new(self.model, &self.layers, self.judge);
        let mut images = self.images(inputs);
        images.truncate((MOST_NUMBERS / wanted.n_numbers().max(1)).max(1));
        let of_image = |image: &Vec<Vec<f32>>| wanted.of(&self.network.values(image, None));
        let targets: Vec<Vec<Vec<f32>>> = images.par_iter().map(of_image).collect();
        let mut adam = Adam::new(&self.network, &curves, &images);
        let mut order = Order::new(images.len());
        for step in 0..self.n_steps {
            passes.advance("tune", step, self.n_steps);
            let of_image = |&i: &usize| {
                let values = self.network.values(&images[i], Some(&curves));
                let seeds = wanted.gradients(&targets[i], &values);
                self.network.back(&values, &curves, seeds)
            };
            let batch: Vec<usize> = (0..BATCH).map(|_| order.next()).collect();
            // Summed up in their order, whatever the number of threads.
            let gradients: Vec<_> = batch.par_iter().map(of_image).collect();
            adam.step(&gradients, step as f64 / self.n_steps as f64, &mut curves);
        }
        fits.iter().zip(&curves).map(|(fit, curve)| with_coefficients(fit, curve)).collect()
    }

    /// For each input of the model its elements.
    fn images(&self, inputs: &Calibration) -> Vec<Vec<Vec<f32>>> {
        let image = |i: usize| {
            let one = inputs.rows(self.model, &[i]);
            one.inputs.iter().map(|x| x.iter().map(|&x| x as f32).collect()).collect()
        };
        (0..inputs.len(self.model)).map(image).collect()
    }
}

/// Inputs in an order that looks random, all of them once before any comes again.
struct Order {
    rng: ChaCha20Rng,
    left: Vec<usize>,
    n: usize,
}

impl Order {
    fn new(n: usize) -> Order {
        Order { rng: ChaCha20Rng::seed_from_u64(0), left: vec![], n }
    }

    fn next(&mut self) -> usize {
        if self.left.is_empty() {
            self.left = (0..self.n).collect();
        }
        let place = self.rng.next_u64() % self.left.len() as u64;
        self.left.swap_remove(place as usize)
    }
}

/// The polynomials of a layer with other coefficients.
fn with_coefficients(fit: &LayerFit, curve: &Curve) -> LayerFit {
    let mut fit = fit.clone();
    for (fit, channel) in fit.fits_mut().iter_mut().zip(&curve.channels) {
        let coefficients = channel.coefficients.iter().map(|&c| f64::from(c));
        fit.polynomial.coefficients = coefficients.collect();
    }
    fit
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::{Function, Op, Output, Polynomial, Window};
    use hecc_grammar::plan::OutputKind;
    use ndarray::ArrayD;

    use super::super::replaced::replaced;
    use super::*;
    use crate::judge::results;
    use crate::poly::{Fit, Variable};

    /// Numbers that look random, in [−1, 1].
    fn numbers(shape: &[usize], state: &mut u64) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(shape, || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
    }

    /// Two convolutions with rectifiers around a skip connection, and a dense layer.
    fn model(state: &mut u64) -> (Model, Vec<Layer>) {
        let mut model = Model::default();
        let shape = vec![1, 4, 6, 6];
        let window = Window {
            strides: vec![1, 1],
            pads_begin: vec![1, 1],
            pads_end: vec![1, 1],
            dilations: vec![1, 1],
        };
        let relu = |x| Op::Activation { x, function: Function::Relu };
        let mut layers = vec![];
        let mut x = model.push(Op::Input, "x", shape.clone());
        for k in 0..3 {
            let weight = model.constant(numbers(&[4, 4, 3, 3], state) * 0.4);
            let conv = Op::Conv { x, weight, bias: None, window: window.clone(), groups: 1 };
            let mut sum = model.push(conv, "conv", shape.clone());
            if k == 2 {
                sum = model.push(
                    Op::Add(sum, layers.first().map_or(x, |l: &Layer| l.tensor)),
                    "add",
                    shape.clone(),
                );
            }
            x = model.push(relu(sum), "relu", shape.clone());
            layers.push(Layer { tensor: x, x: sum, function: Function::Relu, by_channel: true });
        }
        let flat = model.push(Op::Reshape(x), "flat", vec![1, 144]);
        let weight = model.constant(numbers(&[144, 3], state) * 0.2);
        let tensor = model.push(Op::MatMul { x: flat, weight }, "fc", vec![1, 3]);
        model.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
        (model, layers)
    }

    /// A rough rectifier of four channels.
    fn rough() -> LayerFit {
        let fit = Fit {
            polynomial: Polynomial { lo: -6.0, hi: 6.0, coefficients: vec![1.5, 2.5, 1.0, 0.0] },
            variable: Variable::Sine(4.0),
            mean_squared_error: 0.0,
            max_error: 0.0,
            max_error_beyond: 0.0,
        };
        LayerFit::Channels(vec![fit; 4])
    }

    #[test]
    fn tuned_coefficients_are_better_on_other_inputs() {
        let mut state = 1;
        let (model, layers) = model(&mut state);
        let mut inputs = || Calibration::from_data(vec![numbers(&[48, 4, 6, 6], &mut state)]);
        let (seen, others) = (inputs(), inputs());
        for (kind, most) in [(OutputKind::Values, 0.6), (OutputKind::Classes { axis: 1 }, 0.9)] {
            let expected = results(&model, &others.inputs).unwrap();
            let judge = Judge::new(vec![kind], &expected);
            let error = |fits: &[LayerFit]| {
                let model = replaced(&model, &layers, fits).model;
                let distance =
                    judge.compare_all(&expected, &results(&model, &others.inputs).unwrap())[0];
                if kind.decides() { distance.risk() } else { distance.size().rms }
            };
            let fits = vec![rough(); 3];
            let tuning = Tuning::new(&model, &layers, &judge).unwrap();
            let tuned = tuning.tuned(&fits, &seen, &Passes::unobserved());
            assert!(
                error(&tuned) < most * error(&fits),
                "{kind:?}: {}, {}",
                error(&tuned),
                error(&fits)
            );
            assert_eq!(tuned, tuning.tuned(&fits, &seen, &Passes::unobserved()));
        }
    }

    #[test]
    fn all_inputs_come_before_any_comes_again() {
        let mut order = Order::new(5);
        for _ in 0..3 {
            let mut round: Vec<usize> = (0..5).map(|_| order.next()).collect();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn networks_that_take_too_long_are_not_tuned() {
        let mut model = Model::default();
        let x = model.push(Op::Input, "x", vec![1, 64, 256, 256]);
        let weight = model.constant(ArrayD::ones(vec![512, 64, 3, 3]));
        let window = Window {
            strides: vec![1, 1],
            pads_begin: vec![1, 1],
            pads_end: vec![1, 1],
            dilations: vec![1, 1],
        };
        let conv = Op::Conv { x, weight, bias: None, window, groups: 1 };
        let tensor = model.push(conv, "conv", vec![1, 512, 256, 256]);
        model.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
        let judge = Judge::new(vec![OutputKind::Values], &[]);
        assert!(Tuning::new(&model, &[], &judge).is_none());
    }
}
