//! The file of a secret key: parameters and the 32-byte seed.

use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Fingerprint, Kind, Origin, open, seal};
use hecc_grammar::plan::{Plan, VerifiedPlan};
use zeroize::Zeroizing;

use crate::file::{Reader, check_params, params_bytes, put_params};

use super::SecretKey;

const SEED_BYTES: usize = 32;

/// The exact size of a secret key's file.
pub fn secret_key_bytes(plan: &Plan) -> u64 {
    Kind::SecretKey.file_size((params_bytes(&plan.params) + SEED_BYTES) as u64)
}

/// The file of a secret key for the plan named by `fingerprint`, wiped when dropped. Its owner alone should read it.
pub fn write_secret_key(
    plan: &Plan,
    fingerprint: Fingerprint,
    secret: &SecretKey,
) -> Zeroizing<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::with_capacity(secret_key_bytes(plan) as usize));
    put_params(&mut payload, &plan.params);
    payload.extend(secret.seed());
    let origin = Origin { plan: fingerprint, key: secret.id() };
    Zeroizing::new(seal(Kind::SecretKey, origin, &payload))
}

/// Reads the secret key of the plan named by `fingerprint`.
///
/// # Errors
/// If the file is damaged, belongs to another plan, or holds anything else.
pub fn read_secret_key(
    plan: &VerifiedPlan,
    fingerprint: Fingerprint,
    file: Bytes,
) -> Result<SecretKey, FileError> {
    let envelope = open(file, Kind::SecretKey)?;
    envelope.expect_plan(fingerprint)?;
    let mut reader = Reader::new(Kind::SecretKey, &envelope.payload);
    check_params(&mut reader, &plan.params)?;
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    seed.copy_from_slice(reader.bytes(SEED_BYTES)?);
    reader.finish()?;
    Ok(SecretKey::from_stored(envelope.origin.key, &seed))
}
