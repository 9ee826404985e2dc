//! What `hecc simulate` compares with the original network: right answers, errors of layers and outputs.

use anyhow::Result;
use hecc::measure::{Trace, Tracer};
use hecc_compiler::calibrate::Targets;
use hecc_compiler::judge::RSquared;
use hecc_grammar::model::apply_client_ops;
use hecc_grammar::plan::{OutputKind, Plan, class_of};
use hecc_runtime::eval::Noise;
use ndarray::ArrayD;

use crate::measure::error_stats::ErrorStats;
use crate::measure::flags::Flags;

/// What one way of evaluation gave, over all inputs.
#[derive(Clone, Default)]
pub(crate) struct Evaluation {
    /// Inputs whose class is the label.
    pub(crate) right: usize,
    /// Decisions that are the original network's.
    pub(crate) agreeing: usize,
    /// How well numbers that are known are predicted.
    pub(crate) predicted: RSquared,
    /// Errors of each layer against the original network.
    pub(crate) layers: Vec<ErrorStats>,
    /// Errors of the outputs against the original network.
    pub(crate) output: ErrorStats,
}

/// All evaluations, of one input or several.
#[derive(Clone, Default)]
pub(crate) struct Comparison {
    /// Inputs seen.
    pub(crate) inputs: usize,
    /// Decisions made for them.
    pub(crate) decisions: usize,
    /// The original network.
    pub(crate) original: Evaluation,
    /// The plan in exact arithmetic.
    pub(crate) clear: Evaluation,
    /// The plan with the noise of encryption.
    pub(crate) noisy: Evaluation,
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

/// What an input is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// What its outputs are for.
    pub(crate) kinds: &'a [OutputKind],
    /// What the first output should be, of this input only.
    pub(crate) target: Option<&'a Targets>,
}

/// Evaluates one input in all ways wanted.
pub(crate) fn compare(
    tracer: &Tracer<'_>,
    by: Judged<'_>,
    tensors: &[Vec<f64>],
    wanted: Wanted,
) -> Result<Comparison> {
    let original = tracer.original(tensors)?;
    let clear = wanted.clear.then(|| tracer.run(tensors, Noise::None)).transpose()?;
    let noisy = wanted.noisy.map(|seed| tracer.run(tensors, Noise::Predicted(seed))).transpose()?;
    let evaluation = |trace: &Option<Trace>| -> Result<Evaluation> {
        let trace = trace.as_ref().map(|trace| by.evaluate(trace, original.as_ref()));
        Ok(trace.transpose()?.unwrap_or_default())
    };
    let mut comparison = Comparison {
        inputs: 1,
        original: evaluation(&original)?,
        clear: evaluation(&clear)?,
        noisy: evaluation(&noisy)?,
        ..Comparison::default()
    };
    if let (Some(clear), Some(noisy)) = (&clear, &noisy) {
        comparison.noise = errors(&noisy.layers, &clear.layers);
    }
    if let Some(trace) = clear.as_ref().or(noisy.as_ref()) {
        comparison.decisions = by.decisions(trace).iter().map(Vec::len).sum();
        let layers = trace.layers.iter().zip(&by.plan.layers);
        comparison.outside = layers.map(|(values, layer)| outside(values, layer.range)).collect();
        let differs = original.as_ref().is_some_and(|o| by.decisions(o) != by.decisions(trace));
        comparison.flags = Flags::of(by.plan, tensors, &trace.outputs, differs);
    }
    Ok(comparison)
}

/// The comparison over the inputs of both.
pub(crate) fn merge(a: Comparison, b: Comparison) -> Comparison {
    let stats = |a: Vec<ErrorStats>, b: Vec<ErrorStats>| -> Vec<ErrorStats> {
        a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect()
    };
    let evaluation = |a: Evaluation, b: Evaluation| Evaluation {
        right: a.right + b.right,
        agreeing: a.agreeing + b.agreeing,
        predicted: a.predicted.merge(b.predicted),
        layers: stats(a.layers, b.layers),
        output: a.output.merge(b.output),
    };
    Comparison {
        flags: a.flags.merge(b.flags),
        inputs: a.inputs + b.inputs,
        decisions: a.decisions + b.decisions,
        original: evaluation(a.original, b.original),
        clear: evaluation(a.clear, b.clear),
        noisy: evaluation(a.noisy, b.noisy),
        noise: stats(a.noise, b.noise),
        outside: a.outside.into_iter().zip(b.outside).map(|(a, b)| a + b).collect(),
    }
}

impl Judged<'_> {
    /// What each output decides.
    fn decisions(&self, trace: &Trace) -> Vec<Vec<usize>> {
        let outputs = self.kinds.iter().zip(&self.plan.outputs).zip(&trace.outputs);
        outputs.map(|((kind, output), numbers)| kind.decisions(&output.shape, numbers)).collect()
    }

    /// The first output, before what the client applies.
    fn first(&self, trace: &Trace) -> Result<ArrayD<f64>> {
        let shape = self.plan.outputs[0].shape.clone();
        Ok(ArrayD::from_shape_vec(shape, trace.outputs[0].clone())?)
    }

    fn evaluate(&self, trace: &Trace, original: Option<&Trace>) -> Result<Evaluation> {
        let decisions = self.decisions(trace);
        let mut evaluation = Evaluation::default();
        match self.target {
            None => {}
            Some(Targets::Classes(class)) => {
                let found =
                    class_of(self.kinds[0], &self.plan.outputs[0].client, &self.first(trace)?);
                evaluation.right = usize::from(found == class.first().copied());
            }
            Some(Targets::Values(rows)) => {
                let client = &self.plan.outputs[0].client;
                let predicted = apply_client_ops(client, self.first(trace)?);
                let predicted: Vec<f64> = predicted.iter().copied().collect();
                rows.iter().for_each(|targets| evaluation.predicted.add(targets, &predicted));
            }
        }
        if let Some(original) = original {
            let others = self.decisions(original);
            let pairs = decisions.iter().flatten().zip(others.iter().flatten());
            evaluation.agreeing = pairs.filter(|(a, b)| a == b).count();
            evaluation.layers = errors(&trace.layers, &original.layers);
            let outputs = errors(&trace.outputs, &original.outputs);
            evaluation.output = outputs.into_iter().fold(ErrorStats::default(), ErrorStats::merge);
        }
        Ok(evaluation)
    }
}

fn errors(found: &[Vec<f64>], expected: &[Vec<f64>]) -> Vec<ErrorStats> {
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| ErrorStats::between(found, expected))
        .collect()
}

fn outside(values: &[f64], (lo, hi): (f64, f64)) -> u64 {
    let slack = 1e-6 * (hi - lo).abs();
    values.iter().filter(|&&x| !(x >= lo - slack && x <= hi + slack)).count() as u64
}
