//! `--split`: the plan's two parts, next to it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use hecc_grammar::envelope::FileError;
use hecc_grammar::plan::{VerifiedPlan, client_to_bytes, server_to_bytes};
use serde_json::{Value as Json, json};

use super::args::Args;
use super::output_of;
use crate::files::companions;
use crate::files::output::{Content, Output};
use crate::files::stream::{check_named, name};
use crate::terminal::failure::hinted;
use crate::terminal::units;

/// Where the parts go.
pub(super) struct Parts {
    client: Place,
    server: Place,
}

struct Place {
    path: PathBuf,
    output: Output,
}

/// Parts of a plan, to be written.
pub(super) struct Encoded {
    parts: Parts,
    client: Vec<u8>,
    server: Vec<u8>,
}

/// Checks that the parts can be written, if they are wanted.
pub(super) fn check(args: &Args) -> Result<Option<Parts>> {
    let Some(plan) = args.output.as_deref().filter(|_| args.split) else { return Ok(None) };
    let why = "--split writes files next to the plan: -o names the file of the plan";
    if plan == Path::new("-") {
        return Err(hinted("standard output has no name and folder", why));
    }
    check_named(plan, why)?;
    let place = |path: PathBuf, content| -> Result<Place> {
        let output = output_of(&path, content, args)?;
        Ok(Place { path, output })
    };
    let client = place(companions::client_part(plan), Content::ClientPart)?;
    let server = place(companions::server_part(plan), Content::ServerPart)?;
    if client.path == plan || server.path == plan {
        return Err(hinted(
            format!("`{}` is what a part of the plan would be called", name(plan)),
            "-o names the file of the plan, such as `plan.bin`",
        ));
    }
    Ok(Some(Parts { client, server }))
}

impl Parts {
    /// The parts of a plan.
    pub(super) fn encode(self, plan: &VerifiedPlan) -> Result<Encoded> {
        let client = client_to_bytes(plan).map_err(|error| no_client_part(&error))?;
        Ok(Encoded { parts: self, client, server: server_to_bytes(plan) })
    }
}

fn no_client_part(error: &FileError) -> anyhow::Error {
    anyhow!("the plan has no client part of its own: {error}")
}

impl Encoded {
    /// Writes both.
    pub(super) fn write(&self) -> Result<()> {
        self.parts.client.output.write(&self.client)?;
        self.parts.server.output.write(&self.server)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let line = |place: &Place, file: &[u8], whom: &str| {
            format!("{}: {}, {}\n", name(&place.path), units::bytes(file.len() as u64), whom)
        };
        line(&self.parts.client, &self.client, "for whoever has the data: keygen, encrypt, decrypt")
            + &line(&self.parts.server, &self.server, "for the machine that runs the plan: run")
    }

    /// For scripts.
    pub(super) fn json(&self) -> Json {
        let part =
            |place: &Place, file: &[u8]| json!({ "path": name(&place.path), "bytes": file.len() });
        json!({
            "client": part(&self.parts.client, &self.client),
            "server": part(&self.parts.server, &self.server),
        })
    }
}
