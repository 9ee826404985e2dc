//! What the client needs of a plan: parameters, inputs, outputs, keys, what results are like.

use super::runs::{RunsReader, Shapes};
use super::wire::{Malformed, Reader, Writer, list};
use super::{Invalid, ends, key, params};
use crate::plan::verify::MAX_TENSORS;
use crate::plan::{Input, Interface, KeyUse, LimbSet, Output, ResultType};

/// Bytes of a key: as many as it takes in memory.
const KEY_BYTES: usize = 24;

/// The content of the block.
pub(super) struct Ends {
    pub(super) interface: Interface,
    pub(super) inputs: Vec<Input>,
    /// Their values are numbers of results, in order.
    pub(super) outputs: Vec<Output>,
}

pub(super) fn write(w: &mut Writer, interface: &Interface, inputs: &[Input], outputs: &[Output]) {
    let Interface { params, batch, n_inputs: _, keys, results } = interface;
    let mut shapes = Shapes::default();
    params::write(w, params);
    w.varint(*batch as u64);
    w.varint(inputs.len() as u64);
    inputs.iter().for_each(|input| ends::write_input(w, &mut shapes, input));
    w.varint(outputs.len() as u64);
    outputs.iter().for_each(|output| ends::write_output(w, &mut shapes, output));
    w.varint(keys.len() as u64);
    for KeyUse { key, limbs, n_special } in keys {
        let (which, steps) = key::code(*key);
        w.u32(which as u32);
        w.u32(steps);
        w.u64(limbs.0);
        w.u64(*n_special as u64);
    }
    for ResultType { limbs, scale, correction_factors } in results {
        w.u64(limbs.0);
        w.f64(*scale);
        correction_factors.iter().for_each(|&factor| w.u64(factor));
    }
}

/// Reads the block to its end.
pub(super) fn read(mut r: Reader<'_>, runs: &mut RunsReader) -> Result<Ends, Invalid> {
    let r = &mut r;
    let params = params::read(r)?;
    let batch = r.number()?;
    let inputs = list(r.at_most(MAX_TENSORS)?, || ends::read_input(r, runs))?;
    let mut n_results = 0;
    let outputs = list(r.at_most(MAX_TENSORS)?, || {
        let output = ends::read_output(r, runs, n_results)?;
        n_results += output.slots.len();
        Ok::<_, Malformed>(output)
    })?;
    let keys = list(r.count(KEY_BYTES)?, || read_key(r))?;
    let results = list(n_results, || read_result(r, params.t().len()))?;
    r.finish()?;
    let n_inputs = inputs.iter().map(|input| input.slots.len()).sum();
    Ok(Ends { interface: Interface { params, batch, n_inputs, keys, results }, inputs, outputs })
}

fn read_key(r: &mut Reader<'_>) -> Result<KeyUse, Malformed> {
    let (which, steps) = (r.u32()?, r.u32()?);
    let Some(key) = key::of_code(u64::from(which), steps) else {
        return r.fail(format!("evaluation key ({which}, {steps})"));
    };
    Ok(KeyUse { key, limbs: LimbSet(r.u64()?), n_special: r.u64()? as usize })
}

fn read_result(r: &mut Reader<'_>, n_instances: usize) -> Result<ResultType, Malformed> {
    let (limbs, scale) = (LimbSet(r.u64()?), r.f64()?);
    Ok(ResultType { limbs, scale, correction_factors: list(n_instances, || r.u64())? })
}
