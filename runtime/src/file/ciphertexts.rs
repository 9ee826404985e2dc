//! Ciphertexts: parameters, number of examples, the ciphertexts of a set, then the sets.
//!
//! A set is what one run of the plan takes or gives, in BFV for the first plaintext prime, then for the next. A seeded ciphertext is its seed and `c_0`; any other is all its
//! polynomials. Limbs are packed.

use bytes::Bytes;
use hecc_grammar::envelope::{
    self, Envelope, FileError, Fingerprint, KeyId, Kind, Origin, open, seal,
};
use hecc_grammar::plan::{Form, Interface, LimbSet, Params, ResultType, Type};

use crate::rlwe::{Ciphertext, FreshCiphertext, Mask, Poly};

use super::pack::{packed_limbs_bytes, put_limbs, read_limbs};
use super::{Reader, check_params, params_bytes, put_params};

/// The ciphertexts of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertexts<T> {
    /// Names the key that they are encrypted under.
    pub key: KeyId,
    /// How many examples they are.
    pub n_examples: usize,
    /// One set for each run of the plan.
    pub sets: Vec<Vec<T>>,
}

/// What a ciphertext in a file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signature {
    /// Its primes.
    pub limbs: LimbSet,
    /// log2 of its scale.
    pub scale: f64,
    /// Polynomials minus one.
    pub degree: u8,
    /// Whether the last polynomial is a seed.
    pub seeded: bool,
}

/// Bytes of a [`Signature`] in a file.
const ENTRY_BYTES: usize = 24;
/// Bytes of the number of examples and the number of ciphertexts in a set.
const COUNTS_BYTES: usize = 8;
const SEED_BYTES: usize = 16;

/// The exact size of a file with `n_examples` inputs of a plan, under the secret key (`seeded`) or the public key.
pub fn input_bytes(interface: &Interface, n_examples: usize, seeded: bool) -> u64 {
    envelope::file_size(payload_bytes(interface, &input_signatures(interface, seeded), n_examples))
}

/// The exact size of a file with `n_examples` outputs of a plan.
pub fn output_bytes(interface: &Interface, n_examples: usize) -> u64 {
    envelope::file_size(payload_bytes(interface, &output_signatures(interface), n_examples))
}

/// A file with encrypted inputs of the plan named by `fingerprint`.
///
/// # Panics
/// If a ciphertext is not what the plan takes.
pub fn write_inputs(
    interface: &Interface,
    fingerprint: Fingerprint,
    inputs: &Ciphertexts<FreshCiphertext>,
) -> Vec<u8> {
    let mut all = inputs.sets.iter().flatten();
    let seeded = all.any(|ciphertext| matches!(ciphertext.mask, Mask::Seed(_)));
    let signatures = input_signatures(interface, seeded);
    let mut payload = head(interface, &signatures, inputs);
    for set in &inputs.sets {
        assert_eq!(set.len(), signatures.len(), "a set has the plan's input ciphertexts");
        for (ciphertext, signature) in set.iter().zip(&signatures) {
            assert_eq!(ciphertext.ty, signature.ty(), "inputs have the plan's type");
            match &ciphertext.mask {
                Mask::Seed(seed) => payload.extend(seed),
                Mask::Poly(mask) => {
                    assert!(!seeded, "all inputs of a file are under the same key");
                    put_poly(&mut payload, interface, signature, mask);
                }
            }
            put_poly(&mut payload, interface, signature, &ciphertext.body);
        }
    }
    seal(Kind::Input, Origin { plan: fingerprint, key: inputs.key }, &payload)
}

/// A file with encrypted outputs of the plan named by `fingerprint`.
///
/// # Panics
/// If a ciphertext is not what the plan gives.
pub fn write_outputs(
    interface: &Interface,
    fingerprint: Fingerprint,
    outputs: &Ciphertexts<Ciphertext>,
) -> Vec<u8> {
    let signatures = output_signatures(interface);
    let mut payload = head(interface, &signatures, outputs);
    for set in &outputs.sets {
        assert_eq!(set.len(), signatures.len(), "a set has the plan's output ciphertexts");
        for (ciphertext, signature) in set.iter().zip(&signatures) {
            assert_eq!(ciphertext.ty, signature.ty(), "outputs have the plan's types");
            ciphertext
                .polys
                .iter()
                .for_each(|poly| put_poly(&mut payload, interface, signature, poly));
        }
    }
    seal(Kind::Result, Origin { plan: fingerprint, key: outputs.key }, &payload)
}

/// Reads encrypted inputs of the plan named by `fingerprint`, at least one set.
///
/// # Errors
/// If the file is damaged, belongs to another plan, or holds anything else.
pub fn read_inputs(
    interface: &Interface,
    fingerprint: Fingerprint,
    file: Bytes,
) -> Result<Ciphertexts<FreshCiphertext>, FileError> {
    let envelope = open(file, Kind::Input)?;
    envelope.expect_plan(fingerprint)?;
    let either = [true, false].map(|seeded| input_signatures(interface, seeded));
    read(interface, &envelope, &either, |reader, signature| {
        let mask = match signature.seeded {
            true => Mask::Seed(reader.seed()?),
            false => Mask::Poly(read_poly(reader, &interface.params, signature)?),
        };
        let body = read_poly(reader, &interface.params, signature)?;
        Ok(FreshCiphertext { mask, body, ty: signature.ty() })
    })
}

/// Reads encrypted outputs of the plan, under the key, that `origin` names, at least one set.
///
/// # Errors
/// If the file is damaged, belongs to another plan or key, or holds anything else.
pub fn read_outputs(
    interface: &Interface,
    origin: Origin,
    file: Bytes,
) -> Result<Ciphertexts<Ciphertext>, FileError> {
    let envelope = open(file, Kind::Result)?;
    envelope.expect(origin)?;
    read(interface, &envelope, &[output_signatures(interface)], |reader, signature| {
        let polys = (0..=signature.degree).map(|_| read_poly(reader, &interface.params, signature));
        Ok(Ciphertext { polys: polys.collect::<Result<_, _>>()?, ty: signature.ty() })
    })
}

