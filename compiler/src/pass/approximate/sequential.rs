//! Fits the chosen degrees one layer after the other, each on what the layers before it, approximated already, make of the
//! inputs, against what the network that was given computes there: a layer makes up for the errors before it, as far as a function
//! of each channel can.
//!
//! Where channels are few or seldom seen a layer has one polynomial, fitted to the clean distribution: fitted to that of errors, a
//! single one for all channels does harm (measured on ResNet-20, docs/results/activations.md).

use hecc_grammar::model::Model;
use ndarray::{ArrayD, Axis};

use super::Layer;
use super::channels::{Seen, are_many};
use crate::calibrate::Calibration;
use crate::interpret::{InterpretError, Lockstep, most_alive};
use crate::poly::{Fit, apply};

/// Most numbers that are kept at a time.
const MOST_NUMBERS: usize = 1 << 27;

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

    fn fits(&self) -> &[Fit] {
        match self {
            LayerFit::One(fit) => std::slice::from_ref(fit),
            LayerFit::Channels(fits) => fits,
        }
    }

    pub(super) fn apply(&self, x: &ArrayD<f64>) -> ArrayD<f64> {
        let mut y = x.clone();
        match self {
            LayerFit::One(fit) => apply(&fit.polynomial, y.view_mut()),
            LayerFit::Channels(fits) => {
                let channels = y.axis_iter_mut(Axis(1)).zip(fits);
                channels.for_each(|(channel, fit)| apply(&fit.polynomial, channel));
            }
        }
        y
    }
}

/// Whether any layer of a model has polynomials for each channel.
pub(super) fn has_channels(model: &Model, layers: &[Layer], inputs: &Calibration) -> bool {
    let n = n_inputs(model, inputs);
    layers.iter().any(|&(_, x, _)| are_many(model.shape(x), n))
}

/// Polynomials for each layer alone, given one of each degree for all elements: for channels, if they are many, their own.
pub(super) fn fit_each(
    model: &Model,
    layers: &[Layer],
    ones: Vec<Vec<Fit>>,
    inputs: &Calibration,
) -> Result<Vec<Vec<LayerFit>>, InterpretError> {
    let n = n_inputs(model, inputs);
    let rows: Vec<usize> = (0..n).collect();
    let mut clean = Lockstep::new(model, &inputs.rows(model, &rows).inputs)?;
    let mut fits: Vec<Vec<LayerFit>> =
        ones.into_iter().map(|ones| ones.into_iter().map(LayerFit::One).collect()).collect();
    for (tensor, _) in model.tensors() {
        let layer = layers.iter().zip(&mut fits).find(|((layer, ..), _)| *layer == tensor);
        if let Some((&(_, x, function), fits)) = layer
            && are_many(model.shape(x), n)
        {
            let arguments: Vec<&ArrayD<f64>> = clean.values(x).collect();
            let seen = Seen { function, clean: arguments.clone(), arguments };
            fits.iter_mut().for_each(|fit| *fit = LayerFit::Channels(seen.fit(fit.degree())));
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
) -> Result<Vec<LayerFit>, InterpretError> {
    let n = n_inputs(model, inputs);
    let rows: Vec<usize> = (0..n).collect();
    let inputs = inputs.rows(model, &rows).inputs;
    let (mut clean, mut approximated) =
        (Lockstep::new(model, &inputs)?, Lockstep::new(model, &inputs)?);
    let mut fits = vec![];
    for (tensor, _) in model.tensors() {
        let Some(&(_, x, function)) = layers.iter().find(|(layer, ..)| *layer == tensor) else {
            clean.step();
            approximated.step();
            continue;
        };
        let one = &ones[fits.len()];
        let fit = match are_many(model.shape(x), n) {
            false => LayerFit::One(one.clone()),
            true => {
                let arguments = approximated.values(x).collect();
                let seen = Seen { function, arguments, clean: clean.values(x).collect() };
                LayerFit::Channels(seen.fit(one.polynomial.coefficients.len() - 1))
            }
        };
        clean.step();
        approximated.step_as(x, |value| fit.apply(value));
        fits.push(fit);
    }
    Ok(fits)
}

/// As many inputs as memory is for.
fn n_inputs(model: &Model, inputs: &Calibration) -> usize {
    let most = MOST_NUMBERS / (2 * most_alive(model)).max(1);
    inputs.len(model).min(most.max(1))
}
