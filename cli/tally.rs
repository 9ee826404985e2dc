//! What `hecc simulate` counts: right answers, errors of layers and outputs.

use anyhow::Result;
use hecc_grammar::plan::Plan;
use hecc_runtime::eval::Noise;

use crate::error_stats::ErrorStats;
use crate::flags::Flags;
use crate::twin::{Trace, Twin};

/// What one way of evaluation gave, over all inputs.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// Inputs whose class is the label.
    pub(crate) right: usize,
    /// Inputs whose class is the original network's.
    pub(crate) agreeing: usize,
    /// Errors of each layer against the original network.
    pub(crate) layers: Vec<ErrorStats>,
    /// Errors of the outputs against the original network.
    pub(crate) output: ErrorStats,
}

/// Everything counted, for one input or several.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    /// Inputs seen.
    pub(crate) inputs: usize,
    /// Inputs for which the original network's class is the label.
    pub(crate) original_right: usize,
    /// The plan in exact arithmetic.
    pub(crate) clear: Tally,
    /// The plan with the noise of encryption.
    pub(crate) noisy: Tally,
    /// Errors of each layer, noisy against clear.
    pub(crate) noise: Vec<ErrorStats>,
    /// Elements of each layer outside its calibrated range.
    pub(crate) outside: Vec<u64>,
    /// Inputs and results that are unlike the calibration data.
    pub(crate) flags: Flags,
}

/// Which evaluations are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// In exact arithmetic.
    pub(crate) clear: bool,
    /// With noise drawn from this seed.
    pub(crate) noisy: Option<u64>,
}

/// Evaluates one input in all ways wanted.
pub(crate) fn count(
    twin: &Twin<'_>,
    plan: &Plan,
    tensors: &[Vec<f64>],
    label: Option<usize>,
    wanted: Wanted,
) -> Result<Counts> {
    let original = twin.original(tensors)?;
    let clear = wanted.clear.then(|| twin.run(tensors, Noise::None)).transpose()?;
    let noisy = wanted.noisy.map(|seed| twin.run(tensors, Noise::Predicted(seed))).transpose()?;
    let tally = |trace: &Option<Trace>| {
        trace.as_ref().map(|trace| tally(trace, original.as_ref(), label)).unwrap_or_default()
    };
    let is_right = |trace: &Trace| label.is_some() && class_of(trace) == label;
    let mut counts = Counts {
        inputs: 1,
        original_right: usize::from(original.as_ref().is_some_and(is_right)),
        clear: tally(&clear),
        noisy: tally(&noisy),
        ..Counts::default()
    };
    if let (Some(clear), Some(noisy)) = (&clear, &noisy) {
        counts.noise = errors(&noisy.layers, &clear.layers);
    }
    if let Some(trace) = clear.as_ref().or(noisy.as_ref()) {
        let layers = trace.layers.iter().zip(&plan.layers);
        counts.outside = layers.map(|(values, layer)| outside(values, layer.range)).collect();
        let differs = original.as_ref().is_some_and(|o| class_of(o) != class_of(trace));
        counts.flags = Flags::of(plan, tensors, &trace.outputs, differs);
    }
    Ok(counts)
}

/// The counts of both.
pub(crate) fn merge(a: Counts, b: Counts) -> Counts {
    let stats = |a: Vec<ErrorStats>, b: Vec<ErrorStats>| -> Vec<ErrorStats> {
        a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect()
    };
    let tally = |a: Tally, b: Tally| Tally {
        right: a.right + b.right,
        agreeing: a.agreeing + b.agreeing,
        layers: stats(a.layers, b.layers),
        output: a.output.merge(b.output),
    };
    Counts {
        flags: a.flags.merge(b.flags),
        inputs: a.inputs + b.inputs,
        original_right: a.original_right + b.original_right,
        clear: tally(a.clear, b.clear),
        noisy: tally(a.noisy, b.noisy),
        noise: stats(a.noise, b.noise),
        outside: a.outside.into_iter().zip(b.outside).map(|(a, b)| a + b).collect(),
    }
}

fn tally(trace: &Trace, original: Option<&Trace>, label: Option<usize>) -> Tally {
    let class = class_of(trace);
    let right = usize::from(label.is_some() && class == label);
    let Some(original) = original else {
        return Tally { right, ..Tally::default() };
    };
    Tally {
        right,
        agreeing: usize::from(class == class_of(original)),
        layers: errors(&trace.layers, &original.layers),
        output: errors(&trace.outputs, &original.outputs)
            .into_iter()
            .fold(ErrorStats::default(), ErrorStats::merge),
    }
}

fn errors(found: &[Vec<f64>], expected: &[Vec<f64>]) -> Vec<ErrorStats> {
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| ErrorStats::between(found, expected))
        .collect()
}

/// The class with the highest score in the first output; none for a single number.
fn class_of(trace: &Trace) -> Option<usize> {
    let scores = trace.outputs.first().filter(|scores| scores.len() > 1)?;
    let larger = |best: usize, (i, x): (usize, &f64)| if *x > scores[best] { i } else { best };
    Some(scores.iter().enumerate().fold(0, larger))
}

fn outside(values: &[f64], (lo, hi): (f64, f64)) -> u64 {
    let slack = 1e-6 * (hi - lo).abs();
    values.iter().filter(|&&x| !(x >= lo - slack && x <= hi + slack)).count() as u64
}
