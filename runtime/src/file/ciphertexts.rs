//! Ciphertexts: parameters, number of examples, the ciphertexts of a set, then the sets.
//!
//! A set is what one run of the plan takes or gives, in BFV for the first plaintext prime, then for the next. A seeded ciphertext is its seed and `c_0`; any other is all its
//! polynomials. Limbs are packed.

use bytes::Bytes;
use hecc_grammar::envelope::{Envelope, FileError, Fingerprint, KeyId, Kind, Origin, open, seal};
use hecc_grammar::plan::{Form, LimbSet, Params, Plan, Type, VerifiedPlan};

use crate::rlwe::{Ciphertext, FreshCiphertext, Poly};

use super::pack::{pack, packed_bytes, unpack};
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

/// The exact size of a file with `n_examples` inputs of a plan.
pub fn input_bytes(plan: &Plan, n_examples: usize) -> u64 {
    Kind::Input.file_size(payload_bytes(plan, &input_signatures(plan), n_examples))
}

/// The exact size of a file with `n_examples` outputs of a plan.
pub fn output_bytes(plan: &Plan, n_examples: usize) -> u64 {
    Kind::Result.file_size(payload_bytes(plan, &output_signatures(plan), n_examples))
}

/// A file with encrypted inputs of the plan named by `fingerprint`.
///
/// # Panics
/// If a ciphertext is not what the plan takes.
pub fn write_inputs(
    plan: &Plan,
    fingerprint: Fingerprint,
    inputs: &Ciphertexts<FreshCiphertext>,
) -> Vec<u8> {
    let signatures = input_signatures(plan);
    let mut payload = head(plan, &signatures, inputs);
    for set in &inputs.sets {
        assert_eq!(set.len(), signatures.len(), "a set has the plan's input ciphertexts");
        for (ciphertext, signature) in set.iter().zip(&signatures) {
            assert_eq!(ciphertext.ty, signature.ty(), "inputs have the plan's type");
            payload.extend(ciphertext.seed);
            put_poly(&mut payload, plan, signature, &ciphertext.body);
        }
    }
    seal(Kind::Input, Origin { plan: fingerprint, key: inputs.key }, &payload)
}

/// A file with encrypted outputs of the plan named by `fingerprint`.
///
/// # Panics
/// If a ciphertext is not what the plan gives.
pub fn write_outputs(
    plan: &Plan,
    fingerprint: Fingerprint,
    outputs: &Ciphertexts<Ciphertext>,
) -> Vec<u8> {
    let signatures = output_signatures(plan);
    let mut payload = head(plan, &signatures, outputs);
    for set in &outputs.sets {
        assert_eq!(set.len(), signatures.len(), "a set has the plan's output ciphertexts");
        for (ciphertext, signature) in set.iter().zip(&signatures) {
            assert_eq!(ciphertext.ty, signature.ty(), "outputs have the plan's types");
            ciphertext.polys.iter().for_each(|poly| put_poly(&mut payload, plan, signature, poly));
        }
    }
    seal(Kind::Result, Origin { plan: fingerprint, key: outputs.key }, &payload)
}

/// Reads encrypted inputs of the plan named by `fingerprint`, at least one set.
///
/// # Errors
/// If the file is damaged, belongs to another plan, or holds anything else.
pub fn read_inputs(
    plan: &VerifiedPlan,
    fingerprint: Fingerprint,
    file: Bytes,
) -> Result<Ciphertexts<FreshCiphertext>, FileError> {
    let envelope = open(file, Kind::Input)?;
    envelope.expect_plan(fingerprint)?;
    read(plan, &envelope, &input_signatures(plan), |reader, signature| {
        let seed = reader.seed()?;
        let body = read_poly(reader, &plan.params, signature)?;
        Ok(FreshCiphertext { seed, body, ty: signature.ty() })
    })
}

