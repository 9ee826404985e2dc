//! The subcommands, a file or a folder each.

pub(crate) mod bench;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod prune;
pub(crate) mod run;
mod runs;
mod shown;
pub(crate) mod simulate;
