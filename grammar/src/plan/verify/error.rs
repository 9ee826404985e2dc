//! Which promise a plan breaks.

use crate::plan::{TypeError, Value};

/// A promise that does not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Promise 1.
    #[error("parameters: {0}")]
    Params(String),
    /// Promise 2.
    #[error(
        "log2(QP) is {found:.1}, but a ring of degree 2^{log_n} carries at most {allowed} bits at {bits}-bit security"
    )]
    Security {
        /// log2 of the plan's modulus.
        found: f64,
        /// log2 of the ring degree.
        log_n: u32,
        /// The table's bound.
        allowed: u32,
        /// The level promised.
        bits: u32,
    },
    /// Promise 2, of the key to the sparse secret.
    #[error(
        "the key to the sparse secret has a modulus of {found:.1} bits, but a ring of degree 2^{log_n} carries at most \
         {allowed} under it at {bits}-bit security"
    )]
    EphemeralSecurity {
        /// log2 of the key's modulus.
        found: f64,
        /// log2 of the ring degree.
        log_n: u32,
        /// The bound.
        allowed: u32,
        /// The level promised.
        bits: u32,
    },
    /// Promise 3.
    #[error("instruction {value}: {error}")]
    Type {
        /// The instruction.
        value: Value,
        /// What is wrong.
        error: TypeError,
    },
    /// Promise 3: a recorded type differs from the inferred one.
    #[error("instruction {0}: recorded type differs from the inferred one")]
    RecordedType(Value),
    /// Promise 3, of what is computed in one pass.
    #[error("instruction {value}: computed in one pass with those before it, but {what}")]
    Bundle {
        /// The instruction.
        value: Value,
        /// What keeps it apart.
        what: &'static str,
    },
    /// Promise 4.
    #[error("{place}: {what}")]
    View {
        /// Which constant, input, output or layer.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Promise 5.
    #[error("output {name}: {what}")]
    Output {
        /// Name of the output.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// Promise 5.
    #[error("what is said of its errors: {0}")]
    Validation(String),
    /// Promise 7, in BFV.
    #[error("instruction {0}: the correction factors of its operands differ")]
    CorrectionFactors(Value),
    /// Promise 7, in BFV.
    #[error("output {name}: its noise exceeds what its modulus holds by {missing:.1} bits")]
    Noise {
        /// Name of the output.
        name: String,
        /// How many bits too few the modulus has.
        missing: f64,
    },
    /// Promise 7.
    #[error("instruction {value}: scale 2^{scale:.1} does not fit its modulus of {log_q:.1} bits")]
    Headroom {
        /// The instruction.
        value: Value,
        /// log2 of its scale.
        scale: f64,
        /// log2 of its modulus.
        log_q: f64,
    },
}
