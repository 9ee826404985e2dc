//! `hecc run`: a plan on encrypted inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use hecc_grammar::cost::{self, Costs};
use hecc_grammar::envelope::{Fingerprint, Kind, Origin, ReadError, checksum};
use hecc_grammar::plan::{Interface, Op, Plan};
use hecc_runtime::eval::{Evaluator, Options};
use hecc_runtime::file::{
    Ciphertexts, RunSource, open_evaluation_keys, read_evaluation_keys, read_inputs, write_outputs,
};
use hecc_runtime::rlwe::EvaluationKeys;
use serde_json::json;

use crate::commands::runs::{Ran, Runs};
use crate::files::checkpoint::{CheckpointFolder, Subject};
use crate::files::memory::MemoryLimit;
use crate::files::output::{Content, Output};
use crate::files::run_profile::RunProfile;
use crate::files::{bytes_file, companions, costs, memory, plan_file, refusal, stream};
use crate::report::kinds::{KindTime, by_kind, kinds_json, kinds_table};
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::units;

/// Run the network on an encrypted input
///
/// Needs the plan, the evaluation keys and the encrypted input: nothing secret. The result stays encrypted, and is the
/// same, byte for byte, for any number of threads.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`, or its server part.
    plan: PathBuf,
    /// The encrypted input, from `hecc encrypt`; `-` is standard input.
    #[arg(long, short, value_name = "FILE")]
    input: PathBuf,
    /// The file to write; for input `x.ct` by default `x.out.ct`, for `-` standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The evaluation keys; by default those next to the plan.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Number of threads; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_THREADS))]
    threads: Option<u16>,
    /// Memory for encoded weights that are kept from one input to the next, such as 2G.
    ///
    /// By default as much as they need, at most 2G; none for a single input. Those that a run uses more than once are kept until
    /// their last use in any case.
    #[arg(long, value_name = "BYTES", value_parser = units::parse_bytes)]
    cache: Option<u64>,
    /// Write now and then into this folder where the run stands; a run that was interrupted goes on from there.
    ///
    /// The same command goes on, with the same plan, keys and input, and gives the same result, byte for byte. What is
    /// written is encrypted, and removed when the result is there.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Seconds between checkpoints; more where writing one takes long. With 0 there is one after each instruction.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "checkpoint")]
    checkpoint_every: u32,
    /// Measure how long each layer takes, and write it next to the plan, where `hecc inspect` finds it: `plan.profile.json`.
    ///
    /// Times add up to what a core works only with --threads 1: of several, one that waits for its part may do another's.
    #[arg(long, conflicts_with = "checkpoint")]
    profile: bool,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

/// More threads than any machine has cores for.
const MOST_THREADS: i64 = 1024;

pub(crate) fn run(args: &Args, console: &Console) -> Result<()> {
    companions::check_streams(&args.plan, args.keys.as_deref(), &[&args.input])?;
    let loaded = plan_file::read_server(&args.plan)?;
    let (plan, interface) = (&loaded.plan, &loaded.plan.interface());
    let input_file = bytes_file::read_kind(&args.input, &[Kind::Input], &args.plan)?;
    let key_path = companions::find_evaluation_keys(args.keys.as_deref(), &args.plan)?;
    let output_path = output_path(args)?;
    let output = check_files(args, &key_path, &output_path)?;
    if args.profile {
        RunProfile::check_place(&args.plan)?;
    }
    let console = &output.console(console);
    let folder = args.checkpoint.as_deref().map(CheckpointFolder::open).transpose()?;
    let input_checksum = checksum(&input_file);
    let Ciphertexts { key, n_examples, sets } =
        read_inputs(interface, loaded.fingerprint, input_file)
            .map_err(|error| refusal::refused(&args.input, error))?;
    let holds = holds_keys(plan, sets.len(), console)?;
    let origin = Origin { plan: loaded.fingerprint, key };
    let (keys, keys_checksum) = read_keys(args, &key_path, interface, origin, holds, console)?;

    let threads = match args.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let cache = args.cache.unwrap_or(if sets.len() > 1 { cost::KEPT_BYTES } else { 0 });
    let options = Options { threads, cache_bytes: usize::try_from(cache).unwrap_or(usize::MAX) };
    let evaluator = Evaluator::new(plan, &keys, options)?;
    let n_runs = sets.len();
    let source = RunSource { input: input_checksum, keys: keys_checksum };
    let subject = Subject { plan, origin, source, n_runs };
    let period = Duration::from_secs(args.checkpoint_every.into());
    let (evaluator, folder) = (&evaluator, folder.as_ref());
    let runs = Runs { evaluator, subject: &subject, folder, period, console };
    let Ran { outputs, seconds, n_before } = runs.all(sets)?;
    let total: f64 = seconds.iter().sum();

    let result = Ciphertexts { key, n_examples, sets: outputs };
    let file = write_outputs(interface, loaded.fingerprint, &result);
    output.write(&file)?;
    if let Some(folder) = folder {
        folder.clear()?;
    }
    let table = costs::load()?;
    let profile = args.profile.then(|| profile(evaluator, &seconds, threads));
    if let Some(profile) = &profile {
        profile.write(&args.plan, loaded.fingerprint)?;
    }
    let kinds = profile.as_ref().map(|profile| kinds(profile, plan, &table, cache));
    let kinds_text =
        kinds.as_ref().map_or_else(String::new, |kinds| format!("\n\n{}", kinds_table(kinds)));
    let predicted = cost::run_seconds(&table, plan, cache);
    let peak = memory::peak_bytes();
    let memory =
        peak.map_or_else(String::new, |peak| format!(", {} of memory", units::bytes(peak)));
    console.summary(
        format!(
            "{}: {} in {} with {} (predicted for one core: {} a run){memory}{kinds_text}",
            output.name(),
            units::count(n_examples, "input"),
            units::duration(Duration::from_secs_f64(total)),
            units::count(threads, "thread"),
            units::seconds(predicted),
        ),
        json!({
            "plan": loaded.fingerprint.to_string(),
            "key": key.to_string(),
            "path": stream::name(&output_path),
            "bytes": file.len(),
            "inputs": n_examples,
            "runs": n_runs,
            "steps_from_checkpoint": n_before,
            "threads": threads,
            "seconds": total,
            "input_seconds": seconds,
            "predicted_seconds_one_core": predicted * n_runs as f64,
            "peak_memory_bytes": peak,
            "profile": profile.as_ref().map(RunProfile::json),
            "instructions": kinds.as_ref().map(kinds_json),
        }),
    )
}

