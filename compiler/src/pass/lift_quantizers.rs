//! Takes rounding out of a network: what inputs are rounded to is left to the client, rounding between layers is dropped.
//!
//! Before: `FakeQuant` anywhere. After: none, and where one clamped much, as those that stand for a ReLU do, the clamping
//! as an activation. Integers that are multiplied and added stay integers without rounding, they
//! only grow wider; so dropping it changes a value by at most half its scale, unless the quantizer also clamped it.

use hecc_grammar::model::{Function, Model, Node, Op, Quantizer, Tensor};

use crate::calibrate::{Calibration, Stats};
use crate::passes::{Artifact, Made};

/// Values outside a quantizer's range by less than this part of it are outliers.
const NEGLIGIBLE_EXCESS: f64 = 0.02;

/// A network without rounding.
#[derive(Clone, Debug)]
pub struct Lifted {
    /// The network. Tensors keep their numbers: where a quantizer was is its clamping, or a `Reshape` to the same shape.
    pub model: Model,
    /// For each input what the client rounds it by, if the network does so before anything else.
    pub inputs: Vec<Option<Quantizer>>,
    /// For each input its tensor and its range on the calibration data, before it is rounded.
    pub ranges: Vec<(Tensor, (f64, f64))>,
    /// Quantizers that were dropped.
    pub dropped: Vec<Requantization>,
}

/// A quantizer between layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Requantization {
    /// The ONNX node.
    pub node: String,
    /// What dropping it changes on the calibration data.
    pub effect: Effect,
    /// Its scale.
    pub scale: f64,
}

/// What a quantizer between layers does to its operand on the calibration data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// All values are within its range: dropping it moves each by at most half its scale.
    Rounds,
    /// Some are a little outside its range: dropping it also moves these.
    Clamps,
    /// Some are far outside: it is an activation, of which only the rounding is dropped.
    Activates,
}

/// Lifts the quantizers of a model that was observed on calibration inputs.
pub fn lift_quantizers(model: &Model, stats: &Stats) -> Lifted {
    let origins = input_origins(model);
    let inputs = input_quantizers(model);
    let positions: Vec<Tensor> = model.inputs().map(|(tensor, _)| tensor).collect();
    let lifted = |tensor: Tensor, quantizer: &Quantizer| {
        origins[tensor.index()].is_some_and(|origin| {
            let at = positions.iter().position(|&input| input == origin);
            at.is_some_and(|at| inputs[at].as_ref() == Some(quantizer))
        })
    };
    let mut new = model.clone();
    let mut dropped = vec![];
    for (tensor, Node { op, name, .. }) in model.tensors() {
        let Op::FakeQuant { x, quantizer } = op else { continue };
        new.nodes[tensor.index()].op = Op::Reshape(*x);
        if lifted(*x, quantizer) {
            continue;
        }
        let (lo, hi) = stats.ranges[x.index()];
        let (least, most) = quantizer.levels();
        let (least, most) = (least as f64 * quantizer.scale, most as f64 * quantizer.scale);
        let excess = f64::max(least - lo, hi - most);
        let effect = if excess <= quantizer.scale / 2.0 {
            Effect::Rounds
        } else if excess <= NEGLIGIBLE_EXCESS * (most - least) {
            Effect::Clamps
        } else {
            let function = clamping((lo, hi), (least, most));
            new.nodes[tensor.index()].op = Op::Activation { x: *x, function };
            Effect::Activates
        };
        dropped.push(Requantization { node: name.clone(), effect, scale: quantizer.scale });
    }
    let ranges = positions.iter().map(|&input| (input, stats.ranges[input.index()])).collect();
    Lifted { model: new, inputs, ranges, dropped }
}

/// For each input the quantizer that everything reads it through, if there is one.
pub fn input_quantizers(model: &Model) -> Vec<Option<Quantizer>> {
    let origins = input_origins(model);
    model.inputs().map(|(input, _)| own_quantizer(model, &origins, input)).collect()
}

impl Artifact for Lifted {
    fn made(&self) -> Option<Made<'_>> {
        Some(Made::Model(&self.model))
    }
}

impl Lifted {
    /// The range of a tensor: of an input before it is rounded, of any other as observed.
    pub fn range(&self, observed: &[(f64, f64)], tensor: Tensor) -> (f64, f64) {
        let input = self.ranges.iter().find(|(input, _)| *input == tensor);
        input.map_or(observed[tensor.index()], |(_, range)| *range)
    }

    /// The calibration inputs as the client sends them.
    pub fn quantized(&self, calibration: &Calibration) -> Calibration {
        let mut quantized = calibration.clone();
        for (array, quantizer) in quantized.inputs.iter_mut().zip(&self.inputs) {
            if let Some(quantizer) = quantizer {
                array.mapv_inplace(|x| quantizer.apply(x));
            }
        }
        quantized
    }
}

/// What clamping to a range does to values of another, on the sides where it does anything.
fn clamping((lo, hi): (f64, f64), (least, most): (f64, f64)) -> Function {
    let lo = if lo < least { least } else { f64::NEG_INFINITY };
    let hi = if hi > most { most } else { f64::INFINITY };
    match (lo, hi) {
        (0.0, f64::INFINITY) => Function::Relu,
        _ => Function::Clip { lo, hi },
    }
}

/// For each tensor the input whose elements it only moves, if there is one.
fn input_origins(model: &Model) -> Vec<Option<Tensor>> {
    let mut origins: Vec<Option<Tensor>> = vec![];
    for (tensor, node) in model.tensors() {
        let origin = if let Op::Input = node.op {
            Some(tensor)
        } else if let Op::Reshape(x) | Op::Transpose { x, .. } | Op::Slice { x, .. } = &node.op {
            origins[x.index()]
        } else {
            None
        };
        origins.push(origin);
    }
    origins
}

/// The quantizer that everything reads an input through, if there is one.
fn own_quantizer(model: &Model, origins: &[Option<Tensor>], input: Tensor) -> Option<Quantizer> {
    let mut found = None;
    for (tensor, node) in model.tensors() {
        let reads = node.op.operands().iter().any(|x| origins[x.index()] == Some(input));
        if !reads || origins[tensor.index()] == Some(input) {
            continue;
        }
        let Op::FakeQuant { quantizer, .. } = &node.op else { return None };
        if found.is_some_and(|other| other != *quantizer) {
            return None;
        }
        found = Some(*quantizer);
    }
    found
}
