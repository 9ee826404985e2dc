//! What a plan computes on one input without encryption, layer by layer, with and without its noise; and what the original
//! network computes there.

use hecc_compiler::interpret::{self, InterpretError};
use hecc_compiler::lower::nodes_of_layers;
use hecc_compiler::pipeline::Compiled;
use hecc_grammar::model::Model;
use hecc_grammar::plan::{Layer, VerifiedClientPart, VerifiedPlan};
use hecc_runtime::client::{RangePolicy, place_inputs, read_outputs};
use hecc_runtime::error::RunError;
use hecc_runtime::eval::{ClearEvaluator, Noise};
use ndarray::ArrayD;

/// Memory for constants that are expanded once for all inputs.
const CACHE_BYTES: usize = 1 << 30;

/// Runs a plan and its original network, and records what their layers hold.
pub struct Tracer<'a> {
    plan: &'a VerifiedPlan,
    client: VerifiedClientPart,
    evaluator: ClearEvaluator<'a>,
    source: Option<&'a Model>,
    /// For each layer the tensor of the network that it is.
    tensors: Vec<Option<u32>>,
    /// For each value of the plan, the layers that it is part of.
    observed: Vec<Vec<Part>>,
}

/// A ciphertext's share of a layer's result.
struct Part {
    layer: usize,
    /// Slot and element.
    pairs: Vec<(u32, u32)>,
}

/// All layers and the outputs, on one input.
pub struct Trace {
    /// Elements of each layer's result.
    pub layers: Vec<Vec<f64>>,
    /// Elements of each output, before what the client applies.
    pub outputs: Vec<Vec<f64>>,
}

impl<'a> Tracer<'a> {
    /// Prepares a plan and the network that it was compiled from.
    pub fn new(plan: &'a VerifiedPlan, source: Option<&'a Model>) -> Tracer<'a> {
        let mut observed: Vec<Vec<Part>> = plan.ops.iter().map(|_| vec![]).collect();
        for (layer, described) in plan.layers.iter().enumerate() {
            for (value, runs) in &described.slots {
                observed[value.index()].push(Part { layer, pairs: runs.pairs() });
            }
        }
        let evaluator = ClearEvaluator::new(plan, CACHE_BYTES);
        let tensors = plan.layers.iter().map(|layer| layer.tensor).collect();
        Tracer { plan, client: plan.client_part(), evaluator, source, tensors, observed }
    }

    /// Prepares a plan that was just compiled and the network with polynomials that it computes.
    pub fn of_approximated(compiled: &'a Compiled) -> Tracer<'a> {
        let mut tracer = Tracer::new(&compiled.plan, Some(&compiled.approximated));
        if compiled.integers.is_none() {
            let nodes = nodes_of_layers(&compiled.graph, &compiled.plan);
            tracer.tensors = nodes.into_iter().map(|node| Some(node.tensor.0)).collect();
        }
        tracer
    }

    /// Runs the plan in the clear on one example, a tensor for each input, flattened in row-major order.
    ///
    /// # Errors
    /// If the tensors are not those that the plan takes.
    pub fn run(&self, tensors: &[Vec<f64>], noise: Noise) -> Result<Trace, RunError> {
        let slots = place_inputs(&self.client, tensors, RangePolicy::Allow)?;
        let empty = |layer: &Layer| vec![0.0; layer.shape.iter().product()];
        let mut layers: Vec<Vec<f64>> = self.plan.layers.iter().map(empty).collect();
        let outputs = self.evaluator.run(&slots, noise, |value, slots| {
            for Part { layer, pairs } in &self.observed[value.index()] {
                let described = &self.plan.layers[*layer];
                for &(slot, element) in pairs {
                    layers[*layer][element as usize] =
                        described.factor * slots[slot as usize] + described.offset;
                }
            }
        });
        let mut outputs = read_outputs(&self.client, &outputs);
        // Of a batch there is one.
        outputs.iter_mut().for_each(|tensor| tensor.truncate(tensor.len() / self.plan.batch));
        Ok(Trace { layers, outputs })
    }

    /// Runs the original network on the same, if it is stored. A layer that is no tensor of it has no elements.
    ///
    /// # Errors
    /// If values become infinite, or no numbers.
    ///
    /// # Panics
    /// If a tensor has not as many elements as the plan takes.
    pub fn original(&self, tensors: &[Vec<f64>]) -> Result<Option<Trace>, InterpretError> {
        let Some(model) = self.source else { return Ok(None) };
        let shaped = tensors.iter().zip(&self.plan.inputs);
        let inputs = shaped
            .map(|(tensor, input)| ArrayD::from_shape_vec(input.shape.clone(), tensor.clone()))
            .collect::<Result<Vec<_>, _>>()
            .expect("tensors have the elements of the plan's inputs");
        let values = interpret::run_all(model, &inputs)?;
        let flat = |array: &ArrayD<f64>| array.iter().copied().collect::<Vec<f64>>();
        let layer = |(layer, tensor): (&Layer, &Option<u32>)| {
            let value = tensor.and_then(|tensor| values.get(tensor as usize));
            let same_size = value.filter(|v| v.len() == layer.shape.iter().product::<usize>());
            same_size.map_or_else(Vec::new, flat)
        };
        let layers = self.plan.layers.iter().zip(&self.tensors).map(layer).collect();
        let outputs = model.outputs.iter().map(|o| flat(&values[o.tensor.index()])).collect();
        Ok(Some(Trace { layers, outputs }))
    }
}
