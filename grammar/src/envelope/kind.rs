//! What a file holds, and the constants of every header.

use std::fmt;

/// The first eight bytes. The first is not text and the last three are changed by text-mode transfers.
pub const MAGIC: [u8; 8] = *b"\x89hecc\r\n\x1a";
/// The version of the container and of all payloads. Readers refuse every other version.
pub const VERSION: u32 = 9;

/// Bytes of the fields, up to the padding.
pub(super) const FIELDS: usize = 72;
/// The first byte of the payload.
pub const PAYLOAD: usize = 80;
/// Bytes of the checksum.
pub(super) const CHECKSUM: usize = blake3::OUT_LEN;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compiled network.
    Plan,
    /// A secret key.
    SecretKey,
    /// Evaluation keys.
    EvaluationKeys,
    /// Ciphertexts of an input, on their way to the server.
    Input,
    /// Ciphertexts of a result, on their way back.
    Result,
    /// What the owner of the data needs of a plan.
    ClientPart,
    /// What the machine that runs it needs of a plan.
    ServerPart,
    /// A public key.
    PublicKey,
    /// A run that is not finished: ciphertexts that it still needs.
    Checkpoint,
}

impl Kind {
    pub(super) const ALL: [Kind; 9] = [
        Kind::Plan,
        Kind::SecretKey,
        Kind::EvaluationKeys,
        Kind::Input,
        Kind::Result,
        Kind::ClientPart,
        Kind::ServerPart,
        Kind::PublicKey,
        Kind::Checkpoint,
    ];

    /// The number that stands for it in a file.
    pub(super) fn code(self) -> u32 {
        match self {
            Kind::Plan => 1,
            Kind::SecretKey => 2,
            Kind::EvaluationKeys => 3,
            Kind::Input => 4,
            Kind::Result => 5,
            Kind::ClientPart => 6,
            Kind::ServerPart => 7,
            Kind::PublicKey => 8,
            Kind::Checkpoint => 9,
        }
    }

    /// The kind behind the number.
    pub(super) fn of_code(code: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether it is a plan or a part of one, which belongs to no key.
    pub fn is_of_plan(self) -> bool {
        match self {
            Kind::Plan | Kind::ClientPart | Kind::ServerPart => true,
            Kind::SecretKey
            | Kind::EvaluationKeys
            | Kind::Input
            | Kind::Result
            | Kind::PublicKey
            | Kind::Checkpoint => false,
        }
    }
}

/// The exact size of a file with a payload of `payload_len` bytes.
pub fn file_size(payload_len: u64) -> u64 {
    (PAYLOAD + CHECKSUM) as u64 + payload_len
}

/// Prints with its article: `a plan`, `evaluation keys`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Plan => "a plan",
            Kind::SecretKey => "a secret key",
            Kind::EvaluationKeys => "evaluation keys",
            Kind::Input => "an encrypted input",
            Kind::Result => "an encrypted result",
            Kind::ClientPart => "the client part of a plan",
            Kind::ServerPart => "the server part of a plan",
            Kind::PublicKey => "a public key",
            Kind::Checkpoint => "a checkpoint",
        })
    }
}
