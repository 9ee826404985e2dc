//! Fits the chosen degrees one layer after the other, each on what the layers before it, approximated already, make of the
//! inputs, against what the network that was given computes there: a layer makes up for the errors before it, as far as a function
//! of each channel can.
//!
//! Where channels are few or seldom seen a layer has one polynomial, fitted to the clean distribution: fitted to that of errors, a
//! single one for all channels does harm (measured on ResNet-20, docs/results/activations.md).

use hecc_grammar::model::{Model, Op, Tensor};
use ndarray::{Array2, ArrayD, Axis, IxDyn};

use super::Layer;
use super::channels::{Seen, are_many};
use crate::calibrate::Calibration;
use crate::graph::to_unit_interval;
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

/// The model with polynomials for its activations. Before those of channels stands what takes their arguments to [−1, 1].
pub(super) fn replaced(model: &Model, layers: &[Layer], fits: &[LayerFit]) -> Model {
    let mut new = Model { nodes: vec![], outputs: vec![], ..model.clone() };
    let mut places: Vec<Tensor> = vec![];
    for (tensor, node) in model.tensors() {
        let mut node = node.clone();
        node.op.operands_mut().into_iter().for_each(|x| *x = places[x.index()]);
        if let Some(k) = layers.iter().position(|(layer, ..)| *layer == tensor) {
            let x = places[layers[k].1.index()];
            node.op = match &fits[k] {
                LayerFit::One(fit) => Op::Polynomial { x, polynomial: fit.polynomial.clone() },
                LayerFit::Channels(fits) => channel_polynomials(&mut new, x, fits),
            };
        }
        places.push(new.push(node.op, &node.name, node.shape));
    }
    new.outputs = model.outputs.clone();
    new.outputs.iter_mut().for_each(|output| output.tensor = places[output.tensor.index()]);
    new
}

fn channel_polynomials(model: &mut Model, x: Tensor, fits: &[Fit]) -> Op {
    let shape = model.shape(x).to_vec();
    let mut column = vec![1; shape.len() - 1];
    column[0] = fits.len();
    let (factors, offsets): (Vec<f64>, Vec<f64>) =
        fits.iter().map(|fit| to_unit_interval(&fit.polynomial)).unzip();
    let of_channels = |numbers: Vec<f64>| {
        ArrayD::from_shape_vec(IxDyn(&column), numbers).expect("there is one for each channel")
    };
    let factors = model.constant(of_channels(factors));
    let offsets = model.constant(of_channels(offsets));
    // They become part of the map before.
    let name = model.node(x).name.clone();
    let scaled = model.push(Op::MulConst(x, factors), &name, shape.clone());
    let x = model.push(Op::AddConst(scaled, offsets), &name, shape);
    let n_coefficients = fits[0].polynomial.coefficients.len();
    let coefficients = Array2::from_shape_fn((fits.len(), n_coefficients), |(channel, j)| {
        fits[channel].polynomial.coefficients[j]
    });
    let coefficients = model.constant(coefficients.into_dyn());
    Op::ChannelPolynomials { x, coefficients }
}
