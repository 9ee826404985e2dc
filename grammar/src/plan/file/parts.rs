//! The parts of a plan as files of their own.
//!
//! The client's has what the client needs, the hash of what the server needs, and what is known of the results' errors; the server's
//! has the hash of what the client needs and what the server needs: neither weights there nor ranges, names and classes here.

use bytes::Bytes;

use super::runs::{Fate, RunsReader};
use super::wire::{Reader, Writer};
use super::{
    Accepted, Hash, Invalid, Parts, PlanFile, check_fingerprint, client, from_bytes, hash, server,
};
use crate::envelope::{self, Envelope, FileError, Fingerprint, Kind, Origin};
use crate::plan::{
    ClientPart, Input, Output, OutputKind, Plan, Profile, Ranges, Run, Runs, Value,
    VerifiedClientPart, VerifiedPlan,
};

/// No part of a plan takes more ciphertexts: each has a hundred kilobytes and more.
const MAX_CIPHERTEXTS: usize = 1 << 18;

/// The content of a client part's file.
#[derive(Clone, Debug)]
pub struct ClientFile {
    /// The part.
    pub part: VerifiedClientPart,
    /// Names the plan that it is of.
    pub fingerprint: Fingerprint,
}

/// The content of a server part's file.
#[derive(Clone, Debug)]
pub struct ServerFile {
    /// The plan as its server knows it: inputs and outputs are ciphertexts without meaning, layers have no names.
    pub plan: VerifiedPlan,
    /// Names the plan that it is of.
    pub fingerprint: Fingerprint,
}

/// The file of a plan's client part.
///
/// # Errors
/// If the client could not do with it: its noise analysis knows no bound on errors.
pub fn client_to_bytes(plan: &VerifiedPlan) -> Result<Vec<u8>, FileError> {
    let part = plan.client_part();
    let parts = Parts::of(plan);
    let mut payload = Writer::default();
    payload.block(|w| w.0.extend(&parts.client));
    payload.0.extend(hash(&parts.server));
    payload.block(|w| {
        w.string(&part.name);
        w.f64s(&part.bounds);
    });
    let refused = |error| Invalid::Plan(error).of(Kind::ClientPart);
    VerifiedClientPart::new((*part).clone()).map_err(refused)?;
    Ok(envelope::seal(Kind::ClientPart, Origin::of_plan(parts.fingerprint()), &payload.0))
}

/// The file of a plan's server part.
pub fn server_to_bytes(plan: &VerifiedPlan) -> Vec<u8> {
    let parts = Parts::of(plan);
    let mut payload = Writer::default();
    payload.0.extend(hash(&parts.client));
    payload.block(|w| w.0.extend(&parts.server));
    envelope::seal(Kind::ServerPart, Origin::of_plan(parts.fingerprint()), &payload.0)
}

/// What the client needs, of the file of a plan or of its client part alone, which may be hostile: see [`from_bytes`] and
/// [`client_from_bytes`].
///
/// # Errors
/// If it is neither, or breaks a promise.
pub fn client_of_file(bytes: Bytes) -> Result<ClientFile, FileError> {
    if envelope::kind_of(&bytes)? == Kind::ClientPart {
        return client_from_bytes(bytes);
    }
    let PlanFile { plan, fingerprint, .. } = from_bytes(bytes)?;
    Ok(ClientFile { part: plan.client_part(), fingerprint })
}

/// What the server needs, of the file of a plan or of its server part alone, which may be hostile: see [`from_bytes`] and
/// [`server_from_bytes`].
///
/// # Errors
/// If it is neither, or breaks a promise.
pub fn server_of_file(bytes: Bytes) -> Result<ServerFile, FileError> {
    if envelope::kind_of(&bytes)? == Kind::ServerPart {
        return server_from_bytes(bytes);
    }
    let PlanFile { plan, fingerprint, .. } = from_bytes(bytes)?;
    Ok(ServerFile { plan, fingerprint })
}

/// Opens the file of a client part, which may be hostile: what can be checked without the rest of the plan is. An insecure one
/// is refused.
///
/// # Errors
/// If it is no file of a client part, damaged, of another version, or breaks a promise.
pub fn client_from_bytes(bytes: Bytes) -> Result<ClientFile, FileError> {
    open_client(bytes, Accepted::Secure)
}

/// As [`client_from_bytes`], insecure ones too.
///
/// # Errors
/// Those of [`client_from_bytes`].
#[cfg(feature = "insecure-for-tests")]
pub fn client_from_bytes_even_insecure(bytes: Bytes) -> Result<ClientFile, FileError> {
    open_client(bytes, Accepted::InsecureToo)
}

fn open_client(bytes: Bytes, accepted: Accepted) -> Result<ClientFile, FileError> {
    let envelope = envelope::open(bytes, Kind::ClientPart)?;
    read_client(&envelope, accepted).map_err(|invalid| invalid.of(Kind::ClientPart))
}

