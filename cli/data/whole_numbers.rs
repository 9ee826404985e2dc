//! Inputs that take whole numbers, as bytes of images, because the network declares them so.

use std::fmt;

use anyhow::{Result, bail, ensure};
use hecc_grammar::model::Quantizer;
use ndarray::ArrayD;

use crate::terminal::failure::hinted;

/// The smallest and the largest whole number that an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeNumbers {
    pub(crate) least: i64,
    pub(crate) most: i64,
}

/// What an input takes that is rounded like this before anything else, if these are numbers as they are.
pub(crate) fn of_quantizer(quantizer: &Quantizer) -> Option<WholeNumbers> {
    let is_plain = (quantizer.scale, quantizer.zero_point) == (1.0, 0);
    is_plain.then_some(WholeNumbers { least: quantizer.q_min, most: quantizer.q_max })
}

impl fmt::Display for WholeNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whole numbers from {} to {}", self.least, self.most)
    }
}

/// The range that all inputs of a network declare, if they declare any: what they are taken to be where there are no data.
pub(crate) fn shared_range(
    inputs: impl Iterator<Item = Option<WholeNumbers>>,
) -> Result<Option<(f64, f64)>> {
    let inputs: Vec<Option<WholeNumbers>> = inputs.collect();
    let first = inputs.first().copied().flatten();
    ensure!(
        inputs.iter().all(|input| *input == first),
        "the inputs of the network are of different types: give calibration data (--calibration)"
    );
    match first {
        Some(whole) if whole.most - whole.least > MOST_ASSUMED => {
            bail!("the network's inputs are {whole}: give calibration data, or an --input-range")
        }
        first => Ok(first.map(|whole| (whole.least as f64, whole.most as f64))),
    }
}

/// Nobody means to use all of a wider range.
const MOST_ASSUMED: i64 = 1 << 16;

impl WholeNumbers {
    /// Pixels in [0, 1] as the numbers from 0 to 255 that they stand for.
    pub(crate) fn of_pixels(self, input: &str, pixels: ArrayD<f64>) -> Result<ArrayD<f64>> {
        ensure!(
            self.least <= 0 && self.most >= 255,
            "images hold numbers from 0 to 255, input `{input}` takes {self}: give an .npy array"
        );
        Ok(pixels.mapv_into(|x| (x * 255.0).round()))
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(self, input: &str, numbers: &ArrayD<f64>) -> Result<()> {
        let WholeNumbers { least, most } = self;
        // Networks trained for fewer bits saturate, and mean to.
        if most - least < 255 {
            return Ok(());
        }
        let place = numbers.iter().position(|&x| x < least as f64 || x > most as f64);
        if let Some((index, x)) = place.zip(place.and_then(|i| numbers.iter().nth(i))) {
            bail!("element {index} is {x}, input `{input}` takes {self}");
        }
        let is_scaled = numbers.iter().all(|x| x.abs() <= 1.0);
        if is_scaled && numbers.iter().any(|x| x.fract() != 0.0) {
            return Err(hinted(
                format!("all elements are between -1 and 1, input `{input}` takes {self}"),
                "the network scales them itself: give the numbers before they were divided",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::model::Rounding;
    use ndarray::array;

    fn quantizer(scale: f64, zero_point: i64) -> Quantizer {
        Quantizer { scale, zero_point, q_min: 0, q_max: 255, rounding: Rounding::HalfEven }
    }

    #[test]
    fn steps_of_one_are_whole_numbers() {
        let bytes = Some(WholeNumbers { least: 0, most: 255 });
        assert_eq!(of_quantizer(&quantizer(1.0, 0)), bytes);
        assert_eq!(of_quantizer(&quantizer(0.5, 0)), None);
        assert_eq!(of_quantizer(&quantizer(1.0, 128)), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let bytes = WholeNumbers { least: 0, most: 255 };
        let error = |array: ArrayD<f64>| bytes.check("x", &array).unwrap_err().to_string();
        bytes.check("x", &array![0.0, 255.0].into_dyn()).unwrap();
        bytes.check("x", &array![0.0, 1.0].into_dyn()).unwrap();
        assert_eq!(
            error(array![1.0, 256.0].into_dyn()),
            "element 1 is 256, input `x` takes whole numbers from 0 to 255"
        );
        assert!(error(array![-1.0].into_dyn()).starts_with("element 0 is -1"));
        assert!(error(array![0.0, 0.5].into_dyn()).starts_with("all elements are between"));
        let pixels = array![0.0, 0.2, 1.0].into_dyn();
        let raw = bytes.of_pixels("x", pixels.clone()).unwrap();
        assert_eq!(raw, array![0.0, 51.0, 255.0].into_dyn());
        let signed = WholeNumbers { least: -128, most: 127 };
        assert!(signed.of_pixels("x", pixels).is_err());
    }
}
