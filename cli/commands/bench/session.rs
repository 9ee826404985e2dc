//! Keys, inputs and repeated runs of one plan.

use std::time::{Duration, Instant};

use anyhow::Result;
use hecc_grammar::plan::VerifiedPlan;
use hecc_runtime::client::{
    EncryptionKey, RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys,
};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::ring::SecretRng;

use crate::terminal::console::Console;
use crate::terminal::progress::Progress;

/// What was measured.
pub(crate) struct Measured {
    /// Median seconds of a run.
    pub(crate) seconds: f64,
    /// Median seconds of each instruction.
    pub(crate) instructions: Vec<f64>,
    /// The decrypted outputs of the last run.
    pub(crate) outputs: Vec<Vec<f64>>,
}

/// Runs a plan on the tensors once to encode its plaintexts and `repeats` times to measure.
pub(crate) fn measure(
    plan: &VerifiedPlan,
    tensors: &[Vec<f64>],
    threads: usize,
    repeats: usize,
    console: &Console,
) -> Result<Measured> {
    let secret = SecretKey::generate()?;
    let mut rng = SecretRng::from_os()?;
    let bar = Progress::new(console, "keys", plan.keys().len());
    let client = plan.client_part();
    let keys = evaluation_keys(&client.interface, &secret, &mut rng, &|done, _| bar.set(done));
    drop(bar);
    let key = EncryptionKey::Secret(&secret);
    let fresh = encrypt(&client, key, &mut rng, tensors, RangePolicy::Refuse)?;
    let evaluator = Evaluator::new(plan, &keys, Options { threads, cache_bytes: usize::MAX })?;
    let inputs = evaluator.expand(fresh);
    let bar = Progress::new(console, "runs", (repeats + 1) * plan.ops.len());
    let mut runs = vec![];
    let mut by_instruction = vec![vec![]; plan.ops.len()];
    let mut outputs = vec![];
    for run in 0..=repeats {
        let (before, inputs) = (evaluator.times(), inputs.clone());
        let start = Instant::now();
        outputs = evaluator.run(inputs, &|done, _| bar.set(run * plan.ops.len() + done))?;
        let seconds = start.elapsed().as_secs_f64();
        if run == 0 {
            continue;
        }
        runs.push(seconds);
        let spent = evaluator.times().into_iter().zip(before).map(|(after, before)| after - before);
        for (all, time) in by_instruction.iter_mut().zip(spent) {
            all.push(Duration::as_secs_f64(&time));
        }
    }
    Ok(Measured {
        seconds: median(runs),
        instructions: by_instruction.into_iter().map(median).collect(),
        outputs: decrypt(&client, &secret, &outputs)?,
    })
}

/// The median; of an even number the lower one.
pub(crate) fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list.get(list.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
