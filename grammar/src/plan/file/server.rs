//! What the server needs of a plan: parameters, weights, plaintexts, instructions, which values leave it.

use super::runs::{RunsReader, Shapes};
use super::wire::{Malformed, Reader, Writer, list};
use super::{Invalid, instructions, params};
use crate::plan::{Constant, EmbeddingDiagonal, Params, Plan, Value, View};

/// What comes before weights and instructions.
pub(super) struct Head {
    pub(super) params: Params,
    pub(super) batch: usize,
    /// Ciphertexts that come in for each plaintext prime.
    pub(super) n_inputs: usize,
}

pub(super) fn write(w: &mut Writer, plan: &Plan) {
    let mut shapes = Shapes::default();
    params::write(w, &plan.params);
    w.varint(plan.batch as u64);
    w.varint(plan.n_input_ciphertexts() as u64);
    w.varint(plan.tables.len() as u64);
    for table in &plan.tables {
        w.u64(table.len() as u64);
        table.iter().for_each(|x| w.0.extend(x.to_le_bytes()));
    }
    w.varint(plan.constants.len() as u64);
    plan.constants.iter().for_each(|constant| write_constant(w, &mut shapes, constant));
    instructions::write(w, plan);
    w.varint(plan.output_values().count() as u64);
    plan.output_values().for_each(|value| w.u32(value.0));
}

/// Reads what comes before weights and instructions.
pub(super) fn read_head(r: &mut Reader<'_>) -> Result<Head, Invalid> {
    Ok(Head { params: params::read(r)?, batch: r.number()?, n_inputs: r.number()? })
}

/// Reads the rest of the block into a plan that has its parameters and inputs, but for the layers of its instructions. They are
/// typed as they come. Returns the values that leave it.
pub(super) fn read(
    r: &mut Reader<'_>,
    runs: &mut RunsReader,
    plan: &mut Plan,
) -> Result<Vec<Value>, Invalid> {
    plan.tables = list(r.count(8)?, || read_table(r))?;
    plan.constants = list(r.count(17)?, || read_constant(r, runs, &plan.tables))?;
    instructions::read(r, plan)?;
    let results = list(r.count(4)?, || Ok::<_, Malformed>(Value(r.u32()?)))?;
    r.finish()?;
    Ok(results)
}

fn read_table(r: &mut Reader<'_>) -> Result<Vec<f32>, Malformed> {
    let len = r.u64()?;
    let bytes = r.bytes(len.saturating_mul(4))?;
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four"));
    Ok(bytes.chunks_exact(4).map(number).collect())
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
