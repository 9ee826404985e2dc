//! Rounding to a grid of evenly spaced values, as networks trained for few bits do.

use std::fmt;

use super::bounds::ShapeError;
use crate::text::{Attributes, LineError, Number, word_attribute};

/// Which integer a number becomes. The modes are those of QONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The nearest, of two the even one: ONNX knows no other mode.
    HalfEven,
    /// The nearest, of two the one farther from zero.
    HalfUp,
    /// The nearest, of two the one nearer to zero.
    HalfDown,
    /// The next one away from zero.
    Up,
    /// The next one towards zero.
    Down,
    /// The next larger one.
    Ceil,
    /// The next smaller one.
    Floor,
}

impl Rounding {
    /// Every mode.
    pub const ALL: [Rounding; 7] = [
        Rounding::HalfEven,
        Rounding::HalfUp,
        Rounding::HalfDown,
        Rounding::Up,
        Rounding::Down,
        Rounding::Ceil,
        Rounding::Floor,
    ];

    /// The integer that `x` becomes, as a float.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Rounding::HalfEven => x.round_ties_even(),
            Rounding::HalfUp => x.round(),
            // The one integer between |x| − 1/2 and |x| + 1/2, the smaller one if both ends are integers.
            Rounding::HalfDown => (x.abs() - 0.5).ceil().copysign(x),
            Rounding::Up => x.abs().ceil().copysign(x),
            Rounding::Down => x.trunc(),
            Rounding::Ceil => x.ceil(),
            Rounding::Floor => x.floor(),
        }
    }

    /// The name in model text.
    pub fn name(self) -> &'static str {
        match self {
            Rounding::HalfEven => "half_even",
            Rounding::HalfUp => "half_up",
            Rounding::HalfDown => "half_down",
            Rounding::Up => "up",
            Rounding::Down => "down",
            Rounding::Ceil => "ceil",
            Rounding::Floor => "floor",
        }
    }
}

/// Rounds to the nearest of the values `(q − zero_point)·scale`, `q_min ≤ q ≤ q_max`:
/// `x ↦ (clamp(round(x/scale) + zero_point, q_min, q_max) − zero_point)·scale`.
///
/// As zero point and bounds are integers, it makes no difference whether a number is clamped before it is rounded, as
/// QONNX says, or after, as ONNX says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    /// Distance of the values, positive.
    pub scale: f64,
    /// The integer that stands for 0.
    pub zero_point: i64,
    /// The smallest integer.
    pub q_min: i64,
    /// The largest integer.
    pub q_max: i64,
    /// How numbers between two integers are rounded.
    pub rounding: Rounding,
}

word_attribute!(Rounding);

/// Reads the attributes of a quantizer, wherever it stands.
pub(crate) fn read_quantizer(with: &mut Attributes<'_>) -> Result<Quantizer, LineError> {
    Ok(Quantizer {
        scale: with.get("scale")?,
        zero_point: with.get("zero_point")?,
        q_min: with.get("q_min")?,
        q_max: with.get("q_max")?,
        rounding: with.get("rounding")?,
    })
}

/// Prints its numbers as the attributes of a `fake_quant`.
impl fmt::Display for Quantizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantizer { scale, zero_point, q_min, q_max, rounding } = *self;
        let (scale, rounding) = (Number(scale), rounding.name());
        write!(f, "scale={scale} zero_point={zero_point} q_min={q_min} q_max={q_max}")?;
        write!(f, " rounding={rounding}")
    }
}

/// Bounds and zero points have at most this magnitude: those of `int32` and `uint32` less one fit.
const MAX_MAGNITUDE: i64 = 1 << 31;

impl Quantizer {
    /// The integer that stands for `x`, its zero point subtracted. What is not a number counts as 0.
    pub fn quantize(&self, x: f64) -> i64 {
        let (lo, hi) = self.levels();
        // The conversion saturates, far outside of the bounds.
        (self.rounding.round(x / self.scale) as i64).clamp(lo, hi)
    }

