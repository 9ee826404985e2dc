//! The part of a plan that the owner of the data needs: nothing of the network's inside.

use super::noise::{self, Deviation};
use super::{Input, Interface, Output, Scheme, Value, VerifiedClientPart, VerifiedPlan};

/// What keys are made, inputs encrypted and results decrypted by. It holds no weights and no instructions.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientPart {
    /// Name of the model.
    pub name: String,
    /// Keys and ciphertexts.
    pub interface: Interface,
    /// What the client encrypts.
    pub inputs: Vec<Input>,
    /// What the client decrypts. Their values are numbers of results, in order: those of the first output come first.
    pub outputs: Vec<Output>,
    /// What the error of each result's slots stays below, as the plan's noise analysis has it; 0 in BFV. Whoever has this part
    /// only takes it on trust.
    pub bounds: Vec<f64>,
}

impl VerifiedPlan {
    /// Its client part, for which its noise is analyzed.
    pub fn client_part(&self) -> VerifiedClientPart {
        let deviations = match self.params.scheme() {
            Scheme::Ckks => noise::analyze(self),
            Scheme::Bfv => vec![Deviation::NONE; self.ops.len()],
        };
        let mut outputs = self.outputs.clone();
        let places = outputs.iter_mut().flat_map(|output| &mut output.slots);
        places.enumerate().for_each(|(k, (value, _))| *value = Value(k as u32));
        VerifiedClientPart::of_plan(ClientPart {
            name: self.name.clone(),
            interface: self.interface(),
            inputs: self.inputs.clone(),
            outputs,
            bounds: self.output_values().map(|value| deviations[value.index()].bound).collect(),
        })
    }
}
