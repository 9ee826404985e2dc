//! `hecc decrypt`: encrypted results to numbers.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use hecc_grammar::envelope::{Kind, Origin};
use hecc_grammar::plan::Output;
use hecc_runtime::client::{Decrypted, Outside, decrypt_examples, read_secret_key};
use hecc_runtime::file::read_outputs;
use ndarray::{ArrayD, Axis};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use serde_json::{Value as Json, json};

use crate::commands::shown::{Digits, Shown};
use crate::files::memory::MemoryLimit;
use crate::files::output::{Content, Output as Destination};
use crate::files::{bytes_file, companions, plan_file, refusal, stream};
use crate::report::answer::Answered;
use crate::terminal::console::Console;

/// Decrypt a result and print it: scores and class if the network decides, numbers otherwise
///
/// Steps that the network ends with and that need no secrecy towards its owner, such as softmax, are applied here.
///
/// Results are compared with those on the calibration data. One that is unlike them may be wrong: it is printed with a
/// warning, and the exit status is 3.
///
/// Numbers are rounded to what the plan proves of them; --share makes them safe for people who hold the ciphertexts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`, or its client part.
    plan: PathBuf,
    /// The encrypted result, from `hecc run`; `-` is standard input.
    #[arg(long, short, value_name = "FILE")]
    input: PathBuf,
    /// Also write the network's output to an .npy file, or an .npz if it has several; `-` is standard output, and what is
    /// printed otherwise goes to stderr.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The secret key; by default the one next to the plan.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Leave out the last steps that the client applies, such as softmax.
    #[arg(long)]
    raw: bool,
    /// How many of the best classes to print.
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    digits: Digits,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

fn answered<'a>(result: &'a Decrypted, output: &'a Output) -> Answered<'a> {
    let Decrypted { decided, raw, applied, .. } = result;
    Answered { output, decided, raw, applied }
}

/// The exit status if a result may be wrong.
const OUTSIDE: u8 = 3;

pub(crate) fn decrypt(args: &Args, console: &Console) -> Result<ExitCode> {
    companions::check_streams(&args.plan, args.keys.as_deref(), &[&args.input])?;
    let loaded = plan_file::read_client(&args.plan)?;
    let client = &loaded.part;
    let interface = &client.interface;
    let key_path = companions::find_secret_key(args.keys.as_deref(), &args.plan)?;
    let destination = check_files(args, &key_path)?;
    let console =
        &destination.as_ref().map_or(*console, |destination| destination.console(console));
    let key_file = bytes_file::read_kind(&key_path, &[Kind::SecretKey], &args.plan)?;
    let secret = read_secret_key(&interface.params, loaded.fingerprint, key_file)
        .map_err(|error| refusal::refused(&key_path, error))?;
    let input_file = bytes_file::read_kind(&args.input, &[Kind::Result], &args.plan)?;
    let origin = Origin { plan: loaded.fingerprint, key: secret.id() };
    let results = read_outputs(interface, origin, input_file)
        .map_err(|error| refusal::mismatched(&args.input, error, &key_path))?;

    let outputs = &client.outputs[..];
    let mut shown = Shown::new(&args.digits, client, results.n_examples)?;
    let mut examples = vec![];
    for tensors in decrypt_examples(client, &secret, &results)? {
        let of_output = |(i, (tensor, output)): (usize, (Vec<f64>, &Output))| {
            let (decided, to_show) = shown.of(i, tensor);
            let ops = if args.raw { &[] } else { &output.client[..] };
            Decrypted::new(output, ops, decided, to_show)
        };
        examples.push(tensors.into_iter().zip(outputs).enumerate().map(of_output).collect());
    }
    if let (Some(path), Some(destination)) = (&args.output, &destination) {
        destination.write(&array_file(path, outputs, &examples)?)?;
    }
    shown.note().iter().for_each(|note| console.note(note));
    let json = json!({ "digits": shown.json(), "inputs": json_of(outputs, &examples, args) });
    console.result(text(outputs, &examples, args), json)?;
    Ok(warn(outputs, &examples, console))
}

/// Warnings printed at most.
const MAX_WARNINGS: usize = 10;

