//! Replaces every activation by a polynomial, one a layer, of the degree that the network needs there.
//!
//! Before: activations. After: polynomials. The degrees minimise the total cost (levels first) while the network's
//! output stays within a budget, by dynamic programming over the layers (OLA, arXiv 2310.10349). What an error costs
//! the network is measured, not modelled: the divergence of the outputs when one layer alone is replaced, and then the
//! network's decisions, on inputs that the polynomials were not fitted on. Low degrees stray far outside the range that
//! they were fitted on, which only such inputs show. The degrees chosen are then fitted on all inputs.

use hecc_grammar::model::{Function, Model, Op, Tensor};
use ndarray::{ArrayD, Axis, Slice};

use crate::calibrate::{Calibration, Stats};
use crate::error::CompileError;
use crate::graph::polynomial_depth;
use crate::interpret;
use crate::poly::{Fit, FitConfig, fit, multiplications};

/// How activations are approximated.
#[derive(Clone, Debug, PartialEq)]
pub struct ApproximateConfig {
    /// Degrees considered, ascending.
    pub degrees: Vec<usize>,
    /// How a fit treats the range.
    pub fit: FitConfig,
    /// Largest divergence of the outputs, summed over layers, that is tried first.
    pub budget: f64,
    /// Largest divergence of the outputs with all layers replaced: errors of deep networks feed on each other.
    pub joint_budget: f64,
    /// Share of held-out inputs on which the approximated network must decide as the original.
    pub agreement: f64,
    /// One level costs as much as this many products of ciphertexts.
    pub products_per_level: usize,
}

impl ApproximateConfig {
    /// The settings of `hecc compile` without flags; margin and floor as measured on ResNet-20 (docs/design).
    pub fn standard() -> ApproximateConfig {
        ApproximateConfig {
            degrees: vec![2, 3, 5, 7, 11, 15, 23, 31, 63],
            fit: FitConfig { margin: 1.5, floor: 1e-5 },
            budget: 1.3e-2,
            joint_budget: 1.6e-2,
            agreement: 0.995,
            products_per_level: 6,
        }
    }
}

/// One degree considered for a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The degree.
    pub degree: usize,
    /// Cost, in products of ciphertexts.
    pub cost: usize,
    /// Divergence of the outputs when this layer alone is replaced.
    pub divergence: f64,
    /// The fit.
    pub fit: Fit,
}

/// What was decided for one activation.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerReport {
    /// The ONNX node.
    pub node: String,
    /// Its function.
    pub function: Function,
    /// Index of the chosen one in `choices`.
    pub chosen: usize,
    /// All degrees considered.
    pub choices: Vec<Choice>,
}

/// What was decided for all activations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApproximateReport {
    /// Layers, in order.
    pub layers: Vec<LayerReport>,
    /// Share of held-out inputs on which the approximated network decides as the original; 1 without activations.
    pub agreement: f64,
    /// Mean divergence of the outputs on them.
    pub divergence: f64,
    /// Number of held-out inputs.
    pub n_validation: usize,
}

/// Times that the budget is cut before a network is given up.
const MAX_ROUNDS: usize = 6;

/// Each round's budget is this share of the one before.
const CUT: f64 = 0.25;

/// Inputs on which sensitivities are measured, at most.
const MAX_SENSITIVITY_IMAGES: usize = 96;

