//! EvalMod: takes multiples of q away by a sine.
//!
//! The argument t is (message + I·ratio) / range, I an integer of magnitude at most K, range = ratio·(K + 1/2). A cosine
//! of an r-th doubled angle is approximated, `cos(2π((K + 1/2)·t − 1/4) / 2^r)`, and doubling its angle r times gives
//! `sin(2π·message/ratio)`, about `2π·message/ratio`. Around t = 1/(4K + 2) the cosine is even: it is a polynomial of half
//! the degree in `2y² − 1`.

use std::f64::consts::PI;

use hecc_grammar::plan::{LimbSet, Op, TypeError, Value};

use crate::emit::Emit;
use crate::poly::{self, Coefficients, chebyshev, one_number};

use super::BootstrapParams;

/// The polynomial of bootstrapping parameters.
pub(super) struct Sine {
    /// Chebyshev coefficients over z = 2y² − 1.
    coefficients: Vec<f64>,
    /// What is added to t.
    shift: f64,
    doublings: usize,
}

impl Sine {
    /// The interpolation at Chebyshev nodes.
    pub(super) fn new(parameters: &BootstrapParams) -> Sine {
        let range = parameters.overflow_bound + 0.5;
        let angle = |t: f64| 2.0 * PI * range * t / f64::from(1u32 << parameters.doublings);
        let cosine = |z: f64| angle(((1.0 + z) / 2.0).max(0.0).sqrt()).cos();
        Sine {
            coefficients: interpolate(cosine, parameters.degree),
            shift: -0.25 / range,
            doublings: parameters.doublings,
        }
    }

    /// The largest error of the result for messages up to 1, in message units: of the polynomial, doubled, and of the sine
    /// itself.
    pub(super) fn error(parameters: &BootstrapParams, ratio: f64) -> f64 {
        let sine = Sine::new(parameters);
        let range = parameters.overflow_bound + 0.5;
        let bound = parameters.overflow_bound as i64;
        let mut largest = 0.0f64;
        for multiple in -bound..=bound {
            for message in [-1.0, -0.7, -0.3, 0.0, 0.3, 0.7, 1.0] {
                let t = (message / ratio + multiple as f64) / range;
                let y = t + sine.shift;
                let mut value = chebyshev(&sine.coefficients, 2.0 * y * y - 1.0);
                for _ in 0..sine.doublings {
                    value = 2.0 * value * value - 1.0;
                }
                largest = largest.max((value * ratio / (2.0 * PI) - message).abs());
            }
        }
        largest
    }

    /// Levels that it consumes.
    pub(super) fn depth(parameters: &BootstrapParams) -> usize {
        1 + crate::graph::polynomial_depth(parameters.degree) + parameters.doublings
    }

    /// Evaluates it on `t`. The result is on `target`'s primes at its scale.
    pub(super) fn emit(
        &self,
        emit: &mut Emit<'_>,
        t: Value,
        ratio: f64,
        (limbs, scale): (LimbSet, f64),
    ) -> Result<Value, TypeError> {
        let shift = emit.splat(self.shift, emit.scale(t));
        let y = emit.op(Op::AddPlain(t, shift))?;
        let z = emit.double_angle(y)?;
        // Backwards from the result: a rescaled square has twice the scale but for the prime.
        let all = emit.plan.ty(z).limbs;
        let mut wanted = scale + (ratio / (2.0 * PI)).log2();
        let level = limbs.len() - 1;
        for above in 1..=self.doublings {
            let divided = all.lowest(level + above + 1).last().expect("limb sets are not empty");
            wanted = (wanted + emit.plan.params.log_q(divided)) / 2.0;
        }
        let wanted = hecc_grammar::plan::round_scale(wanted);
        let target = (level + self.doublings, wanted);
        let coefficients = Coefficients::one(&self.coefficients);
        let mut value = poly::evaluate(emit, z, &coefficients, &mut one_number, target)?;
        for _ in 0..self.doublings {
            value = emit.double_angle(value)?;
        }
        // Multiplying the message by ratio/2π is a matter of its scale: the plaintext is the integer 1.
        let change = scale - emit.scale(value);
        let one = emit.splat((-change).exp2(), change);
        emit.op(Op::MulPlain(value, one))
    }
}

/// Chebyshev coefficients of the polynomial of this degree that equals `f` at the Chebyshev nodes.
fn interpolate(f: impl Fn(f64) -> f64, degree: usize) -> Vec<f64> {
    let n = degree + 1;
    let angle = |i: usize| PI * (i as f64 + 0.5) / n as f64;
    let values: Vec<f64> = (0..n).map(|i| f(angle(i).cos())).collect();
    (0..n)
        .map(|j| {
            let sum: f64 = (0..n).map(|i| values[i] * (j as f64 * angle(i)).cos()).sum();
            sum * if j == 0 { 1.0 } else { 2.0 } / n as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::security::Security;

    fn parameters(degree: usize, doublings: usize) -> BootstrapParams {
        BootstrapParams { degree, doublings, ..BootstrapParams::standard(16, 6, Security::Bits128) }
    }

    #[test]
    fn errors_fall_with_the_degree_until_the_sine_itself_remains() {
        let error = |degree| Sine::error(&parameters(degree, 3), 1024.0).log2();
        assert!(error(11) > -8.0);
        assert!(error(15) < -16.0);
        // |sin x − x| = x³/6 at x = 2π/1024.
        assert!((error(20) + 17.28).abs() < 0.1, "{}", error(20));
    }
}
