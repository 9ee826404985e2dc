//! Plans on disk: whole, with the network that they were compiled from, or the part that a command needs.

use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use hecc_grammar::envelope::{Fingerprint, Kind};
use hecc_grammar::model::Model;
use hecc_grammar::plan::{
    ClientFile, PlanFile, ServerFile, VerifiedClientPart, VerifiedPlan, client_of_file, from_bytes,
    server_of_file, to_bytes,
};

use crate::files::{bytes_file, refusal};

/// A plan as it was read.
pub(crate) struct LoadedPlan {
    /// The plan.
    pub(crate) plan: VerifiedPlan,
    /// The network that it was compiled from, if it is stored.
    pub(crate) source: Option<Model>,
    /// Names the plan in files made for it.
    pub(crate) fingerprint: Fingerprint,
    /// Size of the file.
    pub(crate) bytes: u64,
}

/// What the owner of the data needs, of a plan or of its client part.
pub(crate) struct LoadedClient {
    /// The part.
    pub(crate) part: VerifiedClientPart,
    /// Names the plan in files made for it.
    pub(crate) fingerprint: Fingerprint,
}

/// What the machine that runs it needs, of a plan or of its server part.
pub(crate) struct LoadedServer {
    /// The plan; of a server part inputs and outputs are ciphertexts without meaning.
    pub(crate) plan: VerifiedPlan,
    /// Names the plan in files made for it.
    pub(crate) fingerprint: Fingerprint,
}

/// Reads a whole plan and checks all that it promises.
pub(crate) fn read(path: &Path) -> Result<LoadedPlan> {
    open(path, bytes_file::read_kind(path, &[Kind::Plan], path)?)
}

/// The same from bytes that were read from `path`.
pub(crate) fn open(path: &Path, file: Bytes) -> Result<LoadedPlan> {
    let bytes = file.len() as u64;
    let PlanFile { plan, source, fingerprint } =
        from_bytes(file).map_err(|error| refusal::refused(path, error))?;
    Ok(LoadedPlan { plan, source, fingerprint, bytes })
}

/// Reads what the client needs, from a plan or a client part.
pub(crate) fn read_client(path: &Path) -> Result<LoadedClient> {
    let file = bytes_file::read_kind(path, &[Kind::Plan, Kind::ClientPart], path)?;
    open_client(path, file)
}

/// The same from bytes that were read from `path`.
pub(crate) fn open_client(path: &Path, file: Bytes) -> Result<LoadedClient> {
    let ClientFile { part, fingerprint } =
        client_of_file(file).map_err(|error| refusal::refused(path, error))?;
    Ok(LoadedClient { part, fingerprint })
}

/// Reads what the server needs, from a plan or a server part.
pub(crate) fn read_server(path: &Path) -> Result<LoadedServer> {
    let file = bytes_file::read_kind(path, &[Kind::Plan, Kind::ServerPart], path)?;
    open_server(path, file)
}

/// The same from bytes that were read from `path`.
pub(crate) fn open_server(path: &Path, file: Bytes) -> Result<LoadedServer> {
    let ServerFile { plan, fingerprint } =
        server_of_file(file).map_err(|error| refusal::refused(path, error))?;
    Ok(LoadedServer { plan, fingerprint })
}

/// The bytes of a plan's file, with the network that it was compiled from.
pub(crate) fn bytes(plan: &VerifiedPlan, source: &Model) -> Vec<u8> {
    to_bytes(plan, Some(source))
}
