//! `hecc encrypt`: inputs to ciphertexts.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use hecc_grammar::envelope::Kind;
use hecc_grammar::plan::Input;
use hecc_grammar::security::Security;
use hecc_runtime::client::{
    EncryptionKey, PublicKey, RangePolicy, SecretKey, encrypt_examples, read_public_key,
    read_secret_key, unusual_examples,
};
use hecc_runtime::error::RunError;
use hecc_runtime::file::{input_bytes, write_inputs};
use hecc_runtime::ring::SecretRng;
use serde_json::json;

use crate::data::dataset::{self, specs_of_inputs};
use crate::data::sources;
use crate::files::memory::MemoryLimit;
use crate::files::output::{Content, Output};
use crate::files::plan_file::LoadedClient;
use crate::files::{bytes_file, companions, memory, plan_file, refusal, security, stream};
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;
use crate::terminal::progress::Progress;
use crate::terminal::units;

/// Encrypt an input
///
/// The result can be given to anyone: only the holder of the secret key can read it, also where it was encrypted under the
/// public key. Values outside the range that the
/// network was calibrated for are refused, since the encrypted network would give wrong results for them. Inputs that are
/// in range but unlike the calibration data are encrypted with a warning.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`, or its client part.
    plan: PathBuf,
    /// The input: an .npy array, an .npz archive (with `:NAME` for one of its arrays), a .png or .jpg image, or a
    /// folder of images; `-` is an array on standard input.
    ///
    /// Of a network with several inputs once for each, as `INPUT=FILE` or in their order; or one .npz with an array for
    /// each, named as the input. Images, and arrays of bytes (uint8), are divided by 255 and normalized as the plan says,
    /// unless the network declares that it takes bytes; other arrays are what the network takes. Several examples in an
    /// array are encrypted into one file and run one after the other.
    #[arg(long, short, value_name = "FILE", required = true)]
    input: Vec<OsString>,
    /// The file to write; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The secret key, or the public key of someone else; by default the one next to the plan, the secret key first.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Of several examples, encrypt only number I (from 0), or I..J.
    #[arg(long, value_name = "I", value_parser = parse_range)]
    index: Option<Range<usize>>,
    /// Encrypt values outside the calibrated range: the result may be wrong.
    #[arg(long)]
    allow_out_of_range: bool,
    /// Bits of security that the plan's parameters must give, checked here whatever the plan says of itself.
    #[arg(long, value_name = "BITS", default_value = "128", value_parser = security::parse)]
    require_security: Security,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

pub(crate) fn encrypt(args: &Args, console: &Console) -> Result<()> {
    let data: Vec<PathBuf> = args.input.iter().map(|source| sources::path_of(source)).collect();
    let paths: Vec<&Path> = data.iter().map(PathBuf::as_path).collect();
    companions::check_streams(&args.plan, args.keys.as_deref(), &paths)?;
    let loaded = plan_file::read_client(&args.plan)?;
    security::check(&loaded, &args.plan, args.require_security)?;
    let client = &loaded.part;
    let key_path = companions::find_encryption_key(args.keys.as_deref(), &args.plan)?;
    let output = check_files(args, &key_path, &paths)?;
    let console = &output.console(console);
    let key = OwnKey::read(&key_path, args, &loaded)?;
    let inputs = dataset::read_inputs(&args.input, &specs_of_inputs(&client.inputs))?;
    let n_examples = inputs[0].shape()[0];
    let examples = args.index.clone().unwrap_or(0..n_examples);
    ensure!(
        examples.end <= n_examples,
        "--index {}: there are {}, numbered from 0",
        examples.end - 1,
        units::count(n_examples, "example")
    );

    memory::require(
        2 * input_bytes(&client.interface, examples.len(), !key.is_public()),
        &units::count(examples.len(), "example"),
    )?;
    let start = Instant::now();
    let policy = if args.allow_out_of_range { RangePolicy::Allow } else { RangePolicy::Refuse };
    let flat =
        |array| -> Vec<f64> { dataset::slice(array, examples.clone()).into_iter().collect() };
    let inputs: Vec<Vec<f64>> = inputs.iter().map(flat).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let encrypted = {
        let bar = Progress::new(console, "encrypt", examples.len());
        let (key, mut rng) = (key.key(), SecretRng::from_os()?);
        encrypt_examples(client, key, &mut rng, &inputs, policy, &|done| bar.set(done))
    };
    let encrypted = encrypted.map_err(|error| refused(error, &client.inputs, examples.start))?;
    let unusual = unusual_examples(client, &inputs)?.into_iter();
    let unusual: Vec<usize> = unusual.map(|example| examples.start + example).collect();
    warn(&unusual, console);
    let file = write_inputs(&client.interface, loaded.fingerprint, &encrypted);
    output.write(&file)?;
    console.summary(
        format!(
            "{}: {} encrypted, {}, in {}",
            output.name(),
            units::count(examples.len(), "input"),
            units::bytes(file.len() as u64),
            units::duration(start.elapsed())
        ),
        json!({
            "plan": loaded.fingerprint.to_string(),
            "key": encrypted.key.to_string(),
            "public_key": key.is_public(),
            "path": stream::name(&args.output),
            "bytes": file.len(),
            "inputs": examples.len(),
            "first": examples.start,
            "unusual": unusual,
            "seconds": start.elapsed().as_secs_f64(),
        }),
    )
}

