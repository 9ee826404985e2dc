//! Why a model cannot be compiled.

use hecc_grammar::plan::{PlanError, TypeError};

/// Why a model cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// No ring carries bootstraps with as many levels as the network has between two activations.
    #[error(
        "no ring carries bootstraps with as many levels as the network has between two activations; lower degrees (--degrees) \
         take fewer"
    )]
    NoBootstraps,
    /// An activation reached packing without a polynomial.
    #[error("node `{node}`: {function} was not approximated by a polynomial")]
    NotApproximated {
        /// The ONNX node.
        node: String,
        /// Its function.
        function: String,
    },
    /// An exact plan was asked for, and the network is not one over integers.
    #[error(
        "node `{node}` ({what}): {why}; integers need a network trained for few bits (examples/qat), or --quantize to round \
         its weights, and squares for activations"
    )]
    NotInteger {
        /// The ONNX node.
        node: String,
        /// What it is.
        what: String,
        /// Why it has no meaning for integers.
        why: String,
    },
    /// No ring carries the integers of the network.
    #[error(
        "results have {width:.0} bits, and the noise of this network does not fit any modulus that a ring up to 2^{log_n} \
         carries at {security}-bit security; fewer bits of weights or inputs, or --scheme ckks, would"
    )]
    TooWide {
        /// Bits of the results.
        width: f64,
        /// log2 of the largest ring degree tried.
        log_n: u32,
        /// Security level in bits.
        security: u32,
    },
    /// A batch has more inputs than a ciphertext has slots.
    #[error(
        "a batch of {inputs} inputs: a ciphertext of the ring N = 2^{log_n} holds {slots} at most"
    )]
    BatchTooLarge {
        /// Inputs of a run, rounded up to a power of two.
        inputs: u64,
        /// log2 of the largest ring degree tried.
        log_n: u32,
        /// Slots of a row.
        slots: u64,
    },
    /// Tiles that do not fit the input.
    #[error(
        "tiles of {numbers} numbers: {input} takes {dimensions} for its dimensions, perhaps one for copies, and one for the inputs of a run"
    )]
    Tiles {
        /// Sizes that were given.
        numbers: usize,
        /// The input and its shape.
        input: String,
        /// Dimensions that are longer than 1.
        dimensions: usize,
    },
    /// Two operands of a product cannot be laid out alike.
    #[error("node `{node}`: its operands have no layout in common")]
    NoLayout {
        /// The ONNX node.
        node: String,
    },
    /// The network needs more levels than any secure ring has.
    #[error(
        "the network needs {needed} levels ({needed_bits:.0} bits of modulus with key switching), but the largest ring \
         (N = 2^{log_n}) carries {allowed_bits} bits at {security}-bit security, enough for {available} levels; \
         lower the activations' degrees, merge layers, or ask for less precision"
    )]
    TooDeep {
        /// Levels needed.
        needed: usize,
        /// log2(QP) needed.
        needed_bits: f64,
        /// log2 of the largest ring degree tried.
        log_n: u32,
        /// Bits that it carries.
        allowed_bits: u32,
        /// Levels that those bits would give.
        available: usize,
        /// Security level in bits.
        security: u32,
    },
    /// The plan needs more memory than allowed.
    #[error("the plan needs {needed} bytes of memory to run, --max-memory allows {allowed}")]
    Memory {
        /// Predicted peak.
        needed: u64,
        /// The limit.
        allowed: u64,
    },
    /// The wanted precision is beyond what any parameters give.
    #[error(
        "results can be made precise to {reached:.1} bits at most, {wanted:.1} are wanted; the error of encryption is largest \
         after node `{node}`; {hint}"
    )]
    Precision {
        /// Bits asked for.
        wanted: f64,
        /// Bits that the best parameters give.
        reached: f64,
        /// Where the error is largest.
        node: String,
        /// What to do about it.
        hint: String,
    },
    /// No plan could hold the network.
    #[error("node `{node}`: {what}")]
    TooLarge {
        /// The ONNX node.
        node: String,
        /// What is too large.
        what: String,
    },
    /// No calibration data and no range.
    #[error("calibration: {0}")]
    Calibration(String),
    /// The approximated network strays from the original.
    #[error("approximation: {0}")]
    Approximation(String),
    /// Weights or inputs cannot be rounded to so few bits.
    #[error("quantization: {0}")]
    Quantization(String),
    /// The network cannot be pruned.
    #[error("pruning: {0}")]
    Pruning(String),
    /// The plan does something else than the network: a defect of the compiler.
    #[error(
        "the compiled plan does not compute the network: element {element} after `{layer}` is {found}, expected {expected}. There \
         is no plan. This is a defect of hecc: please report it with the model"
    )]
    Differs {
        /// The first layer that differs.
        layer: String,
        /// Index of the element, in row-major order.
        element: usize,
        /// What the plan computes.
        found: f64,
        /// What the network does.
        expected: f64,
    },
    /// A pass broke the plan: a defect of the compiler.
    #[error(
        "hecc made a plan of this network that breaks its own rules, which is a fault of hecc: {0}"
    )]
    Internal(#[from] PlanError),
    /// A pass emitted an ill-typed instruction: a defect of the compiler.
    #[error(
        "hecc made an instruction of this network that breaks its own rules, which is a fault of hecc: {0}"
    )]
    Type(#[from] TypeError),
}