/// Reads encrypted outputs of the plan, under the key, that `origin` names, at least one set.
///
/// # Errors
/// If the file is damaged, belongs to another plan or key, or holds anything else.
pub fn read_outputs(
    plan: &VerifiedPlan,
    origin: Origin,
    file: Bytes,
) -> Result<Ciphertexts<Ciphertext>, FileError> {
    let envelope = open(file, Kind::Result)?;
    envelope.expect(origin)?;
    read(plan, &envelope, &output_signatures(plan), |reader, signature| {
        let polys = (0..=signature.degree).map(|_| read_poly(reader, &plan.params, signature));
        Ok(Ciphertext { polys: polys.collect::<Result<_, _>>()?, ty: signature.ty() })
    })
}

fn read<T>(
    plan: &VerifiedPlan,
    envelope: &Envelope,
    signatures: &[Signature],
    one: impl Fn(&mut Reader<'_>, &Signature) -> Result<T, FileError>,
) -> Result<Ciphertexts<T>, FileError> {
    let mut reader = Reader::new(envelope.kind, &envelope.payload);
    check_params(&mut reader, &plan.params)?;
    let (n_examples, found) = Signature::read_table(&mut reader)?;
    if found != signatures {
        let what = format!("ciphertexts {found:?}, the plan has {signatures:?}");
        return Err(reader.malformed(what));
    }
    let per_set: usize = signatures.iter().map(|signature| signature.bytes(&plan.params)).sum();
    let n_sets = plan.n_runs(n_examples as usize);
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
        let primes = self.limbs.iter().map(|limb| params.q[limb]);
        let poly: usize = primes.map(|q| packed_bytes(params.ring_degree(), q)).sum();
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

fn input_signatures(plan: &Plan) -> Vec<Signature> {
    let (limbs, scale) = (plan.params.input_limbs(), plan.params.top_scale);
    let count = plan.n_input_ciphertexts() * plan.params.n_instances();
    vec![Signature { limbs, scale, degree: 1, seeded: true }; count]
}

fn output_signatures(plan: &Plan) -> Vec<Signature> {
    let signature = |value| {
        let Type { limbs, scale, degree, form: _, ephemeral: _ } = plan.ty(value);
        Signature { limbs, scale, degree, seeded: false }
    };
    let signatures: Vec<Signature> = plan.output_values().map(signature).collect();
    signatures.repeat(plan.params.n_instances())
}

fn head<T>(plan: &Plan, signatures: &[Signature], content: &Ciphertexts<T>) -> Vec<u8> {
    let n_sets = plan.n_runs(content.n_examples);
    assert_eq!(content.sets.len(), n_sets, "there is a set for each run");
    let n_examples = u32::try_from(content.n_examples).expect("fewer than 2^32 examples");
    let mut head = vec![];
    put_params(&mut head, &plan.params);
    [n_examples, signatures.len() as u32].iter().for_each(|n| head.extend(n.to_le_bytes()));
    signatures.iter().for_each(|signature| signature.put(&mut head));
    head
}

fn payload_bytes(plan: &Plan, signatures: &[Signature], n_examples: usize) -> u64 {
    let head = params_bytes(&plan.params) + COUNTS_BYTES + ENTRY_BYTES * signatures.len();
    let set: usize = signatures.iter().map(|signature| signature.bytes(&plan.params)).sum();
    (head + plan.n_runs(n_examples) * set) as u64
}

fn put_poly(out: &mut Vec<u8>, plan: &Plan, signature: &Signature, poly: &Poly) {
    for (k, limb) in signature.limbs.iter().enumerate() {
        pack(out, poly.limb(k), plan.params.q[limb]);
    }
}

fn read_poly(
    reader: &mut Reader<'_>,
    params: &Params,
    signature: &Signature,
) -> Result<Poly, FileError> {
    let n = params.ring_degree();
    let mut words = vec![0; n * signature.limbs.len()];
    for (out, limb) in words.chunks_exact_mut(n).zip(signature.limbs.iter()) {
        let q = params.q[limb];
        if let Some(residue) = unpack(out, reader.bytes(packed_bytes(n, q))?, q) {
            return Err(reader.malformed(format!("residue {residue} modulo {q}")));
        }
    }
    Ok(Poly::from_data(n, words))
}
