//! What a plan says about itself: its name, its layers and which instructions they consist of, how good it is.

use super::runs::{RunsReader, Shapes};
use super::wire::{Malformed, Reader, Writer, list};
use super::{read_places, shape, validation, write_places, write_shape};
use crate::plan::{Layer, Plan};

pub(super) fn write<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, plan: &'a Plan) {
    w.string(&plan.name);
    w.varint(plan.origins.len() as u64);
    plan.origins.iter().for_each(|&origin| w.u32(origin));
    w.varint(plan.layers.len() as u64);
    for layer in &plan.layers {
        write_layer(w, shapes, layer);
    }
    validation::write(w, plan.validation.as_ref());
}

/// Reads the name and the layer of each instruction.
pub(super) fn read_origins(r: &mut Reader<'_>) -> Result<(String, Vec<u32>), Malformed> {
    let name = r.string()?;
    let origins = list(r.count(4)?, || r.u32())?;
    Ok((name, origins))
}

/// Reads what follows the origins.
pub(super) fn read_layers(
    r: &mut Reader<'_>,
    runs: &mut RunsReader,
) -> Result<Vec<Layer>, Malformed> {
    list(r.count(40)?, || read_layer(r, runs))
}

fn write_layer<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, layer: &'a Layer) {
    let Layer {
        name,
        kind,
        tensor,
        shape,
        factor,
        offset,
        slots,
        layout,
        degree,
        range,
        quantiles,
    } = layer;
    w.string(name);
    w.string(kind);
    w.varint(tensor.map_or(0, |tensor| u64::from(tensor) + 1));
    write_shape(w, shape);
    [*factor, *offset, range.0, range.1].into_iter().for_each(|x| w.f64(x));
    write_places(w, shapes, slots);
    w.string(layout);
    w.varint(u64::from(*degree));
    w.varint(quantiles.len() as u64);
    quantiles.iter().for_each(|&x| w.f64(x));
}

fn read_layer(r: &mut Reader<'_>, runs: &mut RunsReader) -> Result<Layer, Malformed> {
    let (name, kind) = (r.string()?, r.string()?);
    let tensor = match r.varint()?.checked_sub(1) {
        None => None,
        Some(tensor) => match u32::try_from(tensor) {
            Ok(tensor) => Some(tensor),
            Err(_) => return r.fail(format!("tensor {tensor}")),
        },
    };
    let (shape, n_elements) = shape(r)?;
    let (factor, offset, range) = (r.f64()?, r.f64()?, (r.f64()?, r.f64()?));
    let slots = read_places(r, n_elements, |r, n| runs.read(r, n))?;
    let (layout, degree) = (r.string()?, r.number()?);
    let quantiles = list(r.count(8)?, || r.f64())?;
    Ok(Layer { name, kind, tensor, shape, factor, offset, slots, layout, degree, range, quantiles })
}
