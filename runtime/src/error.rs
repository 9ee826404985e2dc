//! Why a plan cannot be run.

use hecc_grammar::plan::Key;

/// Why a plan cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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
    /// A file does not hold what it should.
    #[error("{what}: {problem}")]
    Malformed {
        /// Which part of which file.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}
