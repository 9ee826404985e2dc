//! Plans as bytes.
//!
//! A plan has two parts: what its *client* needs (`client`), and what its *server* needs (`server`). The fingerprint is taken of
//! both, of each by its hash, so that either part shows which plan it is of. Its file has four blocks, each with its length before
//! it: the two parts; the *report*, which names layers; the *source*, the model that was compiled, which may be empty. Types are not
//! stored: they are inferred again. Files of the parts alone are in `parts`.
//!
//! The format is not Protocol Buffers, whose generated readers turn two bytes into a message of a hundred: here every
//! count is checked against the bytes that are left, and the runs of plaintexts, most of a plan, are checked before
//! they are stored. So a file that is refused takes about twice its own size. And every value has one encoding, so
//! equal plans have equal fingerprints.

mod client;
mod ends;
mod instructions;
mod key;
mod params;
mod parts;
mod report;
mod runs;
mod server;
mod source;
mod validation;
mod wire;

use bytes::Bytes;

use super::{Params, Plan, PlanError, Runs, Value, VerifiedPlan};
use crate::envelope::{self, Envelope, FileError, Fingerprint, Kind, Origin};
use crate::model::{MAX_ELEMENTS, MAX_RANK, Model};
use crate::security::Security;
use client::Ends;
pub use parts::{
    ClientFile, ServerFile, client_from_bytes, client_of_file, client_to_bytes, server_from_bytes,
    server_of_file, server_to_bytes,
};
#[cfg(feature = "insecure-for-tests")]
pub use parts::{client_from_bytes_even_insecure, server_from_bytes_even_insecure};
use runs::{Fate, RunsReader, Shapes};
use server::Head;
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

/// Names all that a plan's execution depends on: not its name, its layers or its source.
pub fn fingerprint(plan: &VerifiedPlan) -> Fingerprint {
    Parts::of(plan).fingerprint()
}

/// A plan's file. The same plan and source give the same bytes.
pub fn to_bytes(plan: &VerifiedPlan, source: Option<&Model>) -> Vec<u8> {
    let mut payload = Writer::default();
    let parts = Parts::of(plan);
    [&parts.client, &parts.server].into_iter().for_each(|part| payload.block(|w| w.0.extend(part)));
    payload.block(|w| report::write(w, &mut Shapes::default(), plan));
    payload.block(|w| {
        if let Some(model) = source {
            source::write(w, model);
        }
    });
    envelope::seal(Kind::Plan, Origin::of_plan(parts.fingerprint()), &payload.0)
}

/// Both parts as bytes.
struct Parts {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Parts {
    fn of(plan: &VerifiedPlan) -> Parts {
        let (mut client, mut server) = (Writer::default(), Writer::default());
        client::write(&mut client, &plan.interface(), &plan.inputs, &plan.outputs);
        server::write(&mut server, plan);
        Parts { client: client.0, server: server.0 }
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(hash(&self.client), hash(&self.server))
    }
}

type Hash = [u8; 32];

fn hash(part: &[u8]) -> Hash {
    blake3::hash(part).into()
}

fn fingerprint_of(client: Hash, server: Hash) -> Fingerprint {
    Fingerprint(hash(&[client, server].concat()))
}

/// Opens a plan's file, which may be hostile: all promises of plan and source are checked. An insecure plan is refused,
/// whoever made it.
///
/// # Errors
/// If it is no file of a plan, damaged, of another version, or breaks a promise.
pub fn from_bytes(bytes: Bytes) -> Result<PlanFile, FileError> {
    open(bytes, Accepted::Secure)
}

/// As [`from_bytes`], insecure plans too.
///
/// # Errors
/// Those of [`from_bytes`].
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
    read(&envelope, accepted).map_err(|invalid| invalid.of(Kind::Plan))
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

impl Invalid {
    /// The error of a file of this kind.
    fn of(self, kind: Kind) -> FileError {
        match self {
            Invalid::Malformed(Malformed(what)) => FileError::Content { kind, what },
            Invalid::Plan(error) => FileError::Promise(error.to_string()),
        }
    }
}

impl Accepted {
    /// Checks the parameters that a part starts with.
    fn check(self, part: &Reader<'_>) -> Result<Params, Invalid> {
        let params = params::read(&mut part.clone())?;
        match (params.security, self) {
            (Security::Insecure(_), Accepted::Secure) => Ok(part.fail(params::insecure(0))?),
            _ => Ok(params),
        }
    }
}

/// Checks that the fingerprint in a file's head is that of its parts.
fn check_fingerprint(
    envelope: &Envelope,
    client: Hash,
    server: Hash,
) -> Result<Fingerprint, Invalid> {
    let (fingerprint, found) = (fingerprint_of(client, server), envelope.origin.plan);
    if fingerprint == found {
        return Ok(fingerprint);
    }
    let what = format!("fingerprint {found}, that of its content is {fingerprint}");
    Err(Invalid::Malformed(Malformed(what)))
}

fn read(envelope: &Envelope, accepted: Accepted) -> Result<PlanFile, Invalid> {
    let mut payload = Reader::new(&envelope.payload);
    let blocks =
        Blocks { client: payload.block()?, server: payload.block()?, report: payload.block()? };
    let mut source = payload.block()?;
    payload.finish()?;
    let hashes = [&blocks.client, &blocks.server].map(|part| hash(part.rest()));
    let fingerprint = check_fingerprint(envelope, hashes[0], hashes[1])?;
    // Once without the runs, which are checked and dropped, so that only a sound plan takes its memory.
    let n_slots = accepted.check(&blocks.client)?.n_slots();
    blocks.read(Fate::Check { n_slots })?;
    let source = if source.is_empty() { None } else { Some(source::read(&mut source)?) };
    Ok(PlanFile { plan: blocks.read(Fate::Keep)?, source, fingerprint })
}

/// The blocks that a plan is made of.
struct Blocks<'a> {
    client: Reader<'a>,
    server: Reader<'a>,
    report: Reader<'a>,
}

impl Blocks<'_> {
    fn read(&self, fate: Fate) -> Result<VerifiedPlan, Invalid> {
        let (mut server, mut report) = (self.server.clone(), self.report.clone());
        let Ends { interface, inputs, outputs } =
            client::read(self.client.clone(), &mut RunsReader::new(fate))?;
        let Head { params, batch, n_inputs } = server::read_head(&mut server)?;
        if (&params, batch, n_inputs) != (&interface.params, interface.batch, interface.n_inputs) {
            return Ok(server.fail("its two parts differ in parameters, batch or inputs")?);
        }
        let (name, origins) = report::read_origins(&mut report)?;
        let mut plan = Plan { batch, inputs, origins, ..Plan::new(params, &name) };
        let results = server::read(&mut server, &mut RunsReader::new(fate), &mut plan)?;
        if results.len() != interface.results.len() {
            return Ok(server.fail("its two parts differ in the number of results")?);
        }
        plan.outputs = outputs;
        let places = plan.outputs.iter_mut().flat_map(|output| &mut output.slots);
        places.zip(results).for_each(|((value, _), result)| *value = result);
        plan.layers = report::read_layers(&mut report, &mut RunsReader::new(fate))?;
        plan.validation = validation::read(&mut report)?;
        report.finish()?;
        let plan = VerifiedPlan::new(plan)?;
        if plan.interface() != interface {
            return Ok(self.client.fail("keys or results that its instructions do not have")?);
        }
        Ok(plan)
    }
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
