//! Checkpoints: parameters, what is run, how far it is, then ciphertexts: of results that are whole, and of those that are
//! still needed.
//!
//! | content | |
//! |---|---|
//! | parameters | |
//! | checksums | 32 bytes each: of the input's file and of the evaluation keys' |
//! | finished runs, finished plaintext primes | u32 each |
//! | finished instructions | a bit each, the first in the lowest bit; up to a whole byte |
//! | ciphertexts | all polynomials, packed: outputs of finished runs, of finished primes, results that are needed, ascending |
//!
//! What ciphertexts there are follows from the plan and the bits, and so does the size.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use hecc_grammar::envelope::{FileError, Kind, Origin, Writer, open};
use hecc_grammar::plan::{Form, Plan, Type, VerifiedPlan};

use crate::eval::{Snapshot, needed};
use crate::rlwe::Ciphertext;

use super::{
    Reader, RunSource, check_params, packed_limbs_bytes, params_bytes, put_limbs, put_params,
    read_limbs,
};

/// How far the runs of a plan on the inputs of a file are.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<'a> {
    /// What is run.
    pub source: RunSource,
    /// The outputs of runs that are finished.
    pub finished: Cow<'a, [Vec<Ciphertext>]>,
    /// Where the next run stands.
    pub snapshot: Snapshot,
}

/// Bytes of the checksums and of the counts.
const FIXED_BYTES: usize = 2 * 32 + 2 * 4;

/// Writes a checkpoint of the plan and the key that `origin` names, without a copy of the whole.
///
/// # Errors
/// If `out` fails.
///
/// # Panics
/// If the checkpoint is not one of the plan.
pub fn write_checkpoint(
    plan: &Plan,
    origin: Origin,
    checkpoint: &Checkpoint<'_>,
    out: impl Write,
) -> io::Result<()> {
    let Checkpoint { source, finished, snapshot } = checkpoint;
    let types = types_of(plan, finished.len(), snapshot.outputs.len(), &snapshot.done);
    let bytes: usize = types.iter().map(|ty| bytes_of(plan, ty)).sum();
    let head_bytes = params_bytes(&plan.params) + FIXED_BYTES + bits_bytes(plan);
    let mut out = Writer::new(out, Kind::Checkpoint, origin, (head_bytes + bytes) as u64)?;
    let mut head = vec![];
    put_params(&mut head, &plan.params);
    head.extend(source.input.0);
    head.extend(source.keys.0);
    let n_primes = snapshot.outputs.len() / plan.output_values().count();
    [finished.len(), n_primes].iter().for_each(|&n| head.extend((n as u32).to_le_bytes()));
    head.extend(packed_bits(plan, &snapshot.done));
    out.write_all(&head)?;
    let ciphertexts = finished.iter().flatten();
    let ciphertexts = ciphertexts.chain(snapshot.outputs.iter().map(|output| &**output));
    let ciphertexts = ciphertexts.chain(snapshot.values.values().map(|value| &**value));
    let mut packed = vec![];
    let mut n_written = 0;
    for (ciphertext, ty) in ciphertexts.zip(&types) {
        assert_eq!(ciphertext.ty, *ty, "results have the types of the plan");
        packed.clear();
        let limbs = limbs_of(plan, ty);
        let polys = ciphertext.polys.iter();
        polys.for_each(|poly| put_limbs(&mut packed, &plan.params, &limbs, poly));
        out.write_all(&packed)?;
        n_written += 1;
    }
    assert_eq!(n_written, types.len(), "the snapshot is one of the plan");
    out.finish().map(drop)
}

