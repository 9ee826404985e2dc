//! Plans as bytes.
//!
//! The payload has three blocks, each with its length before it: the *program*, which is what execution depends on
//! and what the fingerprint is taken of; the *report*, which names layers; the *source*, the model that was compiled,
//! which may be empty. Types are not stored: they are inferred again.
//!
//! The format is not Protocol Buffers, whose generated readers turn two bytes into a message of a hundred: here every
//! count is checked against the bytes that are left, and the runs of plaintexts, most of a plan, are checked before
//! they are stored. So a file that is refused takes about twice its own size. And every value has one encoding, so
//! equal plans have equal fingerprints.

mod instructions;
mod program;
mod report;
mod runs;
mod source;
mod validation;
mod wire;

use bytes::Bytes;

use super::{Plan, PlanError, Runs, Value, VerifiedPlan};
use crate::envelope::{self, FileError, Fingerprint, Kind, Origin};
use crate::model::{MAX_ELEMENTS, MAX_RANK, Model};
use crate::security::Security;
use runs::{Fate, RunsReader, Shapes};
use wire::{Malformed, Reader, Writer};

/// The content of a plan's file.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// The plan.
    pub plan: VerifiedPlan,
    /// The model that it was compiled from, if it was stored: what `simulate` compares with.
    pub source: Option<Model>,
    /// Names the plan in the files of its keys and ciphertexts.
    pub fingerprint: Fingerprint,
}

/// BLAKE3 of all that a plan's execution depends on: not of its name, its layers or its source.
pub fn fingerprint(plan: &Plan) -> Fingerprint {
    let mut program = Writer::default();
    program::write(&mut program, &mut Shapes::default(), plan);
    hash(&program.0)
}

/// A plan's file. The same plan and source give the same bytes.
pub fn to_bytes(plan: &VerifiedPlan, source: Option<&Model>) -> Vec<u8> {
    let mut payload = Writer::default();
    payload.block(|w| program::write(w, &mut Shapes::default(), plan));
    let fingerprint = hash(&payload.0[8..]);
    payload.block(|w| report::write(w, &mut Shapes::default(), plan));
    payload.block(|w| {
        if let Some(model) = source {
            source::write(w, model);
        }
    });
    envelope::seal(Kind::Plan, Origin::of_plan(fingerprint), &payload.0)
}

/// Opens a plan's file, which may be hostile: all promises of plan and source are checked. An insecure plan is refused,
/// whoever made it.
pub fn from_bytes(bytes: Bytes) -> Result<PlanFile, FileError> {
    open(bytes, Accepted::Secure)
}

/// As [`from_bytes`], insecure plans too.
#[cfg(feature = "insecure-for-tests")]
pub fn from_bytes_even_insecure(bytes: Bytes) -> Result<PlanFile, FileError> {
    open(bytes, Accepted::InsecureToo)
}

/// Which plans are read.
#[derive(Clone, Copy)]
enum Accepted {
    Secure,
    #[cfg(feature = "insecure-for-tests")]
    InsecureToo,
}

fn open(bytes: Bytes, accepted: Accepted) -> Result<PlanFile, FileError> {
    let envelope = envelope::open(bytes, Kind::Plan)?;
    read(&envelope, accepted).map_err(|error| match error {
        Invalid::Malformed(Malformed(what)) => FileError::Content { kind: Kind::Plan, what },
        Invalid::Plan(error) => FileError::Promise(error.to_string()),
    })
}

/// Why a payload is refused.
enum Invalid {
    Malformed(Malformed),
    Plan(PlanError),
}

impl From<Malformed> for Invalid {
    fn from(malformed: Malformed) -> Invalid {
        Invalid::Malformed(malformed)
    }
}

impl From<PlanError> for Invalid {
    fn from(error: PlanError) -> Invalid {
        Invalid::Plan(error)
    }
}

fn read(envelope: &envelope::Envelope, accepted: Accepted) -> Result<PlanFile, Invalid> {
    let mut payload = Reader::new(&envelope.payload);
    let (program, report, mut source) = (payload.block()?, payload.block()?, payload.block()?);
    payload.finish()?;
    let fingerprint = hash(program.rest());
    let found = envelope.origin.plan;
    if fingerprint != found {
        return Ok(payload.fail(format!("fingerprint {found}, its plan's is {fingerprint}"))?);
    }
    // Once without the runs, which are checked and dropped, so that only a sound plan takes its memory.
    let params = program::read_params(&mut program.clone())?;
    if matches!((params.security, accepted), (Security::Insecure(_), Accepted::Secure)) {
        return Ok(payload.fail(program::insecure(0))?);
    }
    let n_slots = params.n_slots();
    VerifiedPlan::new(read_plan(program.clone(), report.clone(), Fate::Check { n_slots })?)?;
    let source = if source.is_empty() { None } else { Some(source::read(&mut source)?) };
    let plan = VerifiedPlan::new(read_plan(program, report, Fate::Keep)?)?;
    Ok(PlanFile { plan, source, fingerprint })
}

fn read_plan(mut program: Reader<'_>, mut report: Reader<'_>, fate: Fate) -> Result<Plan, Invalid> {
    let (name, origins) = report::read_origins(&mut report)?;
    let mut plan = Plan::new(program::read_params(&mut program)?, &name);
    plan.origins = origins;
    program::read(&mut program, &mut RunsReader::new(fate), &mut plan)?;
    program.finish()?;
    plan.layers = report::read_layers(&mut report, &mut RunsReader::new(fate))?;
    plan.validation = validation::read(&mut report)?;
    report.finish()?;
    Ok(plan)
}

fn hash(program: &[u8]) -> Fingerprint {
    Fingerprint(blake3::hash(program).into())
}

fn write_shape(w: &mut Writer, shape: &[usize]) {
    w.varint(shape.len() as u64);
    shape.iter().for_each(|&extent| w.varint(extent as u64));
}

/// A shape and its number of elements.
fn shape(r: &mut Reader<'_>) -> Result<(Vec<usize>, usize), Malformed> {
    let rank = r.at_most(MAX_RANK)?;
    let shape = wire::list(rank, || r.number::<usize>())?;
    let count = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
    match count.filter(|&count| count <= MAX_ELEMENTS) {
        Some(count) => Ok((shape, count)),
        None => r.fail(format!("shape {shape:?} has more than {MAX_ELEMENTS} elements")),
    }
}

/// One value and map for each ciphertext of a tensor.
fn write_places<'a>(w: &mut Writer, shapes: &mut Shapes<'a>, places: &'a [(Value, Runs)]) {
    w.varint(places.len() as u64);
    for (value, runs) in places {
        w.u32(value.0);
        shapes.write(w, runs);
    }
}

fn read_places(
    r: &mut Reader<'_>,
    n_elements: usize,
    mut runs: impl FnMut(&mut Reader<'_>, usize) -> Result<Runs, Malformed>,
) -> Result<Vec<(Value, Runs)>, Malformed> {
    wire::list(r.count(13)?, || Ok((Value(r.u32()?), runs(r, n_elements)?)))
}
