//! `hecc bench`: how fast this machine is.

mod bootstrap;
mod kinds;
mod session;

use anyhow::Result;
use clap::Subcommand;

use crate::console::Console;

/// Measure what plans are made of, on this machine
///
/// Times are wall seconds, medians. Nothing is secret and nothing is kept.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bootstrap(bootstrap::Args),
}

pub(crate) fn bench(args: &Args, console: &Console) -> Result<()> {
    match &args.command {
        Command::Bootstrap(args) => bootstrap::bootstrap(args, console),
    }
}
