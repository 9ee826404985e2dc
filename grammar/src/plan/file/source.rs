//! The source model of a plan: its text, and its constants as numbers of the smallest format that holds them exactly.

use ndarray::ArrayD;

use super::Invalid;
use super::wire::{Malformed, Reader, Writer, list};
use crate::model::{MAX_RANK, Model, parse};

pub(super) fn write(w: &mut Writer, model: &Model) {
    w.string(&model.text(0).to_string());
    w.varint(model.constants.len() as u64);
    for array in &model.constants {
        w.varint(array.ndim() as u64);
        array.shape().iter().for_each(|&extent| w.varint(extent as u64));
        let is_single = array.iter().all(|&x| f64::from(x as f32).to_bits() == x.to_bits());
        w.varint(u64::from(is_single));
        array.iter().for_each(|&x| match is_single {
            true => w.0.extend((x as f32).to_le_bytes()),
            false => w.f64(x),
        });
    }
}

/// Reads and verifies a model.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Model, Invalid> {
    let text = r.text()?;
    let n_constants = r.count(2)?;
    let mut constants = r.clone();
    for _ in 0..n_constants {
        read_constant(r, false)?;
    }
    r.finish()?;
    // The text cites the constants in order: `npz "c0"`, `npz "c1"`, ...
    let mut next = 0;
    let mut resolve = |name: &str| {
        if name != format!("c{next}") || next >= n_constants {
            return None;
        }
        next += 1;
        read_constant(&mut constants, true).ok()
    };
    let model = parse(text, &mut resolve)
        .map_err(|error| Malformed(format!("the text of the source model, {error}")))?;
    if model.constants.len() != n_constants {
        return Ok(r.fail(format!("{n_constants} constants, the model names fewer"))?);
    }
    Ok(model)
}

/// Reads a constant, or only checks that it is there.
fn read_constant(r: &mut Reader<'_>, keep: bool) -> Result<ArrayD<f64>, Malformed> {
    let rank = r.at_most(MAX_RANK)?;
    let shape = list(rank, || r.number::<usize>())?;
    let width = if r.bool()? { 4 } else { 8 };
    let len = shape.iter().try_fold(width, |n: u64, &extent| n.checked_mul(extent as u64));
    let bytes = r.bytes(len.unwrap_or(u64::MAX))?;
    if !keep {
        return Ok(ArrayD::zeros(vec![0]));
    }
    let numbers: Vec<f64> = match width {
        4 => bytes.as_chunks().0.iter().map(|&x| f64::from(f32::from_le_bytes(x))).collect(),
        _ => bytes.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect(),
    };
    ArrayD::from_shape_vec(shape, numbers).or_else(|error| r.fail(error))
}