/// Evaluation keys that are used no more often than this are read and expanded whenever they are: that takes no longer than memory for them
/// takes to come by (docs/results/memory.md).
const SELDOM: usize = 3;

/// Whether evaluation keys are held: if they are used often enough, and there is memory for them.
fn holds_keys(plan: &Plan, n_runs: usize, console: &Console) -> Result<bool> {
    let values = cost::peak_value_bytes(plan) + cost::table_bytes(plan);
    let uses = plan.ops.iter().filter_map(Op::key).count() * plan.params.n_instances() * n_runs;
    if memory::allows(cost::key_bytes(plan) + values) {
        return Ok(uses > SELDOM * plan.keys().len());
    }
    memory::require(cost::stored_key_bytes(plan) + values, "the keys and values of this run")?;
    console.note("memory is short: keys are read whenever they are used, which takes longer");
    Ok(false)
}

/// The evaluation keys, and the checksum of their file.
fn read_keys(
    args: &Args,
    path: &Path,
    interface: &Interface,
    origin: Origin,
    holds: bool,
    console: &Console,
) -> Result<(EvaluationKeys, Fingerprint)> {
    let _working = Progress::spinner(console, "reading evaluation keys");
    let opened = bytes_file::open_kind(path, &[Kind::EvaluationKeys], &args.plan)?;
    let len = opened.len;
    let keys = match holds {
        true => read_evaluation_keys(interface, origin, opened.reader(), len),
        false => open_evaluation_keys(interface, origin, opened.anywhere(), len),
    };
    keys.map_err(|error| match error {
        ReadError::File(error) => refusal::mismatched(path, error, &args.input),
        ReadError::Io(error) => bytes_file::unreadable(path, error),
    })
}

/// How long instructions took, a run.
fn profile(evaluator: &Evaluator<'_>, seconds: &[f64], threads: usize) -> RunProfile {
    let n_runs = seconds.len();
    let of_run = |time: Duration| time.as_secs_f64() / n_runs as f64;
    RunProfile {
        n_runs,
        threads,
        run: seconds.iter().sum::<f64>() / n_runs as f64,
        encoding: of_run(evaluator.encoding_time()),
        instructions: evaluator.times().into_iter().map(of_run).collect(),
    }
}

/// What was measured and what the cost table says, by kind of instruction.
fn kinds(
    profile: &RunProfile,
    plan: &Plan,
    costs: &Costs,
    kept_bytes: u64,
) -> BTreeMap<String, KindTime> {
    let mut predicted = cost::seconds_of_each(costs, plan);
    if cost::plaintext_bytes(plan) > kept_bytes {
        let encoding = cost::encode_seconds_of_each(costs, plan);
        predicted.iter_mut().zip(encoding).for_each(|(seconds, more)| *seconds += more);
    }
    by_kind(plan, &profile.instructions, &predicted)
}

/// Where the result goes.
fn output_path(args: &Args) -> Result<PathBuf> {
    match &args.output {
        Some(path) => Ok(path.clone()),
        None if stream::is_stdin(&args.input) => Ok(PathBuf::from("-")),
        None => {
            stream::check_named(&args.input, "-o names the file to write")?;
            Ok(companions::result_of(&args.input))
        }
    }
}

/// Checks that each file is used for one thing.
fn check_files(args: &Args, key: &Path, output: &Path) -> Result<Output> {
    let inputs = [
        (args.plan.as_path(), "the plan"),
        (args.input.as_path(), "the input that is read"),
        (key, "the evaluation keys"),
    ];
    Output::new(output, Content::Ciphertext, &inputs)
}
