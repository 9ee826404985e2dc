//! How unevenly the noise of BFV is spread over the canonical embedding.
//!
//! A product of polynomials is one of their values at every root of X^N + 1. What noise, weights and secrets take there is
//! as good as complex normal, so that their power is exponentially distributed: X with mean 1. Powers of one and the same
//! X do not average out: E\[X^a\] = a!. Noise that is multiplied by a mask, squared, multiplied by the same mask and squared has the
//! power X^4·Y^6, of mean 4!·6!. Only sums of many terms flatten it again.

use libm::lgamma;

/// The power of a value's noise over the embedding is that of X^`errors` · Y^`constants` · Z^`secret`, with independent,
/// exponentially distributed X, Y and Z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spectrum {
    errors: f64,
    constants: f64,
    secret: f64,
}

impl Spectrum {
    /// The same at every point.
    pub(super) const FLAT: Spectrum = Spectrum { errors: 0.0, constants: 0.0, secret: 0.0 };
    /// Fresh errors, and whatever is as good as uniform.
    pub(super) const WHITE: Spectrum = Spectrum { errors: 1.0, constants: 0.0, secret: 0.0 };
    /// Errors times the secret: what rounding a ciphertext leaves.
    pub(super) const ROUNDING: Spectrum = Spectrum { secret: 1.0, ..Spectrum::WHITE };
    /// Polynomials of constants.
    pub(super) const CONSTANTS: Spectrum = Spectrum { errors: 0.0, constants: 1.0, secret: 0.0 };
    /// The secret key.
    pub(super) const SECRET: Spectrum = Spectrum { errors: 0.0, constants: 0.0, secret: 1.0 };

    fn map(self, f: impl Fn(f64) -> f64) -> Spectrum {
        let Spectrum { errors, constants, secret } = self;
        Spectrum { errors: f(errors), constants: f(constants), secret: f(secret) }
    }

    fn log_mean(self) -> f64 {
        lgamma(1.0 + self.errors) + lgamma(1.0 + self.constants) + lgamma(1.0 + self.secret)
    }

    /// The spectrum of a product of two values at every point.
    pub(super) fn times(self, other: Spectrum) -> Spectrum {
        Spectrum {
            errors: self.errors + other.errors,
            constants: self.constants + other.constants,
            secret: self.secret + other.secret,
        }
    }

    /// How much the mean power of a product exceeds the product of mean powers.
    pub(super) fn gain(self, other: Spectrum) -> f64 {
        (self.times(other).log_mean() - self.log_mean() - other.log_mean()).exp()
    }

    /// The spectrum of a sum of independent terms, given with their mean powers.
    pub(super) fn of_sum(terms: &[(f64, Spectrum)]) -> Spectrum {
        let total: f64 = terms.iter().map(|(power, _)| power).sum();
        let Some(&(_, first)) = terms.iter().find(|(power, _)| *power > 0.0) else {
            return Spectrum::WHITE;
        };
        let mut excess = 0.0;
        let mut weighted = Spectrum { errors: 0.0, constants: 0.0, secret: 0.0 };
        let (mut last, mut of_last) = (first, first.gain(first) - 1.0);
        for &(power, spectrum) in terms {
            if spectrum != last {
                (last, of_last) = (spectrum, spectrum.gain(spectrum) - 1.0);
            }
            let weight = (power / total).powi(2) * of_last;
            excess += weight;
            weighted = weighted.times(spectrum.map(|exponent| exponent * weight));
        }
        // What is summed is complex normal at least, with errors that differ from point to point.
        if excess <= 1.0 {
            return Spectrum::WHITE;
        }
        weighted.map(|exponent| exponent / excess).scaled_to(excess)
    }

    /// With exponents in the same ratio, so that the square of the power is 1 + `excess` times as large as for an even
    /// one. They only become smaller.
    fn scaled_to(self, excess: f64) -> Spectrum {
        let of = |factor: f64| self.map(|exponent| exponent * factor);
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..20 {
            let middle = (low + high) / 2.0;
            let scaled = of(middle);
            if scaled.gain(scaled) - 1.0 < excess { low = middle } else { high = middle }
        }
        of(high)
    }
}
