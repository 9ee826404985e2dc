//! What a file holds, read without its plan.

use hecc_grammar::envelope::{Envelope, FileError, Fingerprint, Kind};
use hecc_grammar::plan::Params;

use super::Reader;
use super::ciphertexts::Signature;
use super::key_section::{ENTRY_BYTES, KeySection};

/// The content of a file of keys or ciphertexts, by its own account.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// A secret key.
    SecretKey {
        /// The plan's parameters.
        params: Params,
    },
    /// A public key.
    PublicKey {
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
    /// A run that is not finished.
    Checkpoint {
        /// The plan's parameters.
        params: Params,
        /// What is run.
        source: RunSource,
        /// How many of its runs are finished.
        n_finished: u32,
    },
    /// Ciphertexts of an input or of a result.
    Ciphertexts {
        /// The plan's parameters.
        params: Params,
        /// How many examples.
        n_examples: u32,
        /// The ciphertexts of each run.
        ciphertexts: Vec<Signature>,
    },
}

/// What an unfinished run is of, besides the plan and the key that the file names: checksums of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSource {
    /// Of the input.
    pub input: Fingerprint,
    /// Of the evaluation keys: others of the same secret key give other bits.
    pub keys: Fingerprint,
}

/// Describes the content of a file other than a plan or a part of one, as far as its head tells.
///
/// # Errors
/// If the head is malformed, or the file is a plan or a part of one.
pub fn describe(envelope: &Envelope) -> Result<Contents, FileError> {
    let mut reader = Reader::new(envelope.kind, &envelope.payload);
    match envelope.kind {
        found @ (Kind::Plan | Kind::ClientPart | Kind::ServerPart) => {
            Err(FileError::Kind { found, expected: Kind::EvaluationKeys })
        }
        Kind::PublicKey => Ok(Contents::PublicKey { params: reader.params()? }),
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
        Kind::Checkpoint => {
            let params = reader.params()?;
            let source = RunSource { input: reader.fingerprint()?, keys: reader.fingerprint()? };
            Ok(Contents::Checkpoint { params, source, n_finished: reader.u32()? })
        }
        Kind::Input | Kind::Result => {
            let params = reader.params()?;
            let (n_examples, ciphertexts) = Signature::read_table(&mut reader)?;
            Ok(Contents::Ciphertexts { params, n_examples, ciphertexts })
        }
    }
}
