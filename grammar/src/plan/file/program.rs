//! What a plan's execution depends on: parameters, inputs, outputs, weights, plaintexts, instructions.

use super::runs::{RunsReader, Shapes};
use super::wire::{Malformed, Reader, Writer, list};
use super::{Invalid, instructions, shape, write_shape};
use crate::model::{Quantizer, Rounding};
use crate::plan::verify::{MAX_CLIENT_OPS, MAX_TENSORS, check_params};
use crate::plan::{
    ClientOp, Constant, EmbeddingDiagonal, Input, Magnitude, Normalization, Output, OutputKind,
    Params, Plan, Profile, Ranges, Scheme, View,
};
use crate::security::Security;

pub(super) fn write<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, plan: &'a Plan) {
    write_params(w, &plan.params);
    w.varint(plan.batch as u64);
    w.varint(plan.tables.len() as u64);
    for table in &plan.tables {
        w.u64(table.len() as u64);
        table.iter().for_each(|x| w.0.extend(x.to_le_bytes()));
    }
    w.varint(plan.inputs.len() as u64);
    plan.inputs.iter().for_each(|input| write_input(w, shapes, input));
    w.varint(plan.constants.len() as u64);
    plan.constants.iter().for_each(|constant| write_constant(w, shapes, constant));
    instructions::write(w, &plan.ops);
    w.varint(plan.outputs.len() as u64);
    plan.outputs.iter().for_each(|output| write_output(w, shapes, output));
}

/// Fills an empty plan, but for the layers of its instructions. They are typed as they come.
pub(super) fn read(
    r: &mut Reader<'_>,
    runs: &mut RunsReader,
    plan: &mut Plan,
) -> Result<(), Invalid> {
    plan.batch = r.number()?;
    plan.tables = list(r.count(8)?, || read_table(r))?;
    plan.inputs = list(r.at_most(MAX_TENSORS)?, || read_input(r, runs))?;
    plan.constants = list(r.count(17)?, || read_constant(r, runs, &plan.tables))?;
    instructions::read(r, plan)?;
    plan.outputs = list(r.at_most(MAX_TENSORS)?, || read_output(r, runs))?;
    Ok(())
}

fn write_params(w: &mut Writer, params: &Params) {
    let Params { scheme, log_n, q, t, p, input_level, top_scale, security } = params;
    w.varint(match scheme {
        Scheme::Ckks => 0,
        Scheme::Bfv => 1,
    });
    w.varint(u64::from(*log_n));
    for primes in [q, t, p] {
        w.varint(primes.len() as u64);
        primes.iter().for_each(|&prime| w.u64(prime));
    }
    w.varint(*input_level as u64);
    w.f64(*top_scale);
    w.varint(u64::from(security.bits()));
}

/// Reads and checks parameters: what follows relies on them.
pub(super) fn read_params(r: &mut Reader<'_>) -> Result<Params, Invalid> {
    let scheme = match r.varint()? {
        0 => Scheme::Ckks,
        1 => Scheme::Bfv,
        other => return Ok(r.fail(format!("scheme {other}, expected 0 or 1"))?),
    };
    let log_n = r.number()?;
    let mut primes = || list(r.count(8)?, || r.u64());
    let (q, t, p) = (primes()?, primes()?, primes()?);
    let input_level = r.number()?;
    let top_scale = r.f64()?;
    let bits: u32 = r.number()?;
    let Some(security) = Security::from_file(bits) else {
        return Ok(r.fail(insecure(bits))?);
    };
    let params = Params { scheme, log_n, q, t, p, input_level, top_scale, security };
    check_params(&params)?;
    Ok(params)
}

/// Why a plan that promises this many bits is refused.
pub(super) fn insecure(bits: u32) -> String {
    format!("security of {bits} bits, expected 128, 192 or 256")
}

fn read_table(r: &mut Reader<'_>) -> Result<Vec<f32>, Malformed> {
    let len = r.u64()?;
    let bytes = r.bytes(len.saturating_mul(4))?;
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four"));
    Ok(bytes.chunks_exact(4).map(number).collect())
}

fn write_input<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, input: &'a Input) {
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

fn read_input(r: &mut Reader<'_>, runs: &mut RunsReader) -> Result<Input, Malformed> {
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

fn write_output<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, output: &'a Output) {
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
    super::write_places(w, shapes, slots);
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

fn read_output(r: &mut Reader<'_>, runs: &mut RunsReader) -> Result<Output, Malformed> {
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
    let slots = super::read_places(r, n_elements, |r, n| runs.read_and_keep(r, n))?;
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

fn write_constant<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, constant: &'a Constant) {
    w.f64(constant.scale);
    match &constant.view {
        View::Splat(x) => {
            w.varint(0);
            w.f64(*x);
        }
        View::Imaginary(x) => {
            w.varint(1);
            w.f64(*x);
        }
        View::Embedding(diagonal) => {
            let EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift, factor } = diagonal;
            w.varint(2);
            w.f64(*factor);
            w.varint(u64::from(*inverse));
            [*log_slots, bits.0, bits.1, *rotation, *shift]
                .into_iter()
                .for_each(|x| w.varint(u64::from(x)));
        }
        View::Table { table, factor, runs } => {
            w.varint(u64::from(*table) + 3);
            w.f64(*factor);
            shapes.write(w, runs);
        }
    }
}

fn read_constant(
    r: &mut Reader<'_>,
    runs: &mut RunsReader,
    tables: &[Vec<f32>],
) -> Result<Constant, Malformed> {
    let scale = r.f64()?;
    let view = match r.number::<u32>()? {
        0 => View::Splat(r.f64()?),
        1 => View::Imaginary(r.f64()?),
        2 => {
            let (factor, inverse) = (r.f64()?, r.bool()?);
            let (log_slots, bits) = (r.number()?, (r.number()?, r.number()?));
            let (rotation, shift) = (r.number()?, r.number()?);
            View::Embedding(EmbeddingDiagonal { log_slots, inverse, bits, rotation, shift, factor })
        }
        code => {
            let table = code - 3;
            let Some(elements) = tables.get(table as usize) else {
                return r.fail(format!("table {table} of {}", tables.len()));
            };
            View::Table { table, factor: r.f64()?, runs: runs.read(r, elements.len())? }
        }
    };
    Ok(Constant { view, scale })
}
