//! EvalMod: takes multiples of q_0 away by a sine.
//!
//! The argument t is (message + I·ratio) / range, I an integer of magnitude at most K. A cosine of an r-th doubled angle is
//! approximated, `cos(2π(message/ratio + I − 1/4) / 2^r)`, and doubling its angle r times gives `sin(2π·message/ratio)`, about
//! `2π·message/ratio`. Around an argument of a quarter the cosine is even: it is a polynomial of half the degree in `2y² − 1`, y
//! the distance from there in parts of the largest.

use std::f64::consts::PI;

use hecc_grammar::plan::{Op, TypeError, Value};

use crate::emit::Emit;
use crate::poly::{self, Coefficients, Target, one_number};

use super::cosine::CosineParams;
use super::{BootstrapParams, Recovered};

/// The polynomial of bootstrapping parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sine {
    params: CosineParams,
    recovered: Recovered,
    /// Chebyshev coefficients over z = 2y² − 1.
    coefficients: Vec<f64>,
}

impl Sine {
    /// The best there is for the messages that are to be expected.
    pub(super) fn new(parameters: &BootstrapParams) -> Sine {
        let params = CosineParams {
            degree: parameters.degree,
            doublings: parameters.doublings,
            overflow_bound: parameters.overflow_bound,
            ratio: parameters.ratio_bits.exp2(),
        };
        Sine { params, recovered: parameters.recovered, coefficients: params.fit() }
    }

    /// The largest error for messages up to 1, in message units: of the polynomial, doubled, and of the sine itself where it
    /// stands for the message.
    pub(super) fn error(&self) -> f64 {
        let unit = self.params.ratio / (2.0 * PI);
        let distortion = match self.recovered {
            Recovered::Message => 1.0 - unit * (1.0 / unit).sin(),
            Recovered::Sine => 0.0,
        };
        distortion + unit * self.params.error(&self.coefficients)
    }

    /// Largest argument before it is divided to be within [−1, 1], in multiples of q_0.
    pub(super) fn range(&self) -> f64 {
        self.params.range()
    }

    /// Levels that it consumes.
    pub(super) fn depth(parameters: &BootstrapParams) -> usize {
        1 + crate::poly::polynomial_depth(parameters.degree) + parameters.doublings
    }

    /// Evaluates it on `t`.
    pub(super) fn emit(
        &self,
        emit: &mut Emit<'_>,
        t: Value,
        ratio: f64,
        target: Target,
    ) -> Result<Value, TypeError> {
        let shift = emit.splat(-0.25 / self.range(), emit.scale(t));
        let y = emit.op(Op::AddPlain(t, shift))?;
        let z = emit.double_angle(y)?;
        // Backwards from the result: a rescaled square has twice the scale but for the prime.
        let all = emit.plan.ty(z).limbs;
        let mut wanted = target.scale + self.recovered.gain(ratio).log2();
        for above in 1..=self.params.doublings {
            let divided =
                all.lowest(target.level + above + 1).last().expect("limb sets are not empty");
            wanted = (wanted + emit.plan.params.log_q(divided)) / 2.0;
        }
        let wanted = hecc_grammar::plan::round_scale(wanted);
        let above = Target { level: target.level + self.params.doublings, scale: wanted };
        let coefficients = Coefficients::one(&self.coefficients);
        let mut value = poly::evaluate(emit, z, &coefficients, &mut one_number, above)?;
        for _ in 0..self.params.doublings {
            value = emit.double_angle(value)?;
        }
        // Multiplying the sine by ratio/2π is a matter of its scale: the plaintext is the integer 1.
        let change = target.scale - emit.scale(value);
        let one = emit.splat((-change).exp2(), change);
        emit.op(Op::MulPlain(value, one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::security::Security;

    fn error(degree: usize, ratio_bits: f64) -> f64 {
        let standard = BootstrapParams::standard(16, 6, Security::Bits128);
        Sine::new(&BootstrapParams { degree, ratio_bits, ..standard }).error().log2()
    }

    #[test]
    fn errors_fall_with_the_degree_until_the_sine_itself_remains() {
        assert!(error(11, 10.0) > -10.0);
        // |sin x − x| = x³/6 at x = 2π/1024.
        assert!((error(15, 10.0) + 17.28).abs() < 0.1, "{}", error(15, 10.0));
        assert!((error(15, 7.0) + 11.28).abs() < 0.1, "{}", error(15, 7.0));
    }
}
