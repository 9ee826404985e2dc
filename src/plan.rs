//! A compiled network: what others are given of it, and what it costs.

use std::sync::Arc;

use bytes::Bytes;
use hecc_grammar::cost;
use hecc_grammar::envelope::{FileError, Fingerprint};
use hecc_grammar::model::Model;
use hecc_grammar::plan::{
    Input, Output, PlanFile, VerifiedPlan, client_to_bytes, fingerprint, from_bytes,
    server_to_bytes, to_bytes,
};
use hecc_runtime::file::{evaluation_keys_bytes, input_bytes, output_bytes};

/// A compiled network. It is no secret, but holds the network's weights.
#[derive(Clone, Debug)]
pub struct Plan {
    plan: Arc<VerifiedPlan>,
    /// The network that it was compiled from, if that is known.
    source: Option<Arc<Model>>,
}

impl Plan {
    /// A plan and the network that it computes.
    #[cfg(feature = "compiler")]
    pub(crate) fn new(plan: VerifiedPlan, source: Model) -> Plan {
        Plan { plan: plan.into(), source: Some(source.into()) }
    }

    /// Reads the file of a plan, which may be hostile: all that it promises is checked.
    ///
    /// # Errors
    /// If it is no file of a plan, damaged, of another version, or breaks a promise.
    pub fn from_bytes(file: impl Into<Bytes>) -> Result<Plan, FileError> {
        let PlanFile { plan, source, .. } = from_bytes(file.into())?;
        Ok(Plan { plan: plan.into(), source: source.map(Arc::new) })
    }

    /// The file of the plan: that of `hecc compile`, for whoever may have the network. The same plan gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.plan, self.source.as_deref())
    }

    /// The file of its client part, for whoever has the data: what inputs and results mean, neither weights nor the network.
    ///
    /// # Errors
    /// If the plan's noise analysis proves nothing of a result.
    pub fn client_part(&self) -> Result<Vec<u8>, FileError> {
        client_to_bytes(&self.plan)
    }

    /// The file of its server part, for whoever runs it: no names, ranges or classes.
    pub fn server_part(&self) -> Vec<u8> {
        server_to_bytes(&self.plan)
    }

    /// Names the plan in its parts, its keys and all that is encrypted for it.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.plan)
    }

    /// What it takes, in the order in which inputs are encrypted: names, shapes (a batch dimension of 1 in front, as the network has
    /// it), ranges.
    pub fn inputs(&self) -> &[Input] {
        &self.plan.inputs
    }

    /// What it gives, in the order in which results are decrypted.
    pub fn outputs(&self) -> &[Output] {
        &self.plan.outputs
    }

    /// How many examples one run computes at once.
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// Predicted seconds of a run on one core, weights encoded before. Like all costs of the compiler they are those of the machine
    /// that the table shipped with it was measured on.
    pub fn seconds(&self) -> f64 {
        cost::plan_seconds(&cost::DEFAULT, &self.plan)
    }

    /// Bytes of memory that a run takes for keys and values.
    pub fn memory_bytes(&self) -> u64 {
        cost::key_bytes(&self.plan) + cost::peak_value_bytes(&self.plan)
    }

    /// Bytes of the file of its evaluation keys.
    pub fn evaluation_keys_bytes(&self) -> u64 {
        evaluation_keys_bytes(&self.plan.interface())
    }

    /// Bytes of a file with so many examples, encrypted under the secret key; about twice as many under the public key.
    pub fn input_bytes(&self, n_examples: usize) -> u64 {
        input_bytes(&self.plan.interface(), n_examples, true)
    }

    /// Bytes of a file with so many results.
    pub fn result_bytes(&self, n_examples: usize) -> u64 {
        output_bytes(&self.plan.interface(), n_examples)
    }
}
