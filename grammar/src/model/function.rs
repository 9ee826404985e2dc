//! Elementwise functions that networks use as activations, as ONNX defines them.

use std::fmt::{self, Formatter};

use super::bounds::{ShapeError, fail, finite};
use super::parameter::Parameter;
use super::statement::Statement;
use crate::text::{LineError, error};

/// Defines the functions with their names in text and their parameters, and derives the text form.
macro_rules! functions {
    ($(#[$doc:meta])* pub enum Function { $(
        $(#[$variant_doc:meta])*
        $variant:ident $word:literal $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })?
    ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Function {
            $($(#[$variant_doc])* $variant $({ $($(#[$field_doc])* $field: $type),* })?),*
        }

        impl Function {
            /// What it is called in text.
            pub fn name(self) -> &'static str {
                match self {
                    $(Function::$variant { .. } => $word),*
                }
            }
        }

        /// The word of the statement, and the function's own parameters.
        impl Parameter for Function {
            fn read(_: &str, of: &mut Statement<'_>) -> Result<Function, LineError> {
                match of.word.as_str() {
                    $($word => {
                        Ok(Function::$variant $({ $($field: Parameter::read(stringify!($field), of)?),* })?)
                    })*
                    other => Err(error(&of.word, format!("`{other}`, expected an operation"))),
                }
            }

            fn write(&self, _: &str, f: &mut Formatter<'_>) -> fmt::Result {
                match self {
                    $(Function::$variant { $($($field),*)? } => {
                        $($($field.write(stringify!($field), f)?;)*)?
                    })*
                }
                Ok(())
            }
        }
    };
}

functions! {
    /// An elementwise function that is not a polynomial.
    pub enum Function {
        /// `max(x, 0)`.
        Relu "relu",
        /// `x` for `x ≥ 0`, else `alpha·x`.
        LeakyRelu "leaky_relu" {
            /// Slope below zero.
            alpha: f64,
        },
        /// `1/(1 + e^−x)`.
        Sigmoid "sigmoid",
        /// Hyperbolic tangent.
        Tanh "tanh",
        /// `max(0, min(1, alpha·x + beta))`.
        HardSigmoid "hard_sigmoid" {
            /// Slope.
            alpha: f64,
            /// Offset.
            beta: f64,
        },
        /// `x · HardSigmoid(1/6, 1/2)(x)`.
        HardSwish "hard_swish",
        /// `x` for `x ≥ 0`, else `alpha·(e^x − 1)`.
        Elu "elu" {
            /// Limit below zero, negated.
            alpha: f64,
        },
        /// `gamma·x` for `x > 0`, else `gamma·alpha·(e^x − 1)`.
        Selu "selu" {
            /// Inner factor.
            alpha: f64,
            /// Outer factor.
            gamma: f64,
        },
        /// `x·Φ(x)`, or its tanh approximation.
        Gelu "gelu" {
            /// Whether the tanh form is meant.
            tanh: bool,
        },
        /// Error function.
        Erf "erf",
        /// `ln(1 + e^x)`.
        Softplus "softplus",
        /// `x·tanh(softplus(x))`.
        Mish "mish",
        /// `x/(1 + |x|)`.
        Softsign "softsign",
        /// `x/(1 + e^−alpha·x)`.
        Swish "swish" {
            /// Steepness.
            alpha: f64,
        },
        /// `e^x`.
        Exp "exp",
        /// Natural logarithm.
        Log "log",
        /// Square root.
        Sqrt "sqrt",
        /// Sine.
        Sin "sin",
        /// Cosine.
        Cos "cos",
        /// `max(lo, min(hi, x))`; either end may be infinite.
        Clip "clip" {
            /// Lower end.
            lo: f64,
            /// Upper end.
            hi: f64,
        },
    }
}

impl Function {
    /// Whether it has a value, and no slope without bound, everywhere: else only the client can apply it, since the
    /// polynomial of an encrypted value meets noise and neighbors of what it was fitted to.
    pub fn is_tame(self) -> bool {
        match self {
            Function::Log | Function::Sqrt => false,
            Function::Relu
            | Function::LeakyRelu { .. }
            | Function::Sigmoid
            | Function::Tanh
            | Function::HardSigmoid { .. }
            | Function::HardSwish
            | Function::Elu { .. }
            | Function::Selu { .. }
            | Function::Gelu { .. }
            | Function::Erf
            | Function::Softplus
            | Function::Softsign
            | Function::Swish { .. }
            | Function::Mish
            | Function::Exp
            | Function::Sin
            | Function::Cos
            | Function::Clip { .. } => true,
        }
    }

    /// Returns the function's value at `x`. The error function is good to a unit in the last place.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Function::Relu => x.max(0.0),
            Function::LeakyRelu { alpha } => {
                if x >= 0.0 {
                    x
                } else {
                    alpha * x
                }
            }
            Function::Sigmoid => sigmoid(x),
            Function::Tanh => x.tanh(),
            Function::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Function::Elu { alpha } => elu(alpha, x),
            Function::Selu { alpha, gamma } => gamma * elu(alpha, x),
            Function::Gelu { tanh: false } => {
                0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
            }
            Function::Gelu { tanh: true } => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                // 0.5·(1 + tanh y) is the sigmoid of 2y, which keeps its digits where the sum cancels.
                x * sigmoid(2.0 * inner)
            }
            Function::Erf => libm::erf(x),
            Function::Softplus => softplus(x),
            Function::Mish => x * softplus(x).tanh(),
            Function::Softsign => x / (1.0 + x.abs()),
            Function::Swish { alpha } => x * sigmoid(alpha * x),
            Function::Exp => x.exp(),
            Function::Log => x.ln(),
            Function::Sqrt => x.sqrt(),
            Function::Sin => x.sin(),
            Function::Cos => x.cos(),
            Function::Clip { lo, hi } => x.min(hi).max(lo),
        }
    }

    /// Whether its parameters are numbers that it can have.
    pub(super) fn check(self) -> Result<(), ShapeError> {
        match self {
            Function::LeakyRelu { alpha } | Function::Elu { alpha } | Function::Swish { alpha } => {
                finite("alpha", &[alpha])
            }
            Function::HardSigmoid { alpha, beta } => finite("parameter", &[alpha, beta]),
            Function::Selu { alpha, gamma } => finite("parameter", &[alpha, gamma]),
            Function::Clip { lo, hi } if lo.is_nan() || hi.is_nan() => {
                fail("an end is not a number")
            }
            Function::Relu
            | Function::Sigmoid
            | Function::Tanh
            | Function::HardSwish
            | Function::Gelu { .. }
            | Function::Erf
            | Function::Softplus
            | Function::Softsign
            | Function::Mish
            | Function::Exp
            | Function::Log
            | Function::Sqrt
            | Function::Sin
            | Function::Cos
            | Function::Clip { .. } => Ok(()),
        }
    }
}

