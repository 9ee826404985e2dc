//! Elementwise functions that networks use as activations, as ONNX defines them.

/// An elementwise function that is not a polynomial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `x` for `x ≥ 0`, else `alpha·x`.
    LeakyRelu {
        /// Slope below zero.
        alpha: f64,
    },
    /// `1/(1 + e^−x)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(0, min(1, alpha·x + beta))`.
    HardSigmoid {
        /// Slope.
        alpha: f64,
        /// Offset.
        beta: f64,
    },
    /// `x · HardSigmoid(1/6, 1/2)(x)`.
    HardSwish,
    /// `x` for `x ≥ 0`, else `alpha·(e^x − 1)`.
    Elu {
        /// Limit below zero, negated.
        alpha: f64,
    },
    /// `gamma·x` for `x > 0`, else `gamma·alpha·(e^x − 1)`.
    Selu {
        /// Inner factor.
        alpha: f64,
        /// Outer factor.
        gamma: f64,
    },
    /// `x·Φ(x)`, or its tanh approximation.
    Gelu {
        /// Whether the tanh form is meant.
        tanh: bool,
    },
    /// Error function.
    Erf,
    /// `ln(1 + e^x)`.
    Softplus,
    /// `x·tanh(softplus(x))`.
    Mish,
    /// `max(lo, min(hi, x))`; either end may be infinite.
    Clip {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
}
