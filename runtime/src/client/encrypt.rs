//! Tensors to slots to fresh ciphertexts, and slots to tensors.

use hecc_grammar::envelope::KeyId;
use hecc_grammar::plan::{ClientPart, Form, Input, Params, Scheme, Slots, Type};

use crate::error::RunError;
use crate::kernel::active;
use crate::ring::{Ring, SecretRng};
use crate::rlwe::{FreshCiphertext, Mask, Poly};
use crate::scheme::bfv::Batch;
use crate::scheme::ckks::{Embedding, encode_slots};

use super::secret_key::{Secret, SecretPoly};
use super::{PublicKey, SecretKey};

/// What to do with a number outside the range that the plan was calibrated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangePolicy {
    /// Refuse it.
    Refuse,
    /// Encrypt it all the same.
    Allow,
}

/// What inputs are encrypted under.
#[derive(Clone, Copy)]
pub enum EncryptionKey<'a> {
    /// By the owner of the key.
    Secret(&'a SecretKey),
    /// By anyone.
    Public(&'a PublicKey),
}

impl EncryptionKey<'_> {
    /// Names the secret key that decrypts.
    pub fn id(self) -> KeyId {
        match self {
            EncryptionKey::Secret(key) => key.id(),
            EncryptionKey::Public(key) => key.id(),
        }
    }
}

/// Encrypts the plan's input tensors, flattened in row-major order.
///
/// Out:   ciphertexts at the inputs' level and the top scale, under the secret key half of each a seed; with several
///        plaintext primes those of the first come first.
/// Noise: `noise::fresh` and `noise::encode`.
///
/// # Errors
/// If the tensors do not fit the plan's inputs.
pub fn encrypt(
    client: &ClientPart,
    key: EncryptionKey<'_>,
    rng: &mut SecretRng,
    tensors: &[Vec<f64>],
    policy: RangePolicy,
) -> Result<Vec<FreshCiphertext>, RunError> {
    let slots = place_inputs(client, tensors, policy)?;
    let params = &client.interface.params;
    let ring = Ring::new(params);
    let limbs: Vec<usize> = params.input_limbs().iter().collect();
    let ty = Type {
        form: Form::Q,
        limbs: params.input_limbs(),
        scale: params.top_scale(),
        degree: 1,
        ephemeral: false,
    };
    let mut zeros = Zeros::new(&ring, key, &limbs);
    let encrypt_one = |message: SecretPoly| {
        let (mut body, mask) = zeros.next(rng);
        body.0.update(|k, out| {
            let q = ring.modulus(limbs[k]);
            out.iter_mut().zip(message.limb(k)).for_each(|(b, &m)| *b = q.add(*b, m));
        });
        FreshCiphertext { mask, body: (*body).clone(), ty }
    };
    Ok(messages(params, &ring, slots, &limbs).map(encrypt_one).collect())
}

/// Makes fresh encryptions of zero.
enum Zeros<'a> {
    Secret { ring: &'a Ring, limbs: &'a [usize], s: SecretPoly },
    Public { ring: &'a Ring, key: &'a PublicKey },
}

impl<'a> Zeros<'a> {
    fn new(ring: &'a Ring, key: EncryptionKey<'a>, limbs: &'a [usize]) -> Zeros<'a> {
        match key {
            EncryptionKey::Secret(secret) => {
                Zeros::Secret { ring, limbs, s: secret.poly(ring, limbs) }
            }
            EncryptionKey::Public(key) => Zeros::Public { ring, key },
        }
    }

    fn next(&mut self, rng: &mut SecretRng) -> (SecretPoly, Mask) {
        let (ring, limbs, s) = match self {
            Zeros::Public { ring, key } => return key.zero(ring, rng),
            Zeros::Secret { ring, limbs, s } => (ring, limbs, s),
        };
        let seed = rng.public_seed();
        let uniform = FreshCiphertext::uniform_half(ring, &seed, limbs);
        let error = Secret(rng.error(ring.n())).poly(ring, limbs);
        let body = Poly::build(ring.n(), limbs.len(), |k, out| {
            let q = ring.modulus(limbs[k]);
            (active().mul)(out, uniform.limb(k), s.limb(k), q);
            out.iter_mut().zip(error.limb(k)).for_each(|(b, &e)| *b = q.sub(e, *b));
        });
        (SecretPoly(body), Mask::Seed(seed))
    }
}

/// The encoded slots of every ciphertext, on the limbs.
fn messages<'a>(
    params: &'a Params,
    ring: &'a Ring,
    slots: Vec<Vec<f64>>,
    limbs: &'a [usize],
) -> Box<dyn Iterator<Item = SecretPoly> + 'a> {
    match params.scheme() {
        Scheme::Ckks => {
            let embedding = Embedding::new(params.n_slots());
            let scale = params.top_scale();
            Box::new(slots.into_iter().map(move |slots| {
                SecretPoly(encode_slots(ring, &embedding, Slots::real(slots), scale, limbs))
            }))
        }
        Scheme::Bfv => Box::new(params.t().iter().flat_map(move |&t| {
            let batch = Batch::new(ring.n(), t);
            let message = |slots: &Vec<f64>| {
                let slots = slots.iter().map(|&x| batch.modulus().from_integer(x));
                let coefficients = batch.to_coefficients(&slots.collect::<Vec<_>>());
                SecretPoly(batch.as_summand(ring, &coefficients, 1, limbs))
            };
            slots.iter().map(message).collect::<Vec<_>>()
        })),
    }
}

