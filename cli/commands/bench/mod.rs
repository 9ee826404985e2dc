//! `hecc bench`: how fast this machine is.

mod bootstrap;
mod calibrate;
mod ops;
mod session;

use anyhow::Result;
use clap::Subcommand;
use hecc_compiler::pass::bundle::bundle;
use hecc_compiler::pass::fuse_divisions::fuse_divisions;
use hecc_grammar::plan::Plan;

use crate::terminal::console::Console;

/// Measure what plans are made of, on this machine
///
/// Times are wall seconds, medians. No key and no number of it is kept.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Measure the cost table that `hecc compile` chooses by, and keep it for this machine.
    #[arg(long)]
    calibrate: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Bootstrap(bootstrap::Args),
    Ops(ops::Args),
}

pub(crate) fn bench(args: &Args, console: &Console) -> Result<()> {
    match &args.command {
        Some(Command::Bootstrap(args)) => bootstrap::bootstrap(args, console),
        Some(Command::Ops(args)) => ops::ops(args, console),
        None => calibrate::calibrate(console),
    }
}

/// The plan as `hecc compile` writes it, with divisions fused and what reads the same in one pass.
fn as_compiled(plan: &Plan) -> Result<Plan> {
    Ok(bundle(&fuse_divisions(plan)?)?)
}