/// Approximates the activations of a model.
pub fn approximate(
    model: &Model,
    stats: &Stats,
    calibration: &Calibration,
    config: &ApproximateConfig,
) -> Result<(Model, ApproximateReport), CompileError> {
    let layers: Vec<(Tensor, Tensor, Function)> = model.tensors().filter_map(activation).collect();
    if layers.is_empty() {
        return Ok((
            model.clone(),
            ApproximateReport { layers: vec![], agreement: 1.0, divergence: 0.0, n_validation: 0 },
        ));
    }
    let all = |stats: &Stats| -> Vec<Vec<Fit>> {
        layers.iter().map(|&(_, x, f)| fits(stats, x, f, config)).collect()
    };
    let [fitted, validation] = [0, 1].map(|start| every_second(&calibration.inputs, start));
    let fitted = Calibration { inputs: fitted, assumed: calibration.assumed };
    let fitted = Stats::collect(model, &fitted)
        .map_err(|error| CompileError::Calibration(error.to_string()))?;
    let fits = all(&fitted);
    let divergences = sensitivities(model, &layers, &fits, &validation)?;
    let choices: Vec<Vec<Choice>> = fits
        .into_iter()
        .zip(divergences)
        .map(|(fits, divergences)| {
            fits.into_iter().zip(divergences).map(|(fit, d)| choice(fit, d, config)).collect()
        })
        .collect();
    let mut budget = config.budget;
    for round in 1..=MAX_ROUNDS {
        let chosen = cheapest(&choices, budget);
        let approximated = replaced(model, &layers, &choices, &chosen);
        let Agreement { share: agreement, divergence, n_inputs: n_validation } =
            agreement(model, &approximated, &validation)?;

        // One differing input is always allowed: a small held-out set says no more.
        let enough = (1.0 - agreement) * n_validation as f64
            <= (1.0 - config.agreement) * n_validation as f64 + 1.0
            && divergence <= config.joint_budget;
        if enough || (round == MAX_ROUNDS && agreement >= 0.9) {
            let mut choices = choices;
            for (choices, fits) in choices.iter_mut().zip(all(stats)) {
                choices.iter_mut().zip(fits).for_each(|(choice, fit)| choice.fit = fit);
            }
            let approximated = replaced(model, &layers, &choices, &chosen);
            let report = |((&(tensor, _, function), choices), chosen)| LayerReport {
                node: model.node(tensor).name.clone(),
                function,
                chosen,
                choices,
            };
            let layers = layers.iter().zip(choices).zip(chosen).map(report).collect();
            let report = ApproximateReport { layers, agreement, divergence, n_validation };
            return Ok((approximated, report));
        }
        budget *= CUT;
    }
    Err(CompileError::Approximation(format!(
        "no degrees up to {} keep the network's decisions on held-out calibration data",
        config.degrees.last().copied().unwrap_or(0)
    )))
}

fn activation(
    (tensor, node): (Tensor, &hecc_grammar::model::Node),
) -> Option<(Tensor, Tensor, Function)> {
    if let Op::Activation { x, function } = &node.op { Some((tensor, *x, *function)) } else { None }
}

fn fits(stats: &Stats, x: Tensor, function: Function, config: &ApproximateConfig) -> Vec<Fit> {
    let histogram = &stats.histograms[&x];
    config
        .degrees
        .iter()
        .map(|&degree| fit(|v| function.eval(v), histogram, degree, config.fit))
        .collect()
}

fn choice(fit: Fit, divergence: f64, config: &ApproximateConfig) -> Choice {
    let degree = fit.polynomial.coefficients.len() - 1;
    let products = multiplications(&fit.polynomial.coefficients);
    let cost = config.products_per_level * polynomial_depth(degree) + products;
    Choice { degree, cost, divergence, fit }
}

/// Every second input from `start` on, or all if there is but one.
fn every_second(inputs: &[ArrayD<f64>], start: isize) -> Vec<ArrayD<f64>> {
    let half = |x: &ArrayD<f64>| match x.shape().first() {
        Some(&n) if n > 1 => x.slice_axis(Axis(0), Slice::new(start, None, 2)).to_owned(),
        _ => x.clone(),
    };
    inputs.iter().map(half).collect()
}