fn read_client(envelope: &Envelope, accepted: Accepted) -> Result<ClientFile, Invalid> {
    let mut payload = Reader::new(&envelope.payload);
    let (client, server, mut said) = (payload.block()?, read_hash(&mut payload)?, payload.block()?);
    payload.finish()?;
    let fingerprint = check_fingerprint(envelope, hash(client.rest()), server)?;
    let (name, bounds) = (said.string()?, said.f64s()?);
    said.finish()?;
    let n_slots = accepted.check(&client)?.n_slots();
    let part = |fate, name, bounds| {
        let client::Ends { interface, inputs, outputs } =
            client::read(client.clone(), &mut RunsReader::new(fate))?;
        let part = ClientPart { name, interface, inputs, outputs, bounds };
        Ok::<_, Invalid>(VerifiedClientPart::new(part)?)
    };
    // As with plans, only a sound one takes its memory.
    part(Fate::Check { n_slots }, String::new(), bounds.clone())?;
    Ok(ClientFile { part: part(Fate::Keep, name, bounds)?, fingerprint })
}

/// Opens the file of a server part, which may be hostile: all promises that a plan makes are checked. An insecure one is refused.
///
/// # Errors
/// If it is no file of a server part, damaged, of another version, or breaks a promise.
pub fn server_from_bytes(bytes: Bytes) -> Result<ServerFile, FileError> {
    open_server(bytes, Accepted::Secure)
}

/// As [`server_from_bytes`], insecure ones too.
///
/// # Errors
/// Those of [`server_from_bytes`].
#[cfg(feature = "insecure-for-tests")]
pub fn server_from_bytes_even_insecure(bytes: Bytes) -> Result<ServerFile, FileError> {
    open_server(bytes, Accepted::InsecureToo)
}

fn open_server(bytes: Bytes, accepted: Accepted) -> Result<ServerFile, FileError> {
    let envelope = envelope::open(bytes, Kind::ServerPart)?;
    read_server(&envelope, accepted).map_err(|invalid| invalid.of(Kind::ServerPart))
}

fn read_server(envelope: &Envelope, accepted: Accepted) -> Result<ServerFile, Invalid> {
    let mut payload = Reader::new(&envelope.payload);
    let (client, server) = (read_hash(&mut payload)?, payload.block()?);
    payload.finish()?;
    let fingerprint = check_fingerprint(envelope, client, hash(server.rest()))?;
    let n_slots = accepted.check(&server)?.n_slots();
    read_program(server.clone(), Fate::Check { n_slots })?;
    Ok(ServerFile { plan: read_program(server, Fate::Keep)?, fingerprint })
}

fn read_program(mut server: Reader<'_>, fate: Fate) -> Result<VerifiedPlan, Invalid> {
    let server::Head { params, batch, n_inputs } = server::read_head(&mut server)?;
    if n_inputs > MAX_CIPHERTEXTS {
        return Ok(server.fail(format!("{n_inputs} inputs, expected at most {MAX_CIPHERTEXTS}"))?);
    }
    let mut plan = Plan { batch, inputs: vec![anonymous_input(n_inputs)], ..Plan::new(params, "") };
    let results = server::read(&mut server, &mut RunsReader::new(fate), &mut plan)?;
    if results.len() > MAX_CIPHERTEXTS {
        let what = format!("{} results, expected at most {MAX_CIPHERTEXTS}", results.len());
        return Ok(server.fail(what)?);
    }
    plan.origins = vec![0; plan.ops.len()];
    plan.outputs = vec![anonymous_output(results)];
    Ok(VerifiedPlan::new(plan)?)
}

fn read_hash(r: &mut Reader<'_>) -> Result<Hash, Invalid> {
    Ok(r.bytes(32)?.try_into().expect("as many bytes as asked for"))
}

/// Ciphertexts whose slots are nobody's business.
fn anonymous_input(n_ciphertexts: usize) -> Input {
    Input {
        name: String::new(),
        shape: vec![n_ciphertexts],
        ranges: Ranges::all(0.0, 0.0),
        seen: Profile::default(),
        factor: 1.0,
        quantizer: None,
        slots: vec![Runs::default(); n_ciphertexts],
        normalization: None,
    }
}

/// The same of results: slot 0 of each is read.
fn anonymous_output(results: Vec<Value>) -> Output {
    let place = |(k, value): (usize, Value)| {
        (value, Runs(vec![Run { slot: 0, element: k as u32, dims: vec![] }]))
    };
    Output {
        name: String::new(),
        shape: vec![results.len()],
        factor: 1.0,
        element_scales: vec![],
        limit: None,
        magnitude: None,
        seen: Profile::default(),
        slots: results.into_iter().enumerate().map(place).collect(),
        client: vec![],
        kind: OutputKind::Values,
    }
}
