//! Whether inputs and results are like those that the plan was calibrated on.

use std::fmt;

use hecc_grammar::plan::{Input, Output, Unusual, summary};

/// Why a result is outside of what the plan was calibrated on: it may be wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outside {
    /// BFV: an integer is larger than the plaintext primes were chosen for. It may have wrapped around.
    Overflow {
        /// Which element.
        index: usize,
        /// The integer.
        value: f64,
        /// The largest magnitude expected.
        limit: f64,
    },
    /// It is unlike the results on the calibration data.
    Unusual(Unusual),
}

/// Why a result, flattened in row-major order, is outside of what calibration saw, if it is.
pub fn outside(output: &Output, elements: &[f64]) -> Option<Outside> {
    overflow(output, elements).or_else(|| output.seen.judge(elements).map(Outside::Unusual))
}

/// What is unusual about an input, flattened in row-major order, all elements of which are in range.
pub fn unusual_input(input: &Input, elements: &[f64]) -> Option<Unusual> {
    input.seen.judge(&summary(&input.shape, elements))
}

fn overflow(output: &Output, elements: &[f64]) -> Option<Outside> {
    let limit = output.limit?;
    let integer = |index: usize| {
        let unit = output.factor * output.element_scales.get(index).unwrap_or(&1.0);
        if unit == 0.0 { 0.0 } else { (elements[index] / unit).round() }
    };
    let index = (0..elements.len()).find(|&index| integer(index).abs() > limit)?;
    Some(Outside::Overflow { index, value: integer(index), limit })
}

/// Prints what is outside, without the name of the tensor.
impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outside::Overflow { index, value, limit } => write!(
                f,
                "element {index} is {value} times its unit, outside ±{limit:.0}, which the plaintext modulus was chosen for: it \
                 may have wrapped around (--certify rules that out)"
            ),
            Outside::Unusual(Unusual::Element { index, value, range: (lo, hi) }) => {
                write!(f, "element {index} is {value:.4}, usual is {lo:.4} to {hi:.4}")
            }
            Outside::Unusual(Unusual::Distance { times }) => write!(
                f,
                "its elements together are {times:.1} times as far from the usual as any of calibration may be"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hecc_grammar::plan::{OutputKind, Profile};

    fn output() -> Output {
        Output {
            name: "y".to_owned(),
            shape: vec![1, 2],
            factor: 0.5,
            element_scales: vec![1.0, 4.0],
            limit: Some(10.0),
            magnitude: None,
            seen: Profile { ranges: vec![(-3.0, 3.0), (-30.0, 30.0)], ..Profile::default() },
            slots: vec![],
            client: vec![],
            kind: OutputKind::Values,
        }
    }

    #[test]
    fn integers_beyond_the_limit_come_first() {
        assert_eq!(outside(&output(), &[2.0, 20.0]), None);
        let overflow = Outside::Overflow { index: 1, value: 11.0, limit: 10.0 };
        assert_eq!(outside(&output(), &[5.0, 22.0]), Some(overflow));
        let unusual = outside(&output(), &[5.0, 20.0]).unwrap();
        assert_eq!(unusual.to_string(), "element 0 is 5.0000, usual is -3.0000 to 3.0000");
    }
}