/// The mean divergence of the outputs for each layer and degree, that layer alone replaced.
fn sensitivities(
    model: &Model,
    layers: &[(Tensor, Tensor, Function)],
    fits: &[Vec<Fit>],
    validation: &[ArrayD<f64>],
) -> Result<Vec<Vec<f64>>, CompileError> {
    let few: Vec<ArrayD<f64>> = validation
        .iter()
        .map(|x| {
            let n = x.shape().first().copied().unwrap_or(1).min(MAX_SENSITIVITY_IMAGES);
            x.slice_axis(Axis(0), Slice::from(0..n)).to_owned()
        })
        .collect();
    let per_image = interpret::visit(model, &few, |_, values| {
        let original: Vec<&ArrayD<f64>> =
            model.outputs.iter().map(|o| &values[o.tensor.index()]).collect();
        let measure = |tensor: Tensor, x: Tensor, fit: &Fit| {
            let value =
                values[x.index()].mapv(|v| crate::poly::evaluate_polynomial(&fit.polynomial, v));
            let outputs = interpret::resume(model, values, tensor, value);
            original.iter().zip(&outputs).map(|(p, q)| divergence(p, q)).sum::<f64>()
        };
        let layer =
            |(&(tensor, x, _), fits): (&(Tensor, Tensor, Function), &Vec<Fit>)| -> Vec<f64> {
                fits.iter().map(|fit| measure(tensor, x, fit)).collect()
            };
        layers.iter().zip(fits).map(layer).collect::<Vec<_>>()
    })
    .map_err(|error| CompileError::Calibration(error.to_string()))?;
    let n = per_image.len().max(1) as f64;
    let mean = |layer: usize, degree: usize| {
        per_image.iter().map(|image| image[layer][degree]).sum::<f64>() / n
    };
    Ok((0..layers.len())
        .map(|layer| (0..fits[layer].len()).map(|degree| mean(layer, degree)).collect())
        .collect())
}

/// How far outputs `q` are from `p`: for several numbers the Kullback-Leibler divergence of their softmaxes, for one
/// the squared relative difference. Infinite if an output is not a number.
fn divergence(p: &ArrayD<f64>, q: &ArrayD<f64>) -> f64 {
    if q.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    if p.len() == 1 {
        return p.iter().zip(q).map(|(p, q)| ((p - q) / p.abs().max(1.0)).powi(2)).sum();
    }
    let log_softmax = |x: &ArrayD<f64>| -> Vec<f64> {
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = x.iter().map(|v| (v - largest).exp()).sum::<f64>().ln() + largest;
        x.iter().map(|v| v - log_sum).collect()
    };
    log_softmax(p).iter().zip(log_softmax(q)).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// For each layer the index of its choice: the smallest total cost with a total divergence within the budget. If
/// there is none, the smallest divergence of all.
fn cheapest(layers: &[Vec<Choice>], budget: f64) -> Vec<usize> {
    // best[cost] is the smallest divergence of the layers so far at exactly that cost, with the choices.
    let mut best: Vec<Option<(f64, Vec<usize>)>> = vec![Some((0.0, vec![]))];
    for choices in layers {
        let dearest = choices.iter().map(|choice| choice.cost).max().unwrap_or(0);
        let mut next: Vec<Option<(f64, Vec<usize>)>> = vec![None; best.len() + dearest];
        for (spent, state) in best.iter().enumerate() {
            let Some((divergence, chosen)) = state else { continue };
            for (i, choice) in choices.iter().enumerate() {
                let total = divergence + choice.divergence;
                let place = &mut next[spent + choice.cost];
                if place.as_ref().is_none_or(|(least, _)| total < *least) {
                    let chosen = chosen.iter().copied().chain([i]).collect();
                    *place = Some((total, chosen));
                }
            }
        }
        best = next;
    }
    let states: Vec<(f64, Vec<usize>)> = best.into_iter().flatten().collect();
    let within = states.iter().find(|(divergence, _)| *divergence <= budget);
    let least = states.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    within.or(least).map(|(_, chosen)| chosen.clone()).expect("every layer has a choice")
}

fn replaced(
    model: &Model,
    layers: &[(Tensor, Tensor, Function)],
    choices: &[Vec<Choice>],
    chosen: &[usize],
) -> Model {
    let mut model = model.clone();
    for ((&(tensor, x, _), choices), &i) in layers.iter().zip(choices).zip(chosen) {
        let polynomial = choices[i].fit.polynomial.clone();
        model.nodes[tensor.index()].op = Op::Polynomial { x, polynomial };
    }
    model
}

/// How far two models agree.
struct Agreement {
    /// The share of inputs on which they decide alike. A single output decides by its sign around the original's, within
    /// 1 %.
    share: f64,
    /// The mean divergence of the outputs.
    divergence: f64,
    n_inputs: usize,
}

fn agreement(
    original: &Model,
    approximated: &Model,
    inputs: &[ArrayD<f64>],
) -> Result<Agreement, CompileError> {
    let decide = |model: &Model| {
        let outputs = |_, values: &[ArrayD<f64>]| -> Vec<ArrayD<f64>> {
            model.outputs.iter().map(|output| values[output.tensor.index()].clone()).collect()
        };
        interpret::visit(model, inputs, outputs)
            .map_err(|error| CompileError::Calibration(error.to_string()))
    };
    let (a, b) = (decide(original)?, decide(approximated)?);
    let alike = |a: &ArrayD<f64>, b: &ArrayD<f64>| match a.len() {
        1 => a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 0.01 * a.abs().max(1.0)),
        _ => largest(a) == largest(b),
    };
    let count =
        a.iter().zip(&b).filter(|(a, b)| a.iter().zip(*b).all(|(a, b)| alike(a, b))).count();
    let n = a.len().max(1) as f64;
    let outputs = a.iter().flatten().zip(b.iter().flatten());
    let divergence = outputs.map(|(a, b)| divergence(a, b)).sum::<f64>() / n;
    Ok(Agreement { share: count as f64 / n, divergence, n_inputs: a.len() })
}