    /// The value of the grid that `x` is rounded to.
    pub fn apply(&self, x: f64) -> f64 {
        self.quantize(x) as f64 * self.scale
    }

    /// The smallest and the largest result of [`Quantizer::quantize`].
    pub fn levels(&self) -> (i64, i64) {
        (self.q_min - self.zero_point, self.q_max - self.zero_point)
    }

    /// Checks that the numbers are in range.
    ///
    /// # Errors
    /// Names the number that is not.
    pub fn check(&self) -> Result<(), ShapeError> {
        let Quantizer { scale, zero_point, q_min, q_max, rounding: _ } = *self;
        if !scale.is_finite() || scale <= 0.0 {
            return Err(ShapeError(format!("scale {scale}, expected a positive number")));
        }
        if q_min >= q_max {
            return Err(ShapeError(format!("integers from {q_min} to {q_max}, expected two")));
        }
        let numbers = [zero_point, q_min, q_max];
        match numbers.into_iter().find(|n| !(-MAX_MAGNITUDE..=MAX_MAGNITUDE).contains(n)) {
            None => Ok(()),
            Some(n) => Err(ShapeError(format!("integer {n}, expected at most 2^31 in magnitude"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_differ_between_integers() {
        let xs = [-2.5, -1.6, -1.5, -1.1, 0.0, 1.1, 1.5, 1.6, 2.5];
        let table = [
            (Rounding::HalfEven, [-2, -2, -2, -1, 0, 1, 2, 2, 2]),
            (Rounding::HalfUp, [-3, -2, -2, -1, 0, 1, 2, 2, 3]),
            (Rounding::HalfDown, [-2, -2, -1, -1, 0, 1, 1, 2, 2]),
            (Rounding::Up, [-3, -2, -2, -2, 0, 2, 2, 2, 3]),
            (Rounding::Down, [-2, -1, -1, -1, 0, 1, 1, 1, 2]),
            (Rounding::Ceil, [-2, -1, -1, -1, 0, 2, 2, 2, 3]),
            (Rounding::Floor, [-3, -2, -2, -2, 0, 1, 1, 1, 2]),
        ];
        assert_eq!(table.map(|(rounding, _)| rounding), Rounding::ALL);
        for (rounding, want) in table {
            assert_eq!(xs.map(|x| rounding.round(x) as i64), want, "{rounding:?}");
        }
    }

    /// `uint8` with zero point 3 and steps of a quarter, narrowed to 4 bits.
    const SHIFTED: Quantizer =
        Quantizer { scale: 0.25, zero_point: 3, q_min: 0, q_max: 15, rounding: Rounding::HalfEven };

    #[test]
    fn values_are_rounded_and_saturate() {
        assert_eq!(SHIFTED.levels(), (-3, 12));
        let xs = [-9.0, -0.75, -0.125, 0.125, 0.375, 0.3, 3.0, f64::INFINITY, f64::NAN];
        assert_eq!(xs.map(|x| SHIFTED.quantize(x)), [-3, -3, 0, 0, 2, 1, 12, 12, 0]);
        assert_eq!(xs.map(|x| SHIFTED.apply(x))[..5], [-0.75, -0.75, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn the_grid_stays_as_it_is() {
        for q in 0..16 {
            let x = f64::from(q - 3) * SHIFTED.scale;
            assert_eq!(SHIFTED.apply(x), x);
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let error = |quantizer: Quantizer| quantizer.check().unwrap_err().to_string();
        assert_eq!(SHIFTED.check(), Ok(()));
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(error(Quantizer { scale, ..SHIFTED }).contains("expected a positive number"));
        }
        assert_eq!(error(Quantizer { q_max: 0, ..SHIFTED }), "integers from 0 to 0, expected two");
        let far = (1 << 31) + 1;
        assert!(error(Quantizer { q_max: far, ..SHIFTED }).contains("at most 2^31"));
        assert!(error(Quantizer { zero_point: -far, ..SHIFTED }).contains("at most 2^31"));
    }
}