/// The key that was found.
enum OwnKey {
    Secret(SecretKey),
    Public(PublicKey),
}

impl OwnKey {
    fn read(path: &Path, args: &Args, loaded: &LoadedClient) -> Result<OwnKey> {
        let (params, fingerprint) = (&loaded.part.interface.params, loaded.fingerprint);
        let file = bytes_file::read_kind(path, &[Kind::SecretKey, Kind::PublicKey], &args.plan)?;
        let key = match bytes_file::is_of(&file, Kind::PublicKey) {
            true => read_public_key(params, fingerprint, file).map(OwnKey::Public),
            false => read_secret_key(params, fingerprint, file).map(OwnKey::Secret),
        };
        key.map_err(|error| refusal::refused(path, error))
    }

    fn key(&self) -> EncryptionKey<'_> {
        match self {
            OwnKey::Secret(key) => EncryptionKey::Secret(key),
            OwnKey::Public(key) => EncryptionKey::Public(key),
        }
    }

    fn is_public(&self) -> bool {
        matches!(self, OwnKey::Public(_))
    }
}

/// Checks that each file is used for one thing.
fn check_files(args: &Args, key: &Path, data: &[&Path]) -> Result<Output> {
    let mut inputs = vec![(args.plan.as_path(), "the plan"), (key, "the key")];
    inputs.extend(data.iter().map(|path| (*path, "the input that is encrypted")));
    Output::new(&args.output, Content::Ciphertext, &inputs)
}

/// Examples named in a warning, at most.
const MAX_NAMED: usize = 10;

fn warn(unusual: &[usize], console: &Console) {
    if unusual.is_empty() {
        return;
    }
    let named: Vec<String> = unusual.iter().take(MAX_NAMED).map(usize::to_string).collect();
    let more = if unusual.len() > MAX_NAMED { ", ..." } else { "" };
    let (named, those) = (named.join(", "), "those that the network was calibrated on");
    console.warn(match unusual.len() {
        1 => format!("example {named} is unlike {those}: the result may be wrong"),
        n => format!("{n} examples ({named}{more}) are unlike {those}: the results may be wrong"),
    });
}

/// An error of encrypting examples from number `first` on, with the one that it is about and, of pixels, what they look like.
fn refused(error: RunError, inputs: &[Input], first: usize) -> anyhow::Error {
    let (example, hint) = if let RunError::OutOfRange { name, example, value, .. } = &error {
        (first + example, pixel_hint(inputs, name, *value))
    } else {
        (first, None)
    };
    match hint {
        Some(hint) => hinted(format!("example {example}: {error}"), hint),
        None => anyhow::Error::new(error).context(format!("example {example}")),
    }
}

/// What helps if values look like pixels from 0 to 255 where pixels from 0 to 1 are expected.
fn pixel_hint(inputs: &[Input], name: &str, value: f64) -> Option<String> {
    let input = inputs.iter().find(|input| input.name == name)?;
    let (lo, hi) = input.ranges.hull();
    let looks_like_bytes = (0.0..=1.0).contains(&lo) && hi <= 1.0 && value > 1.0;
    (looks_like_bytes && value <= 255.0 && value.fract() == 0.0).then(|| {
        "this looks like pixels from 0 to 255: divide them by 255, or save them as bytes (uint8)".to_owned()
    })
}

/// `3` or `3..7`.
fn parse_range(text: &str) -> Result<Range<usize>, String> {
    let number = |text: &str| {
        text.parse::<usize>().map_err(|_| "expected a number I or a range I..J".to_owned())
    };
    let range = match text.split_once("..") {
        Some((start, end)) => number(start)?..number(end)?,
        None => {
            let start = number(text)?;
            start..start.checked_add(1).ok_or("the number is too large")?
        }
    };
    if range.is_empty() { Err("the range is empty".to_owned()) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_numbers_or_ranges() {
        assert_eq!(parse_range("3"), Ok(3..4));
        assert_eq!(parse_range("3..7"), Ok(3..7));
        for bad in ["", "-1", "7..3", "3..3", "a", "18446744073709551615"] {
            assert!(parse_range(bad).is_err(), "{bad}");
        }
    }
}