/// Says which results may be wrong, and returns the exit status.
fn warn(outputs: &[Output], examples: &[Vec<Decrypted>], console: &Console) -> ExitCode {
    let reasons = |scores: &[Decrypted]| -> Vec<String> {
        let outside = scores.iter().zip(outputs);
        outside.filter_map(|(scores, output)| Some(why(output, scores.outside?))).collect()
    };
    let all = examples.iter().enumerate().map(|(example, scores)| (example, reasons(scores)));
    let outside: Vec<(usize, Vec<String>)> = all.filter(|(_, why)| !why.is_empty()).collect();
    for (example, why) in outside.iter().take(MAX_WARNINGS) {
        let which = if examples.len() > 1 { format!("example {example}: ") } else { String::new() };
        console.warn(format!("{which}{MAY_BE_WRONG} ({})", why.join("; ")));
    }
    if outside.len() > MAX_WARNINGS {
        console.warn(format!("and {} more", outside.len() - MAX_WARNINGS));
    }
    if outside.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(OUTSIDE) }
}

const MAY_BE_WRONG: &str = "outside of what the network was calibrated on: may be wrong";

fn why(output: &Output, outside: Outside) -> String {
    format!("output `{}`: {outside}", output.name)
}

fn text(outputs: &[Output], examples: &[Vec<Decrypted>], args: &Args) -> String {
    let mut text = String::new();
    for (i, scores) in examples.iter().enumerate() {
        for (scores, output) in scores.iter().zip(outputs) {
            if examples.len() > 1 {
                let _ = write!(text, "example {i}: ");
            }
            if outputs.len() > 1 {
                let _ = write!(text, "output `{}`: ", output.name);
            }
            text += &answered(scores, output).text(args.top);
        }
    }
    text
}

fn json_of(outputs: &[Output], examples: &[Vec<Decrypted>], args: &Args) -> Json {
    let output = |(scores, output): (&Decrypted, &Output)| answered(scores, output).json(args.top);
    let example = |scores: &Vec<Decrypted>| -> Json {
        let outside = scores.iter().zip(outputs);
        let why = outside.filter_map(|(scores, output)| Some(why(output, scores.outside?)));
        json!({
            "outputs": scores.iter().zip(outputs).map(output).collect::<Vec<_>>(),
            "outside_calibration": scores.iter().any(|scores| scores.outside.is_some()),
            "why_outside": why.collect::<Vec<_>>(),
        })
    };
    examples.iter().map(example).collect()
}

/// Checks that each file is used for one thing.
fn check_files(args: &Args, key: &Path) -> Result<Option<Destination>> {
    let inputs = [
        (args.plan.as_path(), "the plan"),
        (args.input.as_path(), "the result that is read"),
        (key, "the secret key"),
    ];
    let check = |path: &PathBuf| Destination::new(path, Content::Arrays, &inputs);
    args.output.as_ref().map(check).transpose()
}

/// The file of all outputs, in the format that its name asks for.
fn array_file(path: &Path, outputs: &[Output], examples: &[Vec<Decrypted>]) -> Result<Vec<u8>> {
    let extension = if stream::is_stdout(path) {
        Some(if outputs.len() == 1 { "npy" } else { "npz" }.to_owned())
    } else {
        path.extension().map(|e| e.to_string_lossy().to_lowercase())
    };
    let array =
        |k: usize| stacked(examples.iter().map(|scores| scores[k].applied.clone()).collect());
    Ok(match (extension.as_deref(), outputs.len()) {
        (Some("npz"), _) => {
            let mut npz = NpzWriter::new_compressed(io::Cursor::new(vec![]));
            for (k, output) in outputs.iter().enumerate() {
                npz.add_array(output.name.as_str(), &array(k)?)?;
            }
            npz.finish()?.into_inner()
        }
        (Some("npy"), n) => {
            let only = only_scores(outputs).ok_or_else(|| {
                anyhow!("the network has {n} outputs: write an .npz instead of an .npy")
            })?;
            let mut bytes = vec![];
            array(only)?.write_npy(&mut bytes)?;
            bytes
        }
        _ => bail!("`{}` ends neither in .npy nor in .npz", path.display()),
    })
}

/// The only output, or the only one that is not a label which the client makes of such numbers.
fn only_scores(outputs: &[Output]) -> Option<usize> {
    let is_label = |output: &Output| output.client.iter().any(|op| op.decides());
    let scores = (0..outputs.len()).filter(|&k| !is_label(&outputs[k]));
    match (outputs.len(), &scores.collect::<Vec<_>>()[..]) {
        (1, _) => Some(0),
        (_, [only]) => Some(*only),
        (_, _) => None,
    }
}

/// One array with the examples in front.
fn stacked(mut arrays: Vec<ArrayD<f64>>) -> Result<ArrayD<f64>> {
    if arrays.len() == 1 {
        return Ok(arrays.remove(0));
    }
    let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
    let has_batch = views[0].shape().first() == Some(&1);
    Ok(if has_batch {
        ndarray::concatenate(Axis(0), &views)?
    } else {
        ndarray::stack(Axis(0), &views)?
    })
}
