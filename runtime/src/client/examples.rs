//! Any number of inputs and results: as many to a run of the plan as its batch has room for.

use hecc_grammar::plan::{ClientPart, Input};

use crate::error::RunError;
use crate::file::Ciphertexts;
use crate::ring::SecretRng;
use crate::rlwe::{Ciphertext, FreshCiphertext};

use super::{EncryptionKey, RangePolicy, SecretKey, decrypt, encrypt, unusual_input};

/// Encrypts examples. `inputs` has a slice for each input of the plan: its elements for the first example, in row-major order, then
/// those for the next. `progress(done)` is called after each run's share.
///
/// # Errors
/// If there are no examples, not as many of each input, or one does not fit the plan: see [`encrypt`].
pub fn encrypt_examples(
    client: &ClientPart,
    key: EncryptionKey<'_>,
    rng: &mut SecretRng,
    inputs: &[&[f64]],
    policy: RangePolicy,
    progress: &dyn Fn(usize),
) -> Result<Ciphertexts<FreshCiphertext>, RunError> {
    let n_examples = count(client, inputs)?;
    let mut sets = vec![];
    for first in (0..n_examples).step_by(client.interface.batch) {
        let end = n_examples.min(first + client.interface.batch);
        let share = |(elements, input): (&&[f64], &Input)| {
            let size = size(input);
            elements[first * size..end * size].to_vec()
        };
        let tensors: Vec<Vec<f64>> = inputs.iter().zip(&client.inputs).map(share).collect();
        let set = encrypt(client, key, rng, &tensors, policy);
        sets.push(set.map_err(|error| error.after_examples(first))?);
        progress(end);
    }
    Ok(Ciphertexts { key: key.id(), n_examples, sets })
}

/// Decrypts the results of examples: for each example its output tensors, flattened in row-major order.
///
/// # Errors
/// In BFV, if noise has passed its bound.
///
/// # Panics
/// If the ciphertexts are not the plan's.
pub fn decrypt_examples(
    client: &ClientPart,
    secret: &SecretKey,
    results: &Ciphertexts<Ciphertext>,
) -> Result<Vec<Vec<Vec<f64>>>, RunError> {
    let batch = client.interface.batch;
    let mut examples = vec![];
    for set in &results.sets {
        let tensors = decrypt(client, secret, set)?;
        for example in 0..batch.min(results.n_examples - examples.len()) {
            let share = |tensor: &Vec<f64>| {
                let size = tensor.len() / batch;
                tensor[example * size..][..size].to_vec()
            };
            examples.push(tensors.iter().map(share).collect());
        }
    }
    Ok(examples)
}

/// The numbers of examples, as [`encrypt_examples`] takes them, that are unlike the calibration data though all of their elements
/// are in range: results for them may be wrong.
///
/// # Errors
/// If there are no examples, or not as many of each input.
pub fn unusual_examples(client: &ClientPart, inputs: &[&[f64]]) -> Result<Vec<usize>, RunError> {
    let is_unusual = |example: &usize| {
        inputs.iter().zip(&client.inputs).any(|(elements, input)| {
            let size = size(input);
            unusual_input(input, &elements[example * size..][..size]).is_some()
        })
    };
    Ok((0..count(client, inputs)?).filter(is_unusual).collect())
}

/// Elements of one example.
fn size(input: &Input) -> usize {
    input.shape.iter().product()
}

/// The number of examples, at least one.
fn count(client: &ClientPart, inputs: &[&[f64]]) -> Result<usize, RunError> {
    let (found, expected) = (inputs.len(), client.inputs.len());
    if found != expected {
        return Err(RunError::TensorCount { found, expected });
    }
    let first = inputs.first().zip(client.inputs.first());
    let n_examples = first.map_or(1, |(elements, input)| elements.len() / size(input)).max(1);
    for (elements, input) in inputs.iter().zip(&client.inputs) {
        let (found, expected) = (elements.len(), n_examples * size(input));
        if found != expected {
            let (name, shape) = (input.name.clone(), input.shape.clone());
            return Err(RunError::TensorLength { name, found, expected, shape });
        }
    }
    Ok(n_examples)
}
