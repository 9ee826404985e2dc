//! `--require-security`: what the owner of the data demands of a plan that someone else may have made.

use std::path::Path;

use anyhow::Result;
use hecc_grammar::security::Security;
use hecc_runtime::client::check_security;

use super::plan_file::LoadedClient;
use super::stream::input_name;
use crate::terminal::failure::hinted;

/// Reads a number of bits.
pub(crate) fn parse(text: &str) -> Result<Security, String> {
    let level = text.parse().ok().and_then(Security::from_bits);
    level.ok_or_else(|| "expected 128, 192 or 256".to_owned())
}

/// Checks that a plan's parameters give the security wanted.
pub(crate) fn check(loaded: &LoadedClient, path: &Path, wanted: Security) -> Result<()> {
    check_security(&loaded.part.interface, wanted).map_err(|error| {
        let hint = format!("`hecc compile --security {}` makes such a plan", error.wanted);
        hinted(format!("{}: {error}", input_name(path)), hint)
    })
}
