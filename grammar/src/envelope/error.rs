//! Why a file is refused.

use super::kind::{Kind, VERSION};
use super::origin::{Fingerprint, KeyId};

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Not one of ours.
    #[error(
        "this is not a file of hecc: it does not start with the eight bytes that all of them do"
    )]
    Magic,
    /// Another version of the format.
    #[error("this is {} of format version {found}, this program reads version {VERSION} only", named(*kind))]
    Version {
        /// What the file is, if this version has a name for it.
        kind: Option<Kind>,
        /// The file's version.
        found: u32,
    },
    /// A kind that this version does not have.
    #[error("the file is of unknown kind {0}, expected 1 to 9")]
    UnknownKind(u32),
    /// Another kind than asked for.
    #[error("{} {found}, expected {expected}", this_is(*found))]
    Kind {
        /// What the file is.
        found: Kind,
        /// What was asked for.
        expected: Kind,
    },
    /// Shorter or longer than its header says.
    #[error("the file has {found} bytes, expected {expected}: it is {}", cut_or_longer(*found, *expected))]
    Length {
        /// Bytes in the file.
        found: u64,
        /// Bytes by its header.
        expected: u64,
    },
    /// A byte changed.
    #[error("the file is damaged: its bytes have checksum {found}, expected {expected}")]
    Checksum {
        /// Checksum of the bytes, abbreviated.
        found: Fingerprint,
        /// Checksum recorded, abbreviated.
        expected: Fingerprint,
    },
    /// Keys or ciphertexts of another plan.
    #[error("{} {kind} made for plan {found}, this plan is {expected}", this_is(*kind))]
    OtherPlan {
        /// What the file is.
        kind: Kind,
        /// The plan that it was made for.
        found: Fingerprint,
        /// The plan at hand.
        expected: Fingerprint,
    },
    /// Keys or ciphertexts of other keys.
    #[error("{} {kind} of key {found}, expected those of key {expected}", this_is(*kind))]
    OtherKey {
        /// What the file is.
        kind: Kind,
        /// The keys that it belongs to.
        found: KeyId,
        /// The keys at hand.
        expected: KeyId,
    },
    /// A payload that its own format does not allow.
    #[error("the content of {kind} is malformed: {what}")]
    Content {
        /// What the file is.
        kind: Kind,
        /// What was found and what was expected.
        what: String,
    },
    /// A plan that breaks a promise.
    #[error("the plan breaks a promise: {0}")]
    Promise(String),
}

fn named(kind: Option<Kind>) -> String {
    kind.map_or_else(|| "a file".to_owned(), |kind| kind.to_string())
}

fn this_is(kind: Kind) -> &'static str {
    match kind {
        Kind::Plan
        | Kind::SecretKey
        | Kind::Input
        | Kind::Result
        | Kind::ClientPart
        | Kind::ServerPart
        | Kind::PublicKey
        | Kind::Checkpoint => "this is",
        Kind::EvaluationKeys => "these are",
    }
}

fn cut_or_longer(found: u64, expected: u64) -> &'static str {
    if found < expected { "truncated" } else { "followed by other data" }
}
