//! Whoever runs a network on data that it cannot read.

use std::sync::Arc;

use bytes::Bytes;
use hecc_grammar::cost::KEPT_BYTES;
use hecc_grammar::envelope::{FileError, Kind, Origin, origin_of};
use hecc_grammar::plan::{Interface, ServerFile, server_of_file};
use hecc_runtime::error::RunError;
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::file::{Ciphertexts, read_evaluation_keys, read_inputs, write_outputs};

/// Runs one plan for the owner of one secret key; from any number of threads, on whose runs it has threads of its own. Nothing that it
/// holds is secret.
pub struct Server {
    interface: Interface,
    origin: Origin,
    evaluator: Evaluator<'static>,
}

impl Server {
    /// A server with the file of a plan, or of its server part, and that of evaluation keys, from `Client::evaluation_keys` or
    /// `hecc keygen`. A run uses all cores; encoded weights are kept for the next run while they take no more than two
    /// gigabytes.
    ///
    /// # Errors
    /// If a file is not what it should be, the keys are of another plan, or no threads can be started.
    pub fn new(plan: impl Into<Bytes>, evaluation_keys: &[u8]) -> Result<Server, RunError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let cache_bytes = usize::try_from(KEPT_BYTES).unwrap_or(usize::MAX);
        Server::with_options(plan, evaluation_keys, Options { threads, cache_bytes })
    }

    /// The same with another number of threads or another limit on memory.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_options(
        plan: impl Into<Bytes>,
        evaluation_keys: &[u8],
        options: Options,
    ) -> Result<Server, RunError> {
        let ServerFile { plan, fingerprint } = server_of_file(plan.into())?;
        let interface = plan.interface();
        let key = origin_of(evaluation_keys, Kind::EvaluationKeys)?.key;
        let origin = Origin { plan: fingerprint, key };
        let len = evaluation_keys.len() as u64;
        let (keys, _) = read_evaluation_keys(&interface, origin, evaluation_keys, len)?;
        let evaluator = Evaluator::new(Arc::new(plan), Arc::new(keys), options)?;
        Ok(Server { interface, origin, evaluator })
    }

    /// Runs the plan on the encrypted inputs in a file and returns the file with the encrypted results. The same inputs give the
    /// same bytes.
    ///
    /// # Errors
    /// If the file is not what it should be, or encrypted under another key than the evaluation keys are of.
    pub fn run(&self, inputs: impl Into<Bytes>) -> Result<Vec<u8>, RunError> {
        let Origin { plan, key: expected } = self.origin;
        let inputs = read_inputs(&self.interface, plan, inputs.into())?;
        let Ciphertexts { key: found, n_examples, sets } = inputs;
        if found != expected {
            return Err(FileError::OtherKey { kind: Kind::Input, found, expected }.into());
        }
        let run = |set| self.evaluator.run(self.evaluator.expand(set), &|_, _| {});
        let sets = sets.into_iter().map(run).collect::<Result<_, _>>()?;
        Ok(write_outputs(&self.interface, plan, &Ciphertexts { key: expected, n_examples, sets }))
    }
}