/// Prints name and parameters: `leaky_relu alpha=0.1`.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.write("", f)
    }
}

fn sigmoid(x: f64) -> f64 {
    // Never the exponential of a large number, which would be infinite.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn elu(alpha: f64, x: f64) -> f64 {
    if x >= 0.0 { x } else { alpha * x.exp_m1() }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn values_known_to_sixteen_digits() {
        let cases = [
            (Function::Relu, -2.0, 0.0),
            (Function::LeakyRelu { alpha: 0.1 }, -2.0, -0.2),
            (Function::Sigmoid, 1.0, 0.731_058_578_630_004_9),
            (Function::Sigmoid, -800.0, 0.0),
            (Function::Tanh, 0.5, 0.462_117_157_260_009_76),
            (Function::HardSigmoid { alpha: 0.2, beta: 0.5 }, 1.0, 0.7),
            (Function::HardSwish, 1.0, 2.0 / 3.0),
            (Function::Elu { alpha: 2.0 }, -1.0, -1.264_241_117_657_115_4),
            (Function::Selu { alpha: 2.0, gamma: 3.0 }, -1.0, -3.792_723_352_971_346),
            (Function::Gelu { tanh: false }, 1.0, 0.841_344_746_068_542_9),
            (Function::Gelu { tanh: true }, 1.0, 0.841_191_990_608_276_8),
            (Function::Erf, 0.5, 0.520_499_877_813_046_5),
            (Function::Erf, 3.0, 0.999_977_909_503_001_4),
            (Function::Softplus, 1.0, 1.313_261_687_518_222_8),
            (Function::Softplus, 1000.0, 1000.0),
            (Function::Mish, 1.0, 0.865_098_388_267_310_3),
            (Function::Softsign, -3.0, -0.75),
            (Function::Swish { alpha: 1.0 }, 1.0, 0.731_058_578_630_004_9),
            (Function::Exp, 1.0, std::f64::consts::E),
            (Function::Log, std::f64::consts::E, 1.0),
            (Function::Sqrt, 2.0, std::f64::consts::SQRT_2),
            (Function::Sin, 0.5, 0.479_425_538_604_203),
            (Function::Cos, 0.5, 0.877_582_561_890_372_7),
            (Function::Clip { lo: 0.0, hi: 6.0 }, 7.0, 6.0),
            (Function::Clip { lo: f64::NEG_INFINITY, hi: 6.0 }, -7.0, -7.0),
        ];
        for (function, x, want) in cases {
            let got = function.eval(x);
            assert!((got - want).abs() < 1e-14, "{function:?} at {x}: {got}, expected {want}");
        }
    }
}
