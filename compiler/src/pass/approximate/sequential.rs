//! Fits the chosen degrees one layer after the other, each on what the layers before it, approximated already, make of the
//! inputs, against what the network that was given computes there: a layer makes up for the errors before it, as far as a function
//! of each channel can.
//!
//! Where channels are few or seldom seen a layer has one polynomial, fitted to the clean distribution: fitted to that of errors, a
//! single one for all channels does harm (measured on ResNet-20, docs/results/activations.md).

use hecc_grammar::model::Model;
use ndarray::{ArrayD, Axis};

use super::channels::Seen;
use super::degree_search::Layer;
use crate::calibrate::Calibration;
use crate::interpret::{InterpretError, Lockstep};
use crate::poly::{Fit, Variable};

/// The polynomials of one layer.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerFit {
    /// One for all elements.
    One(Fit),
    /// One for each channel.
    Channels(Vec<Fit>),
}

impl LayerFit {
    /// The largest error over the observed range of any polynomial.
    pub fn max_error(&self) -> f64 {
        self.fits().iter().map(|fit| fit.max_error).fold(0.0, f64::max)
    }

    /// Mean squared error over what was observed.
    pub fn mean_squared_error(&self) -> f64 {
        let fits = self.fits();
        fits.iter().map(|fit| fit.mean_squared_error).sum::<f64>() / fits.len() as f64
    }

    /// Their degree.
    pub(super) fn degree(&self) -> usize {
        self.fits()[0].polynomial.coefficients.len() - 1
    }

    /// What they are in.
    pub(super) fn variable(&self) -> Variable {
        self.fits()[0].variable
    }

    pub(super) fn fits(&self) -> &[Fit] {
        match self {
            LayerFit::One(fit) => std::slice::from_ref(fit),
            LayerFit::Channels(fits) => fits,
        }
    }

    pub(super) fn fits_mut(&mut self) -> &mut [Fit] {
        match self {
            LayerFit::One(fit) => std::slice::from_mut(fit),
            LayerFit::Channels(fits) => fits,
        }
    }

    pub(super) fn apply(&self, x: &ArrayD<f64>) -> ArrayD<f64> {
        let mut y = x.clone();
        match self {
            LayerFit::One(fit) => fit.apply(y.view_mut()),
            LayerFit::Channels(fits) => {
                let channels = y.axis_iter_mut(Axis(1)).zip(fits);
                channels.for_each(|(channel, fit)| fit.apply(channel));
            }
        }
        y
    }
}

/// Polynomials for each layer alone, given one of each degree for all elements: for channels, if they have them, their own.
pub(super) fn fit_each(
    model: &Model,
    layers: &[Layer],
    ones: Vec<Vec<Fit>>,
    inputs: &Calibration,
    floor: f64,
) -> Result<Vec<Vec<LayerFit>>, InterpretError> {
    let alike = |ones: Vec<Fit>| ones.into_iter().map(LayerFit::One).collect();
    let mut fits: Vec<Vec<LayerFit>> = ones.into_iter().map(alike).collect();
    if !has_channels(layers) {
        return Ok(fits);
    }
    let mut clean = Lockstep::new(model, &inputs.in_lockstep(model))?;
    for (tensor, _) in model.tensors() {
        let layer = layers.iter().zip(&mut fits).find(|(layer, _)| layer.tensor == tensor);
        if let Some((&Layer { x, function, by_channel: true, .. }, fits)) = layer {
            let arguments: Vec<&ArrayD<f64>> = clean.values(x).collect();
            let seen = Seen { function, clean: arguments.clone(), arguments, floor };
            fits.iter_mut().for_each(|fit| *fit = seen.fit(fit.degree(), fit.variable()));
        }
        clean.step();
    }
    Ok(fits)
}

/// Polynomials for all layers: for those whose channels have none of their own, `ones`.
pub(super) fn fit_in_sequence(
    model: &Model,
    layers: &[Layer],
    ones: Vec<Fit>,
    inputs: &Calibration,
    floor: f64,
) -> Result<Vec<LayerFit>, InterpretError> {
    let mut fits: Vec<LayerFit> = ones.into_iter().map(LayerFit::One).collect();
    if !has_channels(layers) {
        return Ok(fits);
    }
    let inputs = inputs.in_lockstep(model);
    let (mut clean, mut approximated) =
        (Lockstep::new(model, &inputs)?, Lockstep::new(model, &inputs)?);
    for (tensor, _) in model.tensors() {
        let layer = layers.iter().zip(&mut fits).find(|(layer, _)| layer.tensor == tensor);
        match layer {
            None => approximated.step(),
            Some((&Layer { x, function, by_channel, .. }, fit)) => {
                if by_channel {
                    let arguments = approximated.values(x).collect();
                    let clean = clean.values(x).collect();
                    let seen = Seen { function, arguments, clean, floor };
                    *fit = seen.fit(fit.degree(), fit.variable());
                }
                approximated.step_as(x, |value| fit.apply(value));
            }
        }
        clean.step();
    }
    Ok(fits)
}

fn has_channels(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| layer.by_channel)
}

