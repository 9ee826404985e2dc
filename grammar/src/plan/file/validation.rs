//! What a plan's comparison with its network showed, as bytes.

use super::wire::{Malformed, Reader, Writer, list};
use crate::plan::verify::MAX_TENSORS;
use crate::plan::{Accuracy, Better, ErrorSize, OutputErrors, Share, Validation};

pub(super) fn write(w: &mut Writer, validation: Option<&Validation>) {
    w.varint(u64::from(validation.is_some()));
    let Some(Validation { n_inputs, agreement, accuracy, outputs, better }) = validation else {
        return;
    };
    w.varint(*n_inputs);
    w.varint(u64::from(agreement.is_some()));
    agreement.iter().for_each(|share| write_share(w, *share));
    match accuracy {
        None => w.varint(0),
        Some(Accuracy::Classes { original, compiled }) => {
            w.varint(1);
            [original.count, compiled.count, compiled.of].into_iter().for_each(|n| w.varint(n));
        }
        Some(Accuracy::Values { original, compiled }) => {
            w.varint(2);
            [original, compiled].into_iter().for_each(|x| w.f64(*x));
        }
    }
    w.varint(outputs.len() as u64);
    for OutputErrors { least_spread, spread, approximation, rounding, total } in outputs {
        [*least_spread, *spread].into_iter().for_each(|x| w.f64(x));
        for ErrorSize { largest, rms } in [approximation, rounding, total] {
            [*largest, *rms].into_iter().for_each(|x| w.f64(x));
        }
    }
    w.varint(u64::from(better.is_some()));
    if let Some(Better { degrees, time, agreement, rms }) = better {
        w.varint(degrees.len() as u64);
        degrees.iter().for_each(|&degree| w.u32(degree));
        [*time, *rms].into_iter().for_each(|x| w.f64(x));
        w.varint(u64::from(agreement.is_some()));
        agreement.iter().for_each(|share| w.f64(*share));
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Option<Validation>, Malformed> {
    if !r.bool()? {
        return Ok(None);
    }
    let n_inputs = r.varint()?;
    let agreement = if r.bool()? { Some(read_share(r)?) } else { None };
    let accuracy = match r.varint()? {
        0 => None,
        1 => {
            let [original, compiled, of] = [r.varint()?, r.varint()?, r.varint()?];
            let share = |count| Share { count, of };
            Some(Accuracy::Classes { original: share(original), compiled: share(compiled) })
        }
        2 => Some(Accuracy::Values { original: r.f64()?, compiled: r.f64()? }),
        other => return r.fail(format!("accuracy of kind {other}, expected 0 to 2")),
    };
    let outputs = list(r.at_most(MAX_TENSORS)?, || read_errors(r))?;
    let better = if r.bool()? { Some(read_better(r)?) } else { None };
    Ok(Some(Validation { n_inputs, agreement, accuracy, outputs, better }))
}

fn write_share(w: &mut Writer, Share { count, of }: Share) {
    w.varint(count);
    w.varint(of);
}

fn read_share(r: &mut Reader<'_>) -> Result<Share, Malformed> {
    Ok(Share { count: r.varint()?, of: r.varint()? })
}

fn read_errors(r: &mut Reader<'_>) -> Result<OutputErrors, Malformed> {
    let (least_spread, spread) = (r.f64()?, r.f64()?);
    let mut size = || Ok(ErrorSize { largest: r.f64()?, rms: r.f64()? });
    let (approximation, rounding, total) = (size()?, size()?, size()?);
    Ok(OutputErrors { least_spread, spread, approximation, rounding, total })
}

fn read_better(r: &mut Reader<'_>) -> Result<Better, Malformed> {
    let degrees = list(r.count(4)?, || r.u32())?;
    let (time, rms) = (r.f64()?, r.f64()?);
    let agreement = if r.bool()? { Some(r.f64()?) } else { None };
    Ok(Better { degrees, time, agreement, rms })
}
