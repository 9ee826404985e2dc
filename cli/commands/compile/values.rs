//! What the options of `hecc compile` take, read.

use std::ops::RangeInclusive;

use hecc_compiler::layout::{Batch, Tiles};
use hecc_compiler::pass::quantize::QuantizeBits;

use crate::data::normalization;

/// Higher degrees gain nothing that encryption would not lose.
const MAX_DEGREE: usize = 255;

pub(super) fn parse_range(text: &str) -> Result<(f64, f64), String> {
    let (lo, hi) = text.split_once(',').ok_or("expected LO,HI")?;
    let (lo, hi) =
        (normalization::parse_number(lo.trim())?, normalization::parse_number(hi.trim())?);
    if lo < hi { Ok((lo, hi)) } else { Err(format!("{lo} is not below {hi}")) }
}

/// What `--degrees` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Degrees {
    /// All that are usual up to this one.
    Highest(usize),
    /// These, ascending.
    From(Vec<usize>),
    /// One for each activation, in order.
    Each(Vec<usize>),
}

pub(super) fn parse_degrees(text: &str) -> Result<Degrees, String> {
    let degree = |part: &str| match part.trim().parse::<usize>() {
        Ok(degree) if (1..=MAX_DEGREE).contains(&degree) => Ok(degree),
        _ => Err(format!("`{}` is not a degree from 1 to {MAX_DEGREE}", part.trim())),
    };
    if text.contains(':') {
        // One activation: `7:`.
        let text = text.strip_suffix(':').unwrap_or(text);
        return text.split(':').map(degree).collect::<Result<_, _>>().map(Degrees::Each);
    }
    let mut list = text.split(',').map(degree).collect::<Result<Vec<usize>, String>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(if let [only] = list[..] { Degrees::Highest(only) } else { Degrees::From(list) })
}

/// Inputs of one run: a number, or `slots`.
pub(crate) fn parse_batch(text: &str) -> Result<Batch, String> {
    const MOST: usize = 1 << 20;
    match text.parse::<usize>() {
        _ if text == "slots" => Ok(Batch::Slots),
        Ok(count @ 1..=MOST) => Ok(Batch::of_inputs(count)),
        Ok(_) | Err(_) => {
            Err(format!("`{text}` is neither a number of inputs, 1 to {MOST}, nor `slots`"))
        }
    }
}

/// Sizes of tiles, the last that of the inputs.
pub(crate) fn parse_tiles(text: &str) -> Result<Tiles, String> {
    const RINGS: RangeInclusive<usize> = 10..=15;
    let size = |part: &str| match part.parse::<usize>() {
        Ok(size) if size.is_power_of_two() => Ok(size.trailing_zeros() as usize),
        Ok(_) | Err(_) => Err(format!("`{part}` is not a power of two")),
    };
    let mut log_sizes = text.split('x').map(size).collect::<Result<Vec<_>, _>>()?;
    let log_inputs = log_sizes.pop().unwrap_or(0);
    let tiles = Tiles { log_sizes, log_inputs };
    match tiles.log_slots() {
        log if RINGS.contains(&log) => Ok(tiles),
        log => Err(format!(
            "2^{log} slots in all, expected {} to {}",
            1 << RINGS.start(),
            1 << RINGS.end()
        )),
    }
}

pub(super) fn parse_percent(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text.trim_end_matches('%').trim_end())? {
        percent if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        percent => Err(format!("{percent} % is not within 0 to 100")),
    }
}

pub(super) fn parse_error(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    match normalization::parse_number(number.trim_end())? / unit {
        error if error > 0.0 => Ok(error),
        error => Err(format!("{error} is not a positive number")),
    }
}

pub(super) fn parse_quantize(text: &str) -> Result<QuantizeBits, String> {
    let wrong = || format!("`{text}`, expected w=BITS,in=BITS with 2 to 16 and 1 to 16 bits");
    let (weights, inputs) = text.split_once(',').ok_or_else(wrong)?;
    let bits = |part: &str, name: &str, least: u32| {
        let bits = part.trim().strip_prefix(name).and_then(|bits| bits.parse::<u32>().ok());
        bits.filter(|bits| (least..=16).contains(bits)).ok_or_else(wrong)
    };
    Ok(QuantizeBits { weights: bits(weights, "w=", 2)?, inputs: bits(inputs, "in=", 1)? })
}

pub(super) fn parse_margin(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text)? {
        bits if (0.0..=40.0).contains(&bits) => Ok(bits),
        bits => Err(format!("{bits} bits are not within 0 to 40")),
    }
}

pub(crate) fn parse_precision(text: &str) -> Result<f64, String> {
    match normalization::parse_number(text)? {
        bits if (1.0..=40.0).contains(&bits) => Ok(bits),
        bits => Err(format!("{bits} bits are not within 1 to 40")),
    }
}
