//! What a file holds, read without its plan.

use hecc_grammar::envelope::{Envelope, FileError, Kind};
use hecc_grammar::plan::{Key, LimbSet, Params};

use super::Reader;
use super::ciphertexts::Signature;
use super::evaluation_keys::{key_code, key_of_code};

/// The content of a file of keys or ciphertexts, by its own account.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// A secret key.
    SecretKey {
        /// The plan's parameters.
        params: Params,
    },
    /// Evaluation keys.
    EvaluationKeys {
        /// The plan's parameters.
        params: Params,
        /// The keys.
        sections: Vec<KeySection>,
    },
    /// Ciphertexts of an input or of a result.
    Ciphertexts {
        /// The plan's parameters.
        params: Params,
        /// How many images.
        n_images: u32,
        /// The ciphertexts of each run.
        ciphertexts: Vec<Signature>,
    },
}

/// One evaluation key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySection {
    /// Which key.
    pub key: Key,
    /// Its message primes.
    pub limbs: LimbSet,
    /// How many of the special primes it holds.
    pub n_special: usize,
    /// Its first byte in the payload.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// Bytes of a [`KeySection`] in a file.
pub(super) const ENTRY_BYTES: usize = 40;

impl KeySection {
    /// Appends the entry of the table.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        key_code(self.key).iter().for_each(|code| out.extend(code.to_le_bytes()));
        [self.limbs.0, self.n_special as u64, self.offset, self.bytes]
            .iter()
            .for_each(|n| out.extend(n.to_le_bytes()));
    }

    /// Reads an entry of the table.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<KeySection, FileError> {
        let code = [reader.u32()?, reader.u32()?];
        let key = key_of_code(code).ok_or_else(|| reader.malformed(format!("no key {code:?}")))?;
        let (limbs, n_special) = (LimbSet(reader.u64()?), reader.u64()? as usize);
        let (offset, bytes) = (reader.u64()?, reader.u64()?);
        Ok(KeySection { key, limbs, n_special, offset, bytes })
    }
}

/// Describes the content of a file other than a plan, as far as its head tells.
///
/// # Errors
/// If the head is malformed, or the file is a plan.
pub fn describe(envelope: &Envelope) -> Result<Contents, FileError> {
    let mut reader = Reader::new(envelope.kind, &envelope.payload);
    match envelope.kind {
        Kind::Plan => Err(FileError::Kind { found: Kind::Plan, expected: Kind::EvaluationKeys }),
        Kind::SecretKey => Ok(Contents::SecretKey { params: reader.params()? }),
        Kind::EvaluationKeys => {
            let params = reader.params()?;
            reader.seed()?;
            let count = reader.u32()? as usize;
            if count > reader.left() / ENTRY_BYTES {
                return Err(reader.malformed(format!("{count} keys do not fit the file")));
            }
            let sections = (0..count).map(|_| KeySection::read(&mut reader));
            Ok(Contents::EvaluationKeys { params, sections: sections.collect::<Result<_, _>>()? })
        }
        Kind::Input | Kind::Result => {
            let params = reader.params()?;
            let (n_images, ciphertexts) = Signature::read_table(&mut reader)?;
            Ok(Contents::Ciphertexts { params, n_images, ciphertexts })
        }
    }
}