#[cfg(test)]
mod tests {
    use hecc_grammar::model::{Function, Op, Output, Tensor, Window};
    use ndarray::array;

    use super::super::replaced::replaced;
    use super::*;
    use crate::histogram::Histogram;
    use crate::interpret;
    use crate::poly::{FitConfig, Observed, fit};

    const DEGREE: usize = 3;

    const CONFIG: FitConfig = FitConfig { margin: 1.1, floor: 1e-4, variable: Variable::Argument };

    /// `relu(mix(relu([x_0, x_1 / 20])))` of two channels.
    fn model() -> Model {
        let mut model = Model::default();
        let shape = vec![1, 2, 8, 8];
        let x = model.push(Op::Input, "x", shape.clone());
        let factors = model.constant(array![[[1.0]], [[0.05]]].into_dyn());
        let scaled = model.push(Op::MulConst(x, factors), "scaled", shape.clone());
        let relu = |x| Op::Activation { x, function: Function::Relu };
        let first = model.push(relu(scaled), "first", shape.clone());
        let weight = model.constant(array![[[[1.0]], [[4.0]]], [[[-1.0]], [[9.0]]]].into_dyn());
        let window = Window {
            strides: vec![1, 1],
            pads_begin: vec![0, 0],
            pads_end: vec![0, 0],
            dilations: vec![1, 1],
        };
        let mix = Op::Conv { x: first, weight, bias: None, window, groups: 1 };
        let mixed = model.push(mix, "mix", shape.clone());
        let tensor = model.push(relu(mixed), "second", shape);
        model.outputs.push(Output { name: "y".to_owned(), tensor, client: vec![] });
        model
    }

    fn layers() -> Vec<Layer> {
        let layer = |tensor: u32| Layer {
            tensor: Tensor(tensor),
            x: Tensor(tensor - 1),
            function: Function::Relu,
            by_channel: true,
        };
        vec![layer(2), layer(4)]
    }

    fn inputs() -> Calibration {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        Calibration::from_data(vec![ArrayD::from_shape_simple_fn(vec![40, 2, 8, 8], &mut uniform)])
    }

    /// One polynomial for all arguments in [−1, 1].
    fn one() -> Fit {
        let mut histogram = Histogram::new(-1.0, 1.0, 100);
        histogram.counts.fill(1);
        let f = |x| Function::Relu.eval(x);
        fit(f, &Observed::of(&histogram, f), DEGREE, CONFIG)
    }

    fn error(model: &Model, fits: &[LayerFit]) -> f64 {
        let inputs = inputs().inputs;
        let found = interpret::run(&replaced(model, &layers(), fits).model, &inputs).unwrap();
        let difference = &interpret::run(model, &inputs).unwrap()[0] - &found[0];
        difference.mapv(|x| x * x).mean().unwrap()
    }

    #[test]
    fn channels_have_intervals_of_their_own() {
        let model = model();
        let fits = fit_in_sequence(&model, &layers(), vec![one(); 2], &inputs(), 0.0).unwrap();
        let LayerFit::Channels(first) = &fits[0] else { panic!("channels are fitted") };
        let width = |fit: &Fit| fit.polynomial.hi - fit.polynomial.lo;
        assert!((width(&first[1]) / width(&first[0]) - 0.05).abs() < 1e-3);
        assert!(first[1].max_error < 0.1 * one().max_error);
        let alike = [LayerFit::One(one()), fits[1].clone()];
        assert!(error(&model, &fits) < 0.5 * error(&model, &alike));
    }

    #[test]
    fn layers_make_up_for_those_before() {
        let model = model();
        let ones = vec![vec![one()]; 2];
        let apart = fit_each(&model, &layers(), ones, &inputs(), 0.0).unwrap().concat();
        let sequence = fit_in_sequence(&model, &layers(), vec![one(); 2], &inputs(), 0.0).unwrap();
        assert_eq!(apart[0], sequence[0]);
        assert!(error(&model, &sequence) < 0.9 * error(&model, &apart));
    }

    #[test]
    fn layers_without_channels_keep_the_polynomial_that_is_given() {
        let mut layers = layers();
        layers[0].by_channel = false;
        let fits = fit_in_sequence(&model(), &layers, vec![one(); 2], &inputs(), 0.0).unwrap();
        assert_eq!(fits[0], LayerFit::One(one()));
        assert!(matches!(fits[1], LayerFit::Channels(_)));
    }

    #[test]
    fn tensors_are_those_of_the_model_that_was_given() {
        let model = model();
        let fits = fit_in_sequence(&model, &layers(), vec![one(); 2], &inputs(), 0.0).unwrap();
        let replaced = replaced(&model, &layers(), &fits);
        let names = |origin: &Option<Tensor>| origin.map(|tensor| model.node(tensor).name.as_str());
        let origins: Vec<_> = replaced.origins.iter().map(names).collect();
        let (none, some) = (None, Some);
        assert_eq!(
            origins,
            [
                some("x"),
                some("scaled"),
                none,
                none,
                some("first"),
                some("mix"),
                none,
                none,
                some("second")
            ]
        );
        replaced.model.verify().unwrap();
    }
}
