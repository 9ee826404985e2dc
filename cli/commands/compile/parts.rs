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

/// Parts that were written.
pub(super) struct Written {
    client: (PathBuf, u64),
    server: (PathBuf, u64),
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
    /// Writes both.
    pub(super) fn write(&self, plan: &VerifiedPlan) -> Result<Written> {
        let write = |place: &Place, file: &[u8]| -> Result<(PathBuf, u64)> {
            place.output.write(file)?;
            Ok((place.path.clone(), file.len() as u64))
        };
        let client = client_to_bytes(plan).map_err(|error| no_client_part(&error))?;
        Ok(Written {
            client: write(&self.client, &client)?,
            server: write(&self.server, &server_to_bytes(plan))?,
        })
    }
}

fn no_client_part(error: &FileError) -> anyhow::Error {
    anyhow!("the plan has no client part of its own: {error}")
}

impl Written {
    /// For people.
    pub(super) fn text(&self) -> String {
        let line = |(path, bytes): &(PathBuf, u64), whom: &str| {
            format!("{}: {}, {}\n", name(path), units::bytes(*bytes), whom)
        };
        line(&self.client, "for whoever has the data: keygen, encrypt, decrypt")
            + &line(&self.server, "for the machine that runs the plan: run")
    }

    /// For scripts.
    pub(super) fn json(&self) -> Json {
        let part = |(path, bytes): &(PathBuf, u64)| json!({ "path": name(path), "bytes": bytes });
        json!({ "client": part(&self.client), "server": part(&self.server) })
    }
}
