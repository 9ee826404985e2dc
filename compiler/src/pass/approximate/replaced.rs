//! A model with polynomials in place of its activations.

use hecc_grammar::model::{Model, Op, Polynomial, Rewriter, Tensor};
use ndarray::{Array2, ArrayD, IxDyn};

use super::LayerFit;
use super::degree_search::Layer;
use crate::graph::to_unit_interval;
use crate::poly::{Fit, Variable};

/// A model with polynomials in place of its activations.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The model.
    pub model: Model,
    /// For each of its tensors the one of the model with activations that it stands for.
    pub origins: Vec<Option<Tensor>>,
}

/// The model with polynomials for its activations. Before those of channels stands what takes their arguments to [−1, 1].
pub(super) fn replaced(model: &Model, layers: &[Layer], fits: &[LayerFit]) -> Replaced {
    let of = |tensor: Tensor| layers.iter().position(|layer| layer.tensor == tensor);
    with_activations(model, |new, tensor, x| {
        let k = of(tensor).expect("every activation is a layer");
        polynomials(new, x, &fits[k])
    })
}

/// The model with something else for its activations: `make` appends it, all but the last operation, given the activation that it
/// stands for and its argument.
pub(super) fn with_activations(
    model: &Model,
    make: impl Fn(&mut Model, Tensor, Tensor) -> Op,
) -> Replaced {
    let mut new = Rewriter::new(model);
    let mut origins = vec![];
    for (tensor, _) in model.tensors() {
        let mut node = new.node(tensor);
        if let Op::Activation { x, .. } = node.op {
            node.op = make(new.model(), tensor, x);
        }
        let made = new.push(node);
        new.define(made);
        origins.resize(made.index(), None);
        origins.push(Some(tensor));
    }
    Replaced { model: new.finish(), origins }
}

/// The polynomials of a layer, of arguments in [−1, 1], or of their sines.
fn polynomials(model: &mut Model, x: Tensor, fit: &LayerFit) -> Op {
    let coefficients = |fit: &Fit| fit.polynomial.coefficients.clone();
    match (fit, fit.variable()) {
        (LayerFit::One(fit), Variable::Argument) => {
            Op::Polynomial { x, polynomial: fit.polynomial.clone() }
        }
        (LayerFit::One(fit), variable @ Variable::Sine(_)) => {
            let x = variable_of(model, x, std::slice::from_ref(fit), variable);
            let polynomial = Polynomial { lo: -1.0, hi: 1.0, coefficients: coefficients(fit) };
            Op::Polynomial { x, polynomial }
        }
        (LayerFit::Channels(fits), variable) => {
            let x = variable_of(model, x, fits, variable);
            let rows: Vec<Vec<f64>> = fits.iter().map(coefficients).collect();
            let shape = (fits.len(), rows[0].len());
            let coefficients = Array2::from_shape_fn(shape, |(channel, j)| rows[channel][j]);
            let coefficients = model.constant(coefficients.into_dyn());
            Op::ChannelPolynomials { x, coefficients }
        }
    }
}

/// What polynomials are in: their arguments, taken to [−1, 1], or the sines of these.
fn variable_of(model: &mut Model, x: Tensor, fits: &[Fit], variable: Variable) -> Tensor {
    let shape = model.shape(x).to_vec();
    let mut column = vec![1; shape.len()];
    if let [_, channels, ..] = &mut column[..] {
        *channels = fits.len();
    }
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
    let x = model.push(Op::AddConst(scaled, offsets), &name, shape.clone());
    match variable {
        Variable::Argument => x,
        Variable::Sine(ratio) => model.push(Op::Sine { x, ratio }, &name, shape),
    }
}
