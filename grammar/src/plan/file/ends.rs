//! Inputs and outputs: what tensors are like, and where they are in ciphertexts.

use super::runs::{RunsReader, Shapes};
use super::wire::{Malformed, Reader, Writer, list};
use super::{shape, write_shape};
use crate::model::{Quantizer, Rounding};
use crate::plan::verify::MAX_CLIENT_OPS;
use crate::plan::{
    ClientOp, Input, Magnitude, Normalization, Output, OutputKind, Profile, Ranges, Value,
};

pub(super) fn write_input<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, input: &'a Input) {
    let Input { name, shape, ranges, seen, factor, quantizer, slots, normalization } = input;
    w.string(name);
    write_shape(w, shape);
    write_ranges(w, &ranges.0);
    write_profile(w, seen);
    w.f64(*factor);
    w.varint(u64::from(quantizer.is_some()));
    quantizer.iter().for_each(|&quantizer| write_quantizer(w, quantizer));
    w.varint(slots.len() as u64);
    slots.iter().for_each(|runs| shapes.write(w, runs));
    w.varint(u64::from(normalization.is_some()));
    if let Some(Normalization { mean, std }) = normalization {
        w.f64s(mean);
        w.f64s(std);
    }
}

pub(super) fn read_input(r: &mut Reader<'_>, runs: &mut RunsReader) -> Result<Input, Malformed> {
    let name = r.string()?;
    let (shape, n_elements) = shape(r)?;
    let (ranges, seen, factor) = (Ranges(read_ranges(r)?), read_profile(r)?, r.f64()?);
    let quantizer = if r.bool()? {
        let rounding = r.number()?;
        Some(read_quantizer(r, rounding)?)
    } else {
        None
    };
    let slots = list(r.count(9)?, || runs.read(r, n_elements))?;
    let normalization =
        if r.bool()? { Some(Normalization { mean: r.f64s()?, std: r.f64s()? }) } else { None };
    Ok(Input { name, shape, ranges, seen, factor, quantizer, slots, normalization })
}

fn write_ranges(w: &mut Writer, ranges: &[(f64, f64)]) {
    w.varint(ranges.len() as u64);
    ranges.iter().flat_map(|&(lo, hi)| [lo, hi]).for_each(|x| w.f64(x));
}

fn read_ranges(r: &mut Reader<'_>) -> Result<Vec<(f64, f64)>, Malformed> {
    list(r.count(16)?, || Ok((r.f64()?, r.f64()?)))
}

fn write_profile(w: &mut Writer, profile: &Profile) {
    let Profile { ranges, center, whitening, farthest } = profile;
    write_ranges(w, ranges);
    [center, whitening].into_iter().for_each(|list| w.f64s(list));
    w.f64(*farthest);
}

fn read_profile(r: &mut Reader<'_>) -> Result<Profile, Malformed> {
    let ranges = read_ranges(r)?;
    Ok(Profile { ranges, center: r.f64s()?, whitening: r.f64s()?, farthest: r.f64()? })
}

pub(super) fn write_output<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, output: &'a Output) {
    let Output { name, shape, factor, element_scales, limit, magnitude, seen, slots, client, kind } =
        output;
    w.string(name);
    write_shape(w, shape);
    w.f64(*factor);
    w.f64s(element_scales);
    w.varint(u64::from(limit.is_some()));
    limit.iter().for_each(|&limit| w.f64(limit));
    w.varint(u64::from(magnitude.is_some()));
    if let Some(Magnitude { calibrated, certified }) = magnitude {
        [calibrated, certified].into_iter().for_each(|&x| w.f64(x));
    }
    write_profile(w, seen);
    w.varint(slots.len() as u64);
    slots.iter().for_each(|(_, runs)| shapes.write(w, runs));
    write_kind(w, *kind);
    // They are small and have many forms: their text is as good as any.
    w.varint(client.len() as u64);
    client.iter().for_each(|op| w.string(&op.to_string()));
}

fn write_quantizer(w: &mut Writer, quantizer: Quantizer) {
    let Quantizer { scale, zero_point, q_min, q_max, rounding } = quantizer;
    w.varint(rounding as u64);
    w.f64(scale);
    [zero_point, q_min, q_max].into_iter().for_each(|n| w.zigzag(n));
}

fn read_quantizer(r: &mut Reader<'_>, rounding: usize) -> Result<Quantizer, Malformed> {
    let Some(&rounding) = Rounding::ALL.get(rounding) else {
        return r.fail(format!("rounding mode {rounding}, expected 0 to 6"));
    };
    let (scale, zero_point) = (r.f64()?, r.zigzag()?);
    Ok(Quantizer { scale, zero_point, q_min: r.zigzag()?, q_max: r.zigzag()?, rounding })
}

/// Its values are numbered from `n_before` on.
pub(super) fn read_output(
    r: &mut Reader<'_>,
    runs: &mut RunsReader,
    n_before: usize,
) -> Result<Output, Malformed> {
    let name = r.string()?;
    let (shape, n_elements) = shape(r)?;
    let (factor, element_scales) = (r.f64()?, r.f64s()?);
    let limit = if r.bool()? { Some(r.f64()?) } else { None };
    let magnitude = if r.bool()? {
        Some(Magnitude { calibrated: r.f64()?, certified: r.f64()? })
    } else {
        None
    };
    let seen = read_profile(r)?;
    let mut next = n_before as u32;
    let slots = list(r.count(9)?, || {
        next += 1;
        Ok((Value(next - 1), runs.read_and_keep(r, n_elements)?))
    })?;
    let kind = read_kind(r)?;
    let client = list(r.at_most(MAX_CLIENT_OPS)?, || read_client(r))?;
    Ok(Output { name, shape, factor, element_scales, limit, magnitude, seen, slots, client, kind })
}

fn write_kind(w: &mut Writer, kind: OutputKind) {
    let (code, axis) = match kind {
        OutputKind::Values => return w.varint(0),
        OutputKind::Classes { axis } => (1, axis),
        OutputKind::Scores { axis } => (2, axis),
        OutputKind::Threshold { at } => {
            w.varint(3);
            return w.f64(at);
        }
    };
    w.varint(code);
    w.varint(axis as u64);
}

fn read_kind(r: &mut Reader<'_>) -> Result<OutputKind, Malformed> {
    Ok(match r.varint()? {
        0 => OutputKind::Values,
        1 => OutputKind::Classes { axis: r.number()? },
        2 => OutputKind::Scores { axis: r.number()? },
        3 => OutputKind::Threshold { at: r.f64()? },
        other => return r.fail(format!("kind {other} of an output, expected 0 to 3")),
    })
}

fn read_client(r: &mut Reader<'_>) -> Result<ClientOp, Malformed> {
    let text = r.text()?;
    match text.parse::<ClientOp>() {
        // Everything has one encoding.
        Ok(op) if op.to_string() == text => Ok(op),
        Ok(op) => r.fail(format!("`{text}` for `{op}`")),
        Err(error) => r.fail(format!("operation of the client: {error}")),
    }
}
