//! The files of the secret and the public key: parameters, and the 32-byte seed, or the seed of one half and the other half.

use bytes::Bytes;
use hecc_grammar::envelope::{self, FileError, Fingerprint, Kind, Origin, open, seal};
use hecc_grammar::plan::Params;
use zeroize::Zeroizing;

use crate::file::{
    Reader, check_params, packed_limbs_bytes, params_bytes, put_limbs, put_params, read_limbs,
};
use crate::ring::Seed;

use super::{PublicKey, SecretKey, public_key};

const SEED_BYTES: usize = 32;

/// The exact size of a secret key's file.
pub fn secret_key_bytes(params: &Params) -> u64 {
    envelope::file_size((params_bytes(params) + SEED_BYTES) as u64)
}

/// The file of a secret key for the plan named by `fingerprint`, wiped when dropped. Its owner alone should read it.
pub fn write_secret_key(
    params: &Params,
    fingerprint: Fingerprint,
    secret: &SecretKey,
) -> Zeroizing<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::with_capacity(secret_key_bytes(params) as usize));
    put_params(&mut payload, params);
    payload.extend(secret.seed());
    let origin = Origin { plan: fingerprint, key: secret.id() };
    Zeroizing::new(seal(Kind::SecretKey, origin, &payload))
}

/// Reads the secret key of the plan named by `fingerprint`.
///
/// # Errors
/// If the file is damaged, belongs to another plan, or holds anything else.
pub fn read_secret_key(
    params: &Params,
    fingerprint: Fingerprint,
    file: Bytes,
) -> Result<SecretKey, FileError> {
    let envelope = open(file, Kind::SecretKey)?;
    envelope.expect_plan(fingerprint)?;
    let mut reader = Reader::new(Kind::SecretKey, &envelope.payload);
    check_params(&mut reader, params)?;
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    seed.copy_from_slice(reader.bytes(SEED_BYTES)?);
    reader.finish()?;
    Ok(SecretKey::from_stored(envelope.origin.key, &seed))
}

/// The exact size of a public key's file.
pub fn public_key_bytes(params: &Params) -> u64 {
    let body = packed_limbs_bytes(params, &public_key::limbs(params));
    envelope::file_size((params_bytes(params) + size_of::<Seed>() + body) as u64)
}

/// The file of a public key for the plan named by `fingerprint`.
pub fn write_public_key(params: &Params, fingerprint: Fingerprint, key: &PublicKey) -> Vec<u8> {
    let mut payload = vec![];
    put_params(&mut payload, params);
    payload.extend(key.seed);
    put_limbs(&mut payload, params, &public_key::limbs(params), &key.body);
    seal(Kind::PublicKey, Origin { plan: fingerprint, key: key.id }, &payload)
}

/// Reads the public key of the plan named by `fingerprint`.
///
/// # Errors
/// If the file is damaged, belongs to another plan, or holds anything else.
pub fn read_public_key(
    params: &Params,
    fingerprint: Fingerprint,
    file: Bytes,
) -> Result<PublicKey, FileError> {
    let envelope = open(file, Kind::PublicKey)?;
    envelope.expect_plan(fingerprint)?;
    let mut reader = Reader::new(Kind::PublicKey, &envelope.payload);
    check_params(&mut reader, params)?;
    let seed = reader.seed()?;
    let body = read_limbs(&mut reader, params, &public_key::limbs(params))?;
    reader.finish()?;
    Ok(PublicKey { id: envelope.origin.key, seed, body })
}
