//! What is known of a value, and why an instruction may have none.

use super::{ConstantId, LimbSet, Value};

/// Which primes an element is reduced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// A ciphertext on the ciphertext-modulus primes of its limb set.
    Q,
    /// A ciphertext on those and the special primes of [`Params::n_special`](crate::plan::Params::n_special), P times as large, P their product.
    QP,
    /// The gadget digits, on QP, of the last polynomial of a ciphertext, together with its other polynomials.
    Digits,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Type {
    /// Which primes besides `limbs`.
    pub form: Form,
    /// The ciphertext-modulus primes that the residues are taken by.
    pub limbs: LimbSet,
    /// log2 of the factor Δ on the message, compared exactly: a pass aligns operands. The factor P of the form QP
    /// is not counted. 0 in BFV plans.
    pub scale: f64,
    /// Polynomials minus one: 1 is linear, 2 awaits relinearization.
    pub degree: u8,
    /// Whether it is under the ephemeral sparse secret, as between [`Key::Encapsulate`](super::Key::Encapsulate) and [`Key::Decapsulate`](super::Key::Decapsulate).
    pub ephemeral: bool,
}

/// Why an instruction has no type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// Operand not defined before its use.
    #[error("{0} is not defined before its use")]
    Undefined(Value),
    /// Constant that the plan does not have.
    #[error("constant {0} does not exist")]
    NoConstant(ConstantId),
    /// Input that the plan does not declare.
    #[error("input {found} does not exist, the plan declares {declared}")]
    NoInput {
        /// Index cited.
        found: u32,
        /// Number declared.
        declared: usize,
    },
    /// Operands on different primes.
    #[error("limbs differ ({0}, {1})")]
    Limbs(LimbSet, LimbSet),
    /// Operands with different scales.
    #[error("scales differ ({0}, {1})")]
    Scale(f64, f64),
    /// Operand of the wrong degree.
    #[error("{value} has degree {found}, expected {expected}")]
    Degree {
        /// The operand.
        value: Value,
        /// Its degree.
        found: u8,
        /// What the instruction takes.
        expected: u8,
    },
    /// Operand of the wrong form.
    #[error("{value} has form {found:?}, expected {expected}")]
    Form {
        /// The operand.
        value: Value,
        /// Its form.
        found: Form,
        /// What the instruction takes.
        expected: &'static str,
    },
    /// No prime left to drop, or not a subset.
    #[error("limbs {found} of {value} cannot become {wanted}")]
    Drop {
        /// The operand.
        value: Value,
        /// Its limbs.
        found: LimbSet,
        /// The limbs asked for.
        wanted: LimbSet,
    },
    /// Rotation outside `1..N/2`.
    #[error("rotation by {steps} is outside 1..{n_slots}")]
    Steps {
        /// Steps asked for.
        steps: u32,
        /// Number of slots.
        n_slots: usize,
    },
    /// A sum of no products.
    #[error("dot_plain has no terms")]
    Empty,
    /// Scale outside the range in which scales add exactly.
    #[error("scale {0} is not a number in (0, 256), or 0 in BFV")]
    ScaleRange(f64),
    /// Key switching without special primes.
    #[error("key switching needs special primes, the plan has none")]
    NoSpecialPrimes,
    /// An instruction of the other scheme.
    #[error("the plan's scheme has no such instruction")]
    Scheme,
    /// Operand under the wrong secret.
    #[error("{0} is under the wrong one of the plan's secret and the ephemeral sparse secret")]
    Secret(Value),
}