/// Reads sets whose ciphertexts are one of the lists of `allowed`.
fn read<T>(
    interface: &Interface,
    envelope: &Envelope,
    allowed: &[Vec<Signature>],
    one: impl Fn(&mut Reader<'_>, &Signature) -> Result<T, FileError>,
) -> Result<Ciphertexts<T>, FileError> {
    let mut reader = Reader::new(envelope.kind, &envelope.payload);
    check_params(&mut reader, &interface.params)?;
    let (n_examples, signatures) = Signature::read_table(&mut reader)?;
    if !allowed.contains(&signatures) {
        let what = format!("ciphertexts {signatures:?}, the plan has {:?}", allowed[0]);
        return Err(reader.malformed(what));
    }
    let per_set: usize =
        signatures.iter().map(|signature| signature.bytes(&interface.params)).sum();
    let n_sets = interface.n_runs(n_examples as usize);
    let expected = per_set.checked_mul(n_sets);
    if n_sets == 0 || expected != Some(reader.left()) {
        let left = reader.left();
        let what = format!(
            "{left} bytes for {n_examples} examples, {n_sets} sets of {per_set} bytes, expected at least one"
        );
        return Err(reader.malformed(what));
    }
    let mut set = || signatures.iter().map(|signature| one(&mut reader, signature)).collect();
    let sets = (0..n_sets).map(|_| set()).collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(Ciphertexts { key: envelope.origin.key, n_examples: n_examples as usize, sets })
}

impl Signature {
    /// The type of the ciphertext.
    pub fn ty(&self) -> Type {
        let Signature { limbs, scale, degree, .. } = *self;
        Type { form: Form::Q, limbs, scale, degree, ephemeral: false }
    }

    fn bytes(&self, params: &Params) -> usize {
        let poly = packed_limbs_bytes(params, &limb_indices(self));
        if self.seeded { SEED_BYTES + poly } else { poly * (usize::from(self.degree) + 1) }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.limbs.0.to_le_bytes());
        out.extend(self.scale.to_le_bytes());
        out.extend(u32::from(self.degree).to_le_bytes());
        out.extend(u32::from(self.seeded).to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Signature, FileError> {
        let (limbs, scale) = (LimbSet(reader.u64()?), reader.f64()?);
        match [reader.u32()?, reader.u32()?] {
            [degree @ 1..=2, seeded @ 0..=1] => {
                Ok(Signature { limbs, scale, degree: degree as u8, seeded: seeded == 1 })
            }
            [degree, seeded] => Err(reader
                .malformed(format!("degree {degree} and {seeded} seeds, expected 1 or 2, 0 or 1"))),
        }
    }

    /// Number of examples, and the ciphertexts of a set.
    pub(super) fn read_table(reader: &mut Reader<'_>) -> Result<(u32, Vec<Signature>), FileError> {
        let (n_examples, count) = (reader.u32()?, reader.u32()? as usize);
        if count > reader.left() / ENTRY_BYTES {
            return Err(reader.malformed(format!("{count} ciphertexts do not fit the file")));
        }
        let signatures = (0..count).map(|_| Signature::read(reader)).collect::<Result<_, _>>()?;
        Ok((n_examples, signatures))
    }
}

fn input_signatures(interface: &Interface, seeded: bool) -> Vec<Signature> {
    let params = &interface.params;
    let (limbs, scale) = (params.input_limbs(), params.top_scale());
    let count = interface.n_inputs * params.n_instances();
    vec![Signature { limbs, scale, degree: 1, seeded }; count]
}

fn output_signatures(interface: &Interface) -> Vec<Signature> {
    let signature = |result: &ResultType| {
        let ResultType { limbs, scale, correction_factors: _ } = *result;
        Signature { limbs, scale, degree: 1, seeded: false }
    };
    let signatures: Vec<Signature> = interface.results.iter().map(signature).collect();
    signatures.repeat(interface.params.n_instances())
}

fn head<T>(interface: &Interface, signatures: &[Signature], content: &Ciphertexts<T>) -> Vec<u8> {
    let n_sets = interface.n_runs(content.n_examples);
    assert_eq!(content.sets.len(), n_sets, "there is a set for each run");
    let n_examples = u32::try_from(content.n_examples).expect("fewer than 2^32 examples");
    let mut head = vec![];
    put_params(&mut head, &interface.params);
    [n_examples, signatures.len() as u32].iter().for_each(|n| head.extend(n.to_le_bytes()));
    signatures.iter().for_each(|signature| signature.put(&mut head));
    head
}

fn payload_bytes(interface: &Interface, signatures: &[Signature], n_examples: usize) -> u64 {
    let head = params_bytes(&interface.params) + COUNTS_BYTES + ENTRY_BYTES * signatures.len();
    let set: usize = signatures.iter().map(|signature| signature.bytes(&interface.params)).sum();
    (head + interface.n_runs(n_examples) * set) as u64
}

fn put_poly(out: &mut Vec<u8>, interface: &Interface, signature: &Signature, poly: &Poly) {
    put_limbs(out, &interface.params, &limb_indices(signature), poly);
}

fn read_poly(
    reader: &mut Reader<'_>,
    params: &Params,
    signature: &Signature,
) -> Result<Poly, FileError> {
    read_limbs(reader, params, &limb_indices(signature))
}

fn limb_indices(signature: &Signature) -> Vec<usize> {
    signature.limbs.iter().collect()
}