/// Reads a checkpoint of the plan and the key that `origin` names, of `n_runs` runs.
///
/// # Errors
/// If the file is damaged, belongs to another plan or key, or holds anything else.
pub fn read_checkpoint(
    plan: &VerifiedPlan,
    origin: Origin,
    n_runs: usize,
    file: Bytes,
) -> Result<Checkpoint<'static>, FileError> {
    let envelope = open(file, Kind::Checkpoint)?;
    envelope.expect(origin)?;
    let mut reader = Reader::new(Kind::Checkpoint, &envelope.payload);
    check_params(&mut reader, &plan.params)?;
    let source = RunSource { input: reader.fingerprint()?, keys: reader.fingerprint()? };
    let (n_finished, n_primes) = (reader.u32()? as usize, reader.u32()? as usize);
    if n_finished >= n_runs || n_primes >= plan.params.n_instances() {
        let of = plan.params.n_instances();
        let what = format!(
            "{n_finished} of {n_runs} runs, {n_primes} of {of} plaintext primes are finished, expected fewer"
        );
        return Err(reader.malformed(what));
    }
    let done = unpacked_bits(plan, &mut reader)?;
    let per_prime = plan.output_values().count();
    let types = types_of(plan, n_finished, n_primes * per_prime, &done);
    let expected = types.iter().try_fold(0usize, |sum, ty| sum.checked_add(bytes_of(plan, ty)));
    if expected != Some(reader.left()) {
        let what = format!("{} bytes for {} ciphertexts", reader.left(), types.len());
        return Err(reader.malformed(what));
    }
    let mut types = types.into_iter();
    let mut next = || {
        let ty = types.next().expect("there is a type for each");
        let limbs = limbs_of(plan, &ty);
        let polys = (0..=ty.degree).map(|_| read_limbs(&mut reader, &plan.params, &limbs));
        Ok(Ciphertext { polys: polys.collect::<Result<_, _>>()?, ty })
    };
    let per_run = per_prime * plan.params.n_instances();
    let finished = (0..n_finished).map(|_| (0..per_run).map(|_| next()).collect());
    let finished = Cow::Owned(finished.collect::<Result<Vec<Vec<_>>, FileError>>()?);
    let mut shared = || next().map(Arc::new);
    let outputs = (0..n_primes * per_prime).map(|_| shared()).collect::<Result<_, FileError>>()?;
    let values = needed(plan, &done).into_iter().map(|value| Ok((value, shared()?)));
    let values = values.collect::<Result<_, FileError>>()?;
    reader.finish()?;
    Ok(Checkpoint { source, finished, snapshot: Snapshot { outputs, done, values } })
}

/// The types of the ciphertexts of a checkpoint.
fn types_of(plan: &Plan, n_finished: usize, n_outputs: usize, done: &[bool]) -> Vec<Type> {
    let outputs: Vec<Type> = plan.output_values().map(|value| plan.ty(value)).collect();
    let n = n_finished * outputs.len() * plan.params.n_instances() + n_outputs;
    let values = if done.is_empty() { vec![] } else { needed(plan, done) };
    let values = values.into_iter().map(|value| plan.ty(value));
    outputs.iter().copied().cycle().take(n).chain(values).collect()
}

/// The limbs of a ciphertext: special primes come after those of ciphertexts.
fn limbs_of(plan: &Plan, ty: &Type) -> Vec<usize> {
    let n_q = plan.params.q.len();
    let special = match ty.form {
        Form::Q => n_q..n_q,
        Form::QP | Form::Digits => n_q..n_q + plan.params.n_special(ty.limbs),
    };
    ty.limbs.iter().chain(special).collect()
}

fn bytes_of(plan: &Plan, ty: &Type) -> usize {
    (usize::from(ty.degree) + 1) * packed_limbs_bytes(&plan.params, &limbs_of(plan, ty))
}

fn bits_bytes(plan: &Plan) -> usize {
    plan.ops.len().div_ceil(8)
}

/// The bits of instructions that are done with; none is before the first.
fn packed_bits(plan: &Plan, done: &[bool]) -> Vec<u8> {
    let mut bits = vec![0; bits_bytes(plan)];
    for (i, _) in done.iter().enumerate().filter(|(_, done)| **done) {
        bits[i / 8] |= 1 << (i % 8);
    }
    bits
}

fn unpacked_bits(plan: &Plan, reader: &mut Reader<'_>) -> Result<Vec<bool>, FileError> {
    let bits = reader.bytes(bits_bytes(plan))?;
    let bit = |i: usize| bits[i / 8] >> (i % 8) & 1 == 1;
    if (plan.ops.len()..8 * bits.len()).any(bit) {
        return Err(reader.malformed("bits of instructions that the plan does not have"));
    }
    Ok((0..plan.ops.len()).map(bit).collect())
}
