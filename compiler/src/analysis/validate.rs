//! Tells how good the finished network is: on inputs that nothing was fitted to, after the last change to it.

use hecc_grammar::model::{Model, apply_client_ops};
use hecc_grammar::plan::{Accuracy, OutputErrors, Share, Validation, class_of};
use ndarray::ArrayD;

use crate::calibrate::{Calibration, Targets};
use crate::error::CompileError;
use crate::judge::{Judge, RSquared, Results, results};
use crate::pass::lift_quantizers::Lifted;

/// Inputs that were held out, with what networks should say of them.
pub struct HeldOut<'a> {
    original: &'a Model,
    judge: &'a Judge,
    /// As the client sends them.
    inputs: Vec<ArrayD<f64>>,
    targets: Option<Targets>,
    /// Results of the network that was given.
    expected: Vec<Results>,
    /// Results of the network that is approximated: with rounded weights and inputs, without rounding between layers.
    rounded: Option<Vec<Results>>,
}

impl<'a> HeldOut<'a> {
    /// Of inputs with what the network that was given says of them.
    ///
    /// # Errors
    /// If a network cannot compute the inputs.
    pub fn new(
        original: &'a Model,
        held_out: &Calibration,
        expected: Vec<Results>,
        lifted: &Lifted,
        judge: &'a Judge,
    ) -> Result<HeldOut<'a>, CompileError> {
        let inputs = lifted.quantized(held_out).inputs;
        let is_same = *original == lifted.model;
        Ok(HeldOut {
            original,
            judge,
            targets: held_out.targets.clone(),
            expected,
            rounded: (!is_same).then(|| results(&lifted.model, &inputs)).transpose()?,
            inputs,
        })
    }

    /// Results of the network that is approximated.
    pub fn before(&self) -> &[Results] {
        self.rounded.as_ref().unwrap_or(&self.expected)
    }

    /// Compares the network that is shipped with the one that was given.
    ///
    /// # Errors
    /// If it cannot compute the inputs.
    pub fn validate(&self, shipped: &Model) -> Result<Validation, CompileError> {
        let found = results(shipped, &self.inputs)?;
        let rounded = self.before();
        let total = self.judge.compare_all(&self.expected, &found);
        let approximation = self.judge.compare_all(rounded, &found);
        let rounding = self.judge.compare_all(&self.expected, rounded);
        let errors = |k: usize| {
            let (least_spread, spread) = self.judge.spread(k);
            OutputErrors {
                least_spread,
                spread,
                approximation: approximation[k].size(),
                rounding: rounding[k].size(),
                total: total[k].size(),
            }
        };
        Ok(Validation {
            n_inputs: found.len() as u64,
            agreement: total.iter().filter_map(|distance| distance.agreement()).reduce(both),
            accuracy: self.accuracy(&found),
            outputs: (0..total.len()).map(errors).collect(),
            better: None,
        })
    }

    fn accuracy(&self, found: &[Results]) -> Option<Accuracy> {
        match self.targets.as_ref()? {
            Targets::Classes(classes) => Some(Accuracy::Classes {
                original: self.right(classes, &self.expected)?,
                compiled: self.right(classes, found)?,
            }),
            Targets::Values(values) => Some(Accuracy::Values {
                original: self.r_squared(values, &self.expected)?,
                compiled: self.r_squared(values, found)?,
            }),
        }
    }

    /// The inputs whose class is right, if the first output says one class for each.
    fn right(&self, classes: &[usize], results: &[Results]) -> Option<Share> {
        let (kind, output) = (self.judge.kinds.first()?, self.original.outputs.first()?);
        let class = |results: &Results| class_of(*kind, &output.client, &results[0]);
        let found: Vec<usize> = results.iter().map(class).collect::<Option<_>>()?;
        let count = found.iter().zip(classes).filter(|(found, class)| found == class).count();
        let of = found.len() as u64;
        (of > 0).then_some(Share { count: count as u64, of })
    }

    /// How well the numbers that the first output ends in are predicted.
    fn r_squared(&self, targets: &[Vec<f64>], results: &[Results]) -> Option<f64> {
        let client = &self.original.outputs.first()?.client;
        let mut sums = RSquared::default();
        for (targets, results) in targets.iter().zip(results) {
            let predicted = apply_client_ops(client, results[0].clone());
            if predicted.len() != targets.len() {
                return None;
            }
            let predicted: Vec<f64> = predicted.iter().copied().collect();
            sums.add(targets, &predicted);
        }
        sums.value()
    }
}

fn both(a: Share, b: Share) -> Share {
    Share { count: a.count + b.count, of: a.of + b.of }
}
