//! The command line; printing and exit codes happen only here.
//!
//! Rooms, each using only those before it: `terminal/`, `files/`, `data/`, `measure/`, `report/`, `commands/`.

mod arguments;
mod commands;
mod data;
mod files;
mod measure;
mod report;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use commands::{
    bench, compile, completions, decrypt, encrypt, inspect, keygen, prune, run, simulate,
};
use files::{memory, signals};
use terminal::console::{self, Console};
use terminal::failure::hinted;

/// Runs neural networks on encrypted data.
///
/// The machine that runs the network sees neither the data nor the result: only the holder of the secret key can make
/// inputs and read outputs.
#[derive(Parser)]
#[command(name = "hecc", version, after_help = FIRST_RUN)]
struct Cli {
    /// Print the result as JSON, for scripts.
    #[arg(long, global = true)]
    json: bool,
    /// Print only what was asked for: no progress, no summary.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

const FIRST_RUN: &str = "\
From a trained network to a decrypted prediction:
  hecc compile model.onnx -o plan.bin --calibration data.npz
  hecc keygen plan.bin                           plan.sk: yours alone; plan.ek: for the server
  hecc encrypt plan.bin --input x.npy -o x.ct
  hecc run plan.bin --input x.ct                 on the server: needs plan.bin, plan.ek, x.ct
  hecc decrypt plan.bin --input x.out.ct

compile --split writes plan.client.bin, without weights, for keygen, encrypt and decrypt; and plan.server.bin for run.
keygen --public writes plan.pk, with which others encrypt for the holder of plan.sk.

A file called `-` is standard input or output: hecc encrypt plan.bin -i - -o - < x.npy | ssh server hecc run ... > x.out.ct

Exit status: 0 if all went well, 1 after an error, 2 if the command line was not understood, 3 if a result was decrypted
that is outside of what the network was calibrated on, and may be wrong.";

#[derive(Subcommand)]
enum Command {
    Compile(Box<compile::Args>),
    Prune(prune::Args),
    Keygen(keygen::Args),
    Encrypt(encrypt::Args),
    Run(run::Args),
    Decrypt(decrypt::Args),
    Inspect(inspect::Args),
    Simulate(simulate::Args),
    Bench(bench::Args),
    Completions(completions::Args),
}

impl Command {
    /// The memory that the command may take, if that was said. Of `compile` it is what the plan may take.
    fn max_memory(&self) -> Option<u64> {
        match self {
            Command::Keygen(args) => args.memory.max_memory,
            Command::Encrypt(args) => args.memory.max_memory,
            Command::Run(args) => args.memory.max_memory,
            Command::Decrypt(args) => args.memory.max_memory,
            Command::Inspect(args) => args.memory.max_memory,
            Command::Simulate(args) => args.memory.max_memory,
            Command::Compile(_)
            | Command::Prune(_)
            | Command::Bench(_)
            | Command::Completions(_) => None,
        }
    }
}

/// Starts those that wait for signals, watch memory, and share work.
fn start_threads(max_memory: Option<u64>, console: Console) -> anyhow::Result<()> {
    let started = signals::clean_up().and_then(|()| memory::watch(max_memory, console));
    let cannot = |error: &dyn std::fmt::Display| {
        let hint =
            "this user or process may have no more of them, or no more memory: see `ulimit -a`";
        hinted(format!("cannot start threads: {error}"), hint)
    };
    started.map_err(|error| cannot(&error))?;
    rayon::ThreadPoolBuilder::new().build_global().map_err(|error| cannot(&error))
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments::joined(std::env::args_os())) {
        Ok(cli) => cli,
        Err(usage) => return console::explain_usage(&usage),
    };
    let console = Console { json: cli.json, quiet: cli.quiet, stdout_is_taken: false };
    if let Err(error) = start_threads(cli.command.max_memory(), console) {
        return console.fail(&error);
    }
    if let Err(error) = hecc_runtime::kernel::chosen() {
        return console.fail(&error.into());
    }
    let result = match &cli.command {
        Command::Compile(args) => compile::compile(args, &console),
        Command::Prune(args) => prune::prune(args, &console),
        Command::Keygen(args) => keygen::keygen(args, &console),
        Command::Encrypt(args) => encrypt::encrypt(args, &console),
        Command::Run(args) => run::run(args, &console),
        Command::Decrypt(args) => {
            return decrypt::decrypt(args, &console).unwrap_or_else(|error| console.fail(&error));
        }
        Command::Inspect(args) => inspect::inspect(args, &console),
        Command::Simulate(args) => simulate::simulate(args, &console),
        Command::Bench(args) => bench::bench(args, &console),
        Command::Completions(args) => completions::completions(args, Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console.fail(&error),
    }
}