/// What a slot holds is below this: whatever the scale, encoding it overflows nowhere.
const LARGEST: f64 = 1e150;

/// What a slot holds for an element.
fn slot_value(scheme: Scheme, input: &Input, element: f64) -> f64 {
    let x = input.quantizer.map_or(element, |quantizer| quantizer.apply(element)) * input.factor;
    match scheme {
        Scheme::Ckks => x,
        Scheme::Bfv => x.round_ties_even(),
    }
}

/// The slots of every input ciphertext for the given tensors; of a batch, those of one input after those of the other.
///
/// # Errors
/// If the tensors do not fit the plan's inputs, or a number is out of range and the policy refuses it.
pub fn place_inputs(
    client: &ClientPart,
    tensors: &[Vec<f64>],
    policy: RangePolicy,
) -> Result<Vec<Vec<f64>>, RunError> {
    let ClientPart { interface, inputs, .. } = client;
    let params = &interface.params;
    if tensors.len() != inputs.len() {
        return Err(RunError::TensorCount { found: tensors.len(), expected: inputs.len() });
    }
    let mut ciphertexts = vec![];
    for (input, tensor) in inputs.iter().zip(tensors) {
        let expected = input.shape.iter().product();
        let n_examples = tensor.len() / usize::max(expected, 1);
        if !tensor.len().is_multiple_of(expected) || !(1..=interface.batch).contains(&n_examples) {
            let (name, shape) = (input.name.clone(), input.shape.clone());
            return Err(RunError::TensorLength { name, found: tensor.len(), expected, shape });
        }
        for (example, elements) in tensor.chunks(expected).enumerate() {
            let outside = match policy {
                RangePolicy::Refuse => input.ranges.first_outside(&input.shape, elements),
                RangePolicy::Allow => None,
            };
            let fits = |x: f64| slot_value(params.scheme(), input, x).abs() < LARGEST;
            let outside = outside.or_else(|| elements.iter().position(|&x| !fits(x)));
            if let Some(element) = outside {
                let (lo, hi) = input.ranges.of(&input.shape, element);
                let (name, place) = (input.name.clone(), place(input, element));
                let value = elements[element];
                return Err(RunError::OutOfRange { name, example, place, value, lo, hi });
            }
        }
        for runs in &input.slots {
            let mut slots = vec![0.0; params.n_slots()];
            for (slot, element) in runs.pairs() {
                for (example, tensor) in tensor.chunks(expected).enumerate() {
                    let value = slot_value(params.scheme(), input, tensor[element as usize]);
                    slots[slot as usize + example] = value;
                }
            }
            ciphertexts.push(slots);
        }
    }
    Ok(ciphertexts)
}

/// What an element is called: a feature of a table, else its place in the tensor.
fn place(input: &Input, element: usize) -> String {
    let outer = input.shape.iter().rev().skip(1).product::<usize>();
    if outer == 1 {
        return format!("feature {element}");
    }
    let mut rest = element;
    let mut indices: Vec<usize> = vec![];
    for &extent in input.shape.iter().rev() {
        indices.push(rest % extent);
        rest /= extent;
    }
    indices.reverse();
    format!("element {indices:?}")
}

/// The plan's output tensors, flattened in row-major order, from the slots of its output ciphertexts; of a batch, those of
/// one input after those of the other, also where there was none.
///
/// # Panics
/// If the number of ciphertexts is not the plan's.
pub fn read_outputs(client: &ClientPart, ciphertexts: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (mut ciphertexts, batch) = (ciphertexts.iter(), client.interface.batch);
    let read = |output: &hecc_grammar::plan::Output| {
        let n_elements: usize = output.shape.iter().product();
        let mut tensor = vec![0.0; n_elements * batch];
        for (_, runs) in &output.slots {
            let slots = ciphertexts.next().expect("one slot vector for each output ciphertext");
            for (slot, element) in runs.pairs() {
                let scale = output.element_scales.get(element as usize).unwrap_or(&1.0);
                for example in 0..batch {
                    let value = slots[slot as usize + example] * output.factor * scale;
                    tensor[example * n_elements + element as usize] = value;
                }
            }
        }
        tensor
    };
    client.outputs.iter().map(read).collect()
}
