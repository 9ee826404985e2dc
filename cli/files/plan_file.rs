//! Plans on disk, with the network that they were compiled from.

use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use hecc_grammar::envelope::{Fingerprint, Kind};
use hecc_grammar::model::Model;
use hecc_grammar::plan::VerifiedPlan;
use hecc_grammar::plan::{PlanFile, from_bytes, to_bytes};

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

/// Reads a plan and checks all that it promises.
pub(crate) fn read(path: &Path) -> Result<LoadedPlan> {
    open(path, bytes_file::read_kind(path, Kind::Plan, path)?)
}

/// The same from bytes that were read from `path`.
pub(crate) fn open(path: &Path, file: Bytes) -> Result<LoadedPlan> {
    let bytes = file.len() as u64;
    let PlanFile { plan, source, fingerprint } =
        from_bytes(file).map_err(|error| refusal::refused(path, error))?;
    Ok(LoadedPlan { plan, source, fingerprint, bytes })
}

/// The bytes of a plan's file, with the network that it was compiled from.
pub(crate) fn bytes(plan: &VerifiedPlan, source: &Model) -> Vec<u8> {
    to_bytes(plan, Some(source))
}
