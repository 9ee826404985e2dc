//! Why a plan cannot be run, its inputs not encrypted, its results not decrypted.

use hecc_grammar::envelope::{FileError, ReadError};
use hecc_grammar::plan::Key;

/// Why a plan cannot be run, its inputs not encrypted or its results not decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file of a plan, keys or ciphertexts cannot be read, or is not what it should be.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The plan is less secure than its user wants.
    #[error("the plan is refused: {0}")]
    TooWeak(#[from] TooWeak),
    /// A key that the plan needs is not in the set.
    #[error(
        "evaluation key {key:?} is missing or holds too few primes: were the keys made for this plan?"
    )]
    MissingKey {
        /// The key.
        key: Key,
    },
    /// The wrong number of ciphertexts.
    #[error("{found} input ciphertexts, the plan takes {expected}")]
    InputCount {
        /// Found.
        found: usize,
        /// Expected.
        expected: usize,
    },
    /// A ciphertext on other primes or at another scale.
    #[error("input ciphertext {index} is not on the primes and at the scale that the plan expects")]
    InputType {
        /// Which ciphertext.
        index: u32,
    },
    /// A snapshot of another run.
    #[error("the run cannot go on from this snapshot: {what}")]
    Snapshot {
        /// What was found and what was expected.
        what: String,
    },
    /// Threads could not be started.
    #[error("could not start {wanted} threads: {error}")]
    Threads {
        /// Number asked for.
        wanted: usize,
        /// The reason.
        error: rayon::ThreadPoolBuildError,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The wrong number of tensors.
    #[error("{found} input tensors, the plan takes {expected}")]
    TensorCount {
        /// Found.
        found: usize,
        /// Expected.
        expected: usize,
    },
    /// Evaluation keys that cannot be read any more where they are stored.
    #[error("the file of evaluation keys cannot be read any more: {what}")]
    StoredKeys {
        /// Why.
        what: String,
    },
    /// A tensor of another shape.
    #[error("input `{name}` has {found} elements, expected {expected} (shape {shape:?})")]
    TensorLength {
        /// Name of the input.
        name: String,
        /// Elements found.
        found: usize,
        /// Elements expected.
        expected: usize,
        /// Shape expected.
        shape: Vec<usize>,
    },
    /// A number outside the calibrated range.
    #[error(
        "input `{name}`: {place} is {value}, outside the range [{lo}, {hi}] that the plan was calibrated for; the result may be \
         wrong (use --allow-out-of-range to encrypt it all the same)"
    )]
    OutOfRange {
        /// Name of the input.
        name: String,
        /// Which of the inputs of a batch.
        example: usize,
        /// Which element: a feature, or an element of a channel.
        place: String,
        /// Its value.
        value: f64,
        /// Lower end of the range.
        lo: f64,
        /// Upper end of the range.
        hi: f64,
    },
    /// BFV: the noise of a result has passed its bound.
    #[error(
        "the result cannot be decrypted: its noise is beyond what its modulus holds (was it computed with other keys, or \
         damaged on its way?)"
    )]
    Noise,
    /// Nothing is proven of the plan's results.
    #[error(
        "nothing is proven of the plan's results: there is no telling which of their digits are noise"
    )]
    Unproven,
}

impl From<FileError> for RunError {
    fn from(error: FileError) -> RunError {
        RunError::Read(error.into())
    }
}

impl RunError {
    /// The same of inputs that come after `n` others.
    #[must_use]
    pub fn after_examples(mut self, n: usize) -> RunError {
        if let RunError::OutOfRange { example, .. } = &mut self {
            *example += n;
        }
        self
    }
}

/// A plan whose parameters give less security than is wanted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[error(
    "its parameters give {found} bits of security (N = 2^{log_n}, log2(QP) = {log_qp:.1}{}), {wanted} are required",
    ephemeral.map_or(String::new(), |bits| format!(", {bits:.1} bits under the sparse secret"))
)]
pub struct TooWeak {
    /// Bits that the parameters give.
    pub found: u32,
    /// Bits wanted.
    pub wanted: u32,
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the modulus of ciphertexts and keys.
    pub log_qp: f64,
    /// log2 of the modulus of the key under the sparse secret, if there is one.
    pub ephemeral: Option<f64>,
}
