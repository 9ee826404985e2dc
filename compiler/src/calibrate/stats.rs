//! Ranges and distributions over a set of inputs.

use std::collections::BTreeMap;

use hecc_grammar::model::{Model, Op, Tensor};
use ndarray::ArrayD;

use crate::interpret::{self, InterpretError};

use super::data::Calibration;
use super::quantiles::{self, OfClasses, Quantiles};
use crate::histogram::Histogram;

/// Bins of the distribution of an activation's operand.
const N_BINS: usize = 2000;

/// The smallest and the largest element.
type Range = (f64, f64);

const NOTHING: Range = (f64::INFINITY, f64::NEG_INFINITY);

fn hull(a: Range, b: Range) -> Range {
    (a.0.min(b.0), a.1.max(b.1))
}

/// What was observed.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Smallest and largest element of each tensor of the model.
    pub ranges: Vec<(f64, f64)>,
    /// Quantiles of each tensor of the model: of all elements, or of each class of channels, if it is the argument of polynomials
    /// of channels.
    pub quantiles: Vec<Vec<Quantiles>>,
    /// The outputs of the model for each input, before what is left to the client.
    pub results: Vec<Vec<ArrayD<f64>>>,
    /// Smallest and largest element of each tensor, by input.
    of_inputs: Vec<Vec<Range>>,
    /// What is the range of each tensor in any case: that of inputs which were made up.
    assumed: Vec<Range>,
}

impl Stats {
    /// Observes a model. The same for any number of threads: examples are merged in order.
    ///
    /// # Errors
    /// If the model cannot compute the inputs.
    pub fn collect(model: &Model, calibration: &Calibration) -> Result<Stats, InterpretError> {
        let by_channel: Vec<Tensor> =
            model.tensors().filter_map(|(_, node)| argument_of_channels(&node.op)).collect();
        let of_channels = |values: &[ArrayD<f64>]| -> Vec<OfClasses> {
            by_channel.iter().map(|x| OfClasses::of(&values[x.index()])).collect()
        };
        let range = |value: &ArrayD<f64>| value.iter().fold(NOTHING, |all, &x| hull(all, (x, x)));
        let results = |values: &[ArrayD<f64>]| -> Vec<ArrayD<f64>> {
            model.outputs.iter().map(|output| values[output.tensor.index()].clone()).collect()
        };
        let seen = |_, values: &[ArrayD<f64>]| OfInput {
            ranges: values.iter().map(range).collect(),
            samples: values.iter().map(quantiles::sample).collect(),
            classes: of_channels(values),
            results: results(values),
        };
        let per_input = interpret::visit(model, &calibration.inputs, seen)?;
        let mut samples = vec![vec![]; model.nodes.len()];
        let mut classes: Vec<OfClasses> = vec![];
        let (mut of_inputs, mut results) = (vec![], vec![]);
        for input in per_input {
            match classes.is_empty() {
                true => classes = input.classes,
                false => {
                    classes.iter_mut().zip(input.classes).for_each(|(all, one)| all.merge(one));
                }
            }
            samples.iter_mut().zip(input.samples).for_each(|(all, one)| all.extend(one));
            of_inputs.push(input.ranges);
            results.push(input.results);
        }
        let mut assumed = vec![NOTHING; model.nodes.len()];
        let ranges = hulls(&of_inputs, &assumed);
        let is_finite = |(lo, hi): &(f64, f64)| lo.is_finite() && hi.is_finite();
        if let Some((_, node)) =
            ranges.iter().zip(&model.nodes).find(|(range, _)| !is_finite(range))
        {
            return Err(InterpretError::NotFinite { name: node.name.clone() });
        }
        if let Some(range) = calibration.assumed {
            model.inputs().for_each(|(tensor, _)| assumed[tensor.index()] = range);
        }
        let ranges = hulls(&of_inputs, &assumed);
        let of_all = samples.into_iter().zip(&ranges).map(|(s, r)| vec![quantiles::of(s, *r)]);
        let mut quantiles: Vec<Vec<Quantiles>> = of_all.collect();
        for (x, of_classes) in by_channel.iter().zip(classes) {
            quantiles[x.index()] = of_classes.quantiles();
        }
        Ok(Stats { ranges, quantiles, results, of_inputs, assumed })
    }

    /// Smallest and largest element of each tensor over some of the inputs.
    pub fn ranges_over(&self, rows: &[usize]) -> Vec<(f64, f64)> {
        let of_rows: Vec<Vec<Range>> =
            rows.iter().map(|&row| self.of_inputs[row].clone()).collect();
        hulls(&of_rows, &self.assumed)
    }

    /// The outputs for some of the inputs.
    pub fn results_over(&self, rows: &[usize]) -> Vec<Vec<ArrayD<f64>>> {
        rows.iter().map(|&row| self.results[row].clone()).collect()
    }
}

/// What is seen of one input.
struct OfInput {
    ranges: Vec<Range>,
    samples: Vec<Vec<f64>>,
    classes: Vec<OfClasses>,
    results: Vec<ArrayD<f64>>,
}

/// Smallest and largest element of each tensor, `assumed` where that is anything.
fn hulls(of_inputs: &[Vec<Range>], assumed: &[Range]) -> Vec<Range> {
    let of_tensor = |(tensor, &assumed): (usize, &Range)| match assumed {
        nothing if nothing == NOTHING => {
            of_inputs.iter().map(|ranges| ranges[tensor]).fold(NOTHING, hull)
        }
        range => range,
    };
    assumed.iter().enumerate().map(of_tensor).collect()
}

/// The distributions of the operands of activations over some inputs, in bins of the ranges given, which may be those over
/// more inputs.
///
/// # Errors
/// If the model cannot compute the inputs.
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
