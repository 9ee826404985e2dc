//! Ranges and distributions over a set of inputs.

use std::collections::BTreeMap;

use hecc_grammar::model::{Model, Op, Tensor};

use crate::interpret::{self, InterpretError};

use super::data::Calibration;
use super::histogram::Histogram;
use super::quantiles::{self, OfClasses, Quantiles};

/// Bins of the distribution of an activation's operand.
const N_BINS: usize = 2000;

/// What was observed.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Smallest and largest element of each tensor of the model.
    pub ranges: Vec<(f64, f64)>,
    /// Quantiles of each tensor of the model: of all elements, or of each class of channels, if it is the argument of polynomials
    /// of channels.
    pub quantiles: Vec<Vec<Quantiles>>,
    /// Number of inputs observed.
    pub n_examples: usize,
    /// For each output its elements, a list for each input.
    pub outputs: Vec<Vec<Vec<f64>>>,
}

impl Stats {
    /// Observes a model. The same for any number of threads: examples are merged in order.
    pub fn collect(model: &Model, calibration: &Calibration) -> Result<Stats, InterpretError> {
        let by_channel: Vec<Tensor> =
            model.tensors().filter_map(|(_, node)| argument_of_channels(&node.op)).collect();
        let of_channels = |values: &[ndarray::ArrayD<f64>]| -> Vec<OfClasses> {
            by_channel.iter().map(|x| OfClasses::of(&values[x.index()])).collect()
        };
        let bounds = |values: &[ndarray::ArrayD<f64>]| -> Vec<((f64, f64), Vec<f64>)> {
            let fold = |(lo, hi): (f64, f64), &x: &f64| (lo.min(x), hi.max(x));
            let range = |value: &ndarray::ArrayD<f64>| {
                value.iter().fold((f64::INFINITY, f64::NEG_INFINITY), fold)
            };
            values.iter().map(|value| (range(value), quantiles::sample(value))).collect()
        };
        let results = |values: &[ndarray::ArrayD<f64>]| -> Vec<Vec<f64>> {
            let elements = |tensor: Tensor| values[tensor.index()].iter().copied().collect();
            model.outputs.iter().map(|output| elements(output.tensor)).collect()
        };
        let seen = |_, values: &[ndarray::ArrayD<f64>]| {
            ((bounds(values), of_channels(values)), results(values))
        };
        let per_example = interpret::visit(model, &calibration.inputs, seen)?;
        let n_examples = per_example.len();
        let (per_example, results): (Vec<_>, Vec<_>) = per_example.into_iter().unzip();
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); model.nodes.len()];
        let mut samples = vec![vec![]; model.nodes.len()];
        let mut classes: Vec<OfClasses> = vec![];
        for (example, of_classes) in per_example {
            match classes.is_empty() {
                true => classes = of_classes,
                false => classes.iter_mut().zip(of_classes).for_each(|(all, one)| all.merge(one)),
            }
            for (tensor, ((lo, hi), sample)) in example.into_iter().enumerate() {
                let range = &mut ranges[tensor];
                *range = (range.0.min(lo), range.1.max(hi));
                samples[tensor].extend(sample);
            }
        }
        let is_finite = |(lo, hi): &(f64, f64)| lo.is_finite() && hi.is_finite();
        if let Some((_, node)) =
            ranges.iter().zip(&model.nodes).find(|(range, _)| !is_finite(range))
        {
            return Err(InterpretError::NotFinite { name: node.name.clone() });
        }
        if let Some(assumed) = calibration.assumed {
            model.inputs().for_each(|(tensor, _)| ranges[tensor.index()] = assumed);
        }
        let of_all = samples.into_iter().zip(&ranges).map(|(s, r)| vec![quantiles::of(s, *r)]);
        let mut quantiles: Vec<Vec<Quantiles>> = of_all.collect();
        for (x, of_classes) in by_channel.iter().zip(classes) {
            quantiles[x.index()] = of_classes.quantiles();
        }
        let of_output = |i: usize| results.iter().map(|result| result[i].clone()).collect();
        let outputs = (0..model.outputs.len()).map(of_output).collect();
        Ok(Stats { ranges, quantiles, n_examples, outputs })
    }
}

/// The distributions of the operands of activations over some inputs, in bins of the ranges given, which may be those over
/// more inputs.
pub fn histograms(
    model: &Model,
    calibration: &Calibration,
    ranges: &[(f64, f64)],
) -> Result<BTreeMap<Tensor, Histogram>, InterpretError> {
    let operands: Vec<Tensor> = model.tensors().filter_map(|(_, node)| operand(&node.op)).collect();
    let empty = |&x: &Tensor| (x, Histogram::new(ranges[x.index()].0, ranges[x.index()].1, N_BINS));
    let empty: BTreeMap<Tensor, Histogram> = operands.iter().map(empty).collect();
    let per_example = interpret::visit(model, &calibration.inputs, |_, values| {
        let mut histograms = empty.clone();
        for (x, histogram) in &mut histograms {
            values[x.index()].iter().for_each(|&v| histogram.add(v));
        }
        histograms
    })?;
    let mut histograms = empty;
    for example in per_example {
        histograms.iter_mut().zip(example.values()).for_each(|((_, sum), one)| sum.merge(one));
    }
    Ok(histograms)
}

/// The operand of polynomials of channels.
fn argument_of_channels(op: &Op) -> Option<Tensor> {
    if let Op::ChannelPolynomials { x, .. } = op { Some(*x) } else { None }
}

/// The operand of an activation.
fn operand(op: &Op) -> Option<Tensor> {
    if let Op::Activation { x, .. } = op { Some(*x) } else { None }
}
