//! What a plan proves of its results: how far noise puts them off at most, and the digits that this leaves.

use hecc_grammar::plan::{ClientPart, Output};

use crate::error::RunError;

/// What errors of results stay below, for each element of each output, in the units of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision(pub(super) Vec<Vec<f64>>);

/// 1, 2 or 5 times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit {
    digit: f64,
    exponent: i32,
}

impl Precision {
    /// Of the results of a plan, by its noise analysis. Integers are exact.
    pub fn of(client: &ClientPart) -> Precision {
        let of_output = |output: &Output| {
            let mut bounds = vec![0.0; output.shape.iter().product()];
            for (value, runs) in &output.slots {
                let bound = client.bounds[value.index()] * output.factor.abs();
                for (_, element) in runs.pairs() {
                    let step = output.element_scales.get(element as usize).unwrap_or(&1.0);
                    bounds[element as usize] = bound * step.abs();
                }
            }
            bounds
        };
        Precision(client.outputs.iter().map(of_output).collect())
    }

    /// The same, if something is proven of every result.
    ///
    /// # Errors
    /// If the analysis gives no bound: then no digit is known to be no noise.
    pub fn proven(client: &ClientPart) -> Result<Precision, RunError> {
        let precision = Precision::of(client);
        precision.largest_bound().is_finite().then_some(precision).ok_or(RunError::Unproven)
    }

    /// Whether results have no errors.
    pub fn is_exact(&self) -> bool {
        self.0.iter().flatten().all(|&bound| bound == 0.0)
    }

    /// The largest bound on errors.
    pub fn largest_bound(&self) -> f64 {
        self.0.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// How many numbers a decryption is.
    pub fn n_numbers(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The largest unit that numbers are rounded to.
    pub fn largest_unit(&self) -> f64 {
        let units = self.0.iter().flatten().filter_map(|&bound| Unit::within(bound));
        units.map(Unit::value).fold(0.0, f64::max)
    }

    /// Rounds an output to what is proven of it: to multiples of 1, 2 or 5 times a power of ten, as near below half of the
    /// bound as there is one: rounding adds less than a quarter of what noise may be.
    pub fn round(&self, output: usize, tensor: &mut [f64]) {
        for (x, &bound) in tensor.iter_mut().zip(&self.0[output]) {
            *x = rounded(*x, bound);
        }
    }
}

/// A number rounded to a unit no larger than half of `bound`; as it is if that is zero.
pub(super) fn rounded(x: f64, bound: f64) -> f64 {
    Unit::within(bound).map_or(x, |unit| unit.round(x))
}

impl Unit {
    /// The largest unit that is not above half of a positive number.
    fn within(bound: f64) -> Option<Unit> {
        if !(bound > 0.0 && bound.is_finite()) {
            return None;
        }
        let half = bound / 2.0;
        let exponent = half.log10().floor() as i32;
        // One below, since the logarithm may be rounded up.
        let of = |exponent| [5.0, 2.0, 1.0].map(|digit| Unit { digit, exponent });
        [of(exponent), of(exponent - 1)].concat().into_iter().find(|unit| unit.value() <= half)
    }

    fn value(self) -> f64 {
        self.shifted(self.digit)
    }

    /// The nearest multiple, as the double nearest to its decimal text.
    fn round(self, x: f64) -> f64 {
        // Adding zero makes zero of −0.
        self.shifted((x / self.value()).round() * self.digit) + 0.0
    }

    /// Times the power of ten. Powers up to 10^22 are doubles: by them one division or product rounds once.
    fn shifted(self, x: f64) -> f64 {
        let power = 10f64.powi(self.exponent.abs());
        if self.exponent < 0 { x / power } else { x * power }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_no_larger_than_half_of_the_bound() {
        for (bound, unit) in
            [(0.002, 0.001), (0.0011, 0.0005), (0.3, 0.1), (0.51, 0.2), (7.0, 2.0), (20.0, 10.0)]
        {
            assert_eq!(Unit::within(bound).map(Unit::value), Some(unit), "{bound}");
        }
        assert_eq!([0.0, f64::NAN, f64::INFINITY].map(Unit::within), [None; 3]);
    }

    #[test]
    fn digits_that_are_not_proven_are_gone() {
        let precision = Precision(vec![vec![0.0022, 0.08, 0.0, 60.0]]);
        let mut tensor = [0.123_456, -0.005, 1.0 / 3.0, 1234.5];
        precision.round(0, &mut tensor);
        assert_eq!(tensor, [0.123, 0.0, 1.0 / 3.0, 1240.0]);
        assert!(tensor[1].is_sign_positive());
        assert_eq!((precision.largest_unit(), precision.n_numbers()), (20.0, 4));
        // What is left prints without the digits of an inexact division.
        assert_eq!(rounded(0.3, 0.2).to_string(), "0.3");
        assert_eq!(rounded(0.700_01, 0.004).to_string(), "0.7");
    }
}
