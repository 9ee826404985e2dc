//! How much noise the coefficients of an integer plan's value have.

use std::ops::Add;

use super::spectrum::Spectrum;

/// Sums of fewer independent products than this are not as good as normal.
const FEW: f64 = 16.0;

/// By how much the variance of the noise in few coefficients, drawn once, exceeds its mean but for 2^−30, times the number of
/// coefficients.
const HEAVY: f64 = 40.0;

/// Variances of the coefficients of a value's noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variance {
    /// Over all coefficients.
    pub(super) mean: f64,
    /// Of the coefficient where it is largest.
    pub(super) peak: f64,
    /// See [`Spectrum`].
    pub(super) spectrum: Spectrum,
}

impl Variance {
    /// No noise.
    pub(super) const NONE: Variance = Variance::even(0.0, Spectrum::FLAT);

    /// The same for all coefficients.
    pub(super) const fn even(variance: f64, spectrum: Spectrum) -> Variance {
        Variance { mean: variance, peak: variance, spectrum }
    }

    pub(super) fn scale(self, factor: f64) -> Variance {
        Variance { mean: self.mean * factor, peak: self.peak * factor, ..self }
    }

    /// After a product with what has this spectrum.
    pub(super) fn shaped(self, spectrum: Spectrum) -> Variance {
        let product = self.spectrum.times(spectrum);
        Variance { spectrum: product, ..self.scale(self.spectrum.gain(spectrum)) }
    }

    /// Of the sum with noise that is not independent: deviations add up.
    pub(super) fn together(self, other: Variance) -> Variance {
        let (mean, peak) = (together(self.mean, other.mean), together(self.peak, other.peak));
        let of_self = self.spectrum.gain(self.spectrum) >= other.spectrum.gain(other.spectrum);
        Variance { mean, peak, spectrum: if of_self { self.spectrum } else { other.spectrum } }
    }

    /// As a factor of products of polynomials with n coefficients. If nearly all of it is in few of them, or in few points of the
    /// embedding, products are not sums of many numbers but multiples of few, and so are products of products: it counts as
    /// large as it may be.
    pub(super) fn as_factor(self, n: f64) -> Variance {
        let few = (n * self.mean / self.peak).min(self.points(n)).max(1.0);
        if few < FEW { self.scale(HEAVY / few) } else { self }
    }

    /// As a product of polynomials with n coefficients: see [`Self::as_factor`].
    pub(super) fn as_product(self, n: f64) -> Variance {
        let few = self.points(n).max(1.0);
        if few < FEW { Variance { peak: self.peak * HEAVY / few, ..self } } else { self }
    }

    /// In how many points of the embedding most of it is.
    fn points(self, n: f64) -> f64 {
        n / 2.0 / self.spectrum.gain(self.spectrum)
    }
}

/// Of independent noise.
impl Add for Variance {
    type Output = Variance;

    fn add(self, other: Variance) -> Variance {
        let terms = [(self.mean, self.spectrum), (other.mean, other.spectrum)];
        Variance {
            mean: self.mean + other.mean,
            peak: self.peak + other.peak,
            spectrum: Spectrum::of_sum(&terms),
        }
    }
}

/// The largest variance where deviations may add up.
pub(super) fn together(a: f64, b: f64) -> f64 {
    (a.sqrt() + b.sqrt()).powi(2)
}