fn largest(x: &ArrayD<f64>) -> Option<usize> {
    x.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Histogram;

    fn made_up(layers: usize) -> Vec<Vec<Choice>> {
        let fit =
            fit(|x| x, &Histogram::new(-1.0, 1.0, 4), 1, FitConfig { margin: 1.0, floor: 1.0 });
        let choice = |layer: usize, i: usize| Choice {
            degree: i,
            cost: 1 + i * (layer % 3 + 1),
            divergence: ((layer * 7 + 5) % 11 + 1) as f64 / (1 << (2 * i)) as f64,
            fit: fit.clone(),
        };
        (0..layers).map(|layer| (0..4).map(|i| choice(layer, i)).collect()).collect()
    }

    #[test]
    fn dynamic_programming_equals_trying_everything() {
        let layers = made_up(5);
        for budget in [0.5, 2.0, 5.0, 40.0] {
            let cost = |chosen: &[usize]| {
                chosen.iter().zip(&layers).map(|(&i, c)| c[i].cost).sum::<usize>()
            };
            let total = |chosen: &[usize]| {
                chosen.iter().zip(&layers).map(|(&i, c)| c[i].divergence).sum::<f64>()
            };
            let all = (0..4usize.pow(5))
                .map(|k| (0..5).map(|l| k / 4usize.pow(l) % 4).collect::<Vec<_>>());
            let naive =
                all.filter(|chosen| total(chosen) <= budget).map(|chosen| cost(&chosen)).min();
            let found = cheapest(&layers, budget);
            assert_eq!(Some(cost(&found)), naive, "budget {budget}");
            assert!(total(&found) <= budget);
        }
    }

    #[test]
    fn divergence_is_zero_for_equal_outputs() {
        let p = ndarray::array![[1.0, 2.0, -1.0]].into_dyn();
        assert_eq!(divergence(&p, &p), 0.0);
        assert!(divergence(&p, &ndarray::array![[1.0, 2.5, -1.0]].into_dyn()) > 0.0);
    }
}
