//! Which digits of decrypted numbers are shown: those that the plan proves, all, or those of numbers that may be shared.

use anyhow::{Result, ensure};
use hecc_grammar::plan::{ClientPart, Output};
use hecc_runtime::client::{Flood, Precision};
use hecc_runtime::ring::SecretRng;
use serde_json::{Value as Json, json};

use crate::terminal::failure::hinted;
use crate::terminal::units;

/// Noise that exceeds this share of the usual range of a result leaves nothing of it.
const DROWNED: f64 = 0.25;

/// The statistical distance of what is shared, if none is asked for, as −log2.
pub(crate) const DISTANCE_BITS: &str = "10";

/// How decrypted numbers are shown.
#[derive(clap::Args)]
pub(crate) struct Digits {
    /// Add noise to results, so that N of them can be given to people who hold the ciphertexts, such as the server.
    ///
    /// N counts all decryptions that are ever shared under the key, each of one input. Results of integers are exact, and
    /// need no noise.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with = "all_digits"
    )]
    share: Option<u32>,
    /// With --share: what is shared differs from what it would be without the noise of encryption, which depends on the key, by
    /// a statistical distance of at most 2^-BITS. Each bit doubles the noise.
    #[arg(long, value_name = "BITS", default_value = DISTANCE_BITS, value_parser = parse_distance)]
    distance: f64,
    /// Print and write every digit, also those that are noise: for measurements. Never give them to people who hold the
    /// ciphertexts: from enough of both the secret key is computed.
    #[arg(long)]
    all_digits: bool,
}

fn parse_distance(text: &str) -> Result<f64, String> {
    let bits = text.parse::<f64>().ok().filter(|bits| (1.0..=128.0).contains(bits));
    bits.ok_or_else(|| "expected a number of bits from 1 to 128".to_owned())
}

/// What is shown of the numbers of a plan.
pub(crate) struct Shown {
    precision: Precision,
    how: How,
}

enum How {
    All,
    Rounded,
    Flooded(Flood, SecretRng),
}

impl Shown {
    /// As asked for, of `n_inputs` results.
    pub(crate) fn new(digits: &Digits, client: &ClientPart, n_inputs: usize) -> Result<Shown> {
        let precision = match digits.all_digits {
            true => Precision::of(client),
            false => Precision::proven(client).map_err(|error| {
                let hint =
                    "--all-digits prints them: do not give them to people who hold the ciphertexts";
                hinted(error.to_string(), hint)
            })?,
        };
        let how = match digits.share {
            None if digits.all_digits => How::All,
            None => How::Rounded,
            Some(count) => {
                ensure!(
                    n_inputs <= count as usize,
                    "there are {}, --share={count} is for {count}: --share={n_inputs} or more",
                    units::count(n_inputs, "result")
                );
                let flood = Flood::new(&precision, count, digits.distance);
                check_drowned(&flood, &client.outputs)?;
                How::Flooded(flood, SecretRng::from_os()?)
            }
        };
        Ok(Shown { precision, how })
    }

    /// The numbers of one output that decisions are made by, and those that are shown.
    pub(crate) fn of(&mut self, output: usize, mut tensor: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        match &mut self.how {
            How::All => {}
            How::Rounded => {
                let decided = tensor.clone();
                self.precision.round(output, &mut tensor);
                return (decided, tensor);
            }
            // Nothing that is shown depends on the numbers without noise.
            How::Flooded(flood, rng) => flood.add(output, &mut tensor, rng),
        }
        (tensor.clone(), tensor)
    }

    /// What there is to say of shared results.
    pub(crate) fn note(&self) -> Option<String> {
        let How::Flooded(flood, _) = &self.how else { return None };
        if self.precision.is_exact() {
            return Some("results are exact: they carry no noise, and none was added".to_owned());
        }
        Some(format!(
            "noise of deviation {} was added: {} may be shared under this key, at a statistical distance of 2^-{} in all, as \
             long as the plan was run as it is; whether a decryption succeeded is not to be told",
            units::number(flood.largest()),
            units::count(flood.decryptions as usize, "decryption"),
            flood.distance_bits
        ))
    }

    /// The same for scripts.
    pub(crate) fn json(&self) -> Json {
        match &self.how {
            How::All => json!({ "are": "all" }),
            How::Rounded => json!({ "are": "proven", "unit": self.precision.largest_unit() }),
            How::Flooded(flood, _) => json!({
                "are": "shareable",
                "decryptions": flood.decryptions,
                "distance_bits": flood.distance_bits,
                "noise": flood.largest(),
            }),
        }
    }
}

/// Refuses noise that would leave nothing of a result.
fn check_drowned(flood: &Flood, outputs: &[Output]) -> Result<()> {
    for (i, output) in outputs.iter().enumerate() {
        let (noise, range) =
            (flood.deviations(i).iter().copied().fold(0.0, f64::max), range(output));
        if noise > DROWNED * range {
            let missing = (noise / (DROWNED * range)).log2().ceil();
            let message = format!(
                "output `{}`: sharing takes noise of deviation {}, its usual range is {} wide: nothing would be left",
                output.name,
                units::number(noise),
                units::number(range)
            );
            let hint = format!(
                "a plan of at least {missing} bits more precision (`hecc compile --precision`), fewer decryptions or a larger \
                 distance (--distance) take less"
            );
            return Err(hinted(message, hint));
        }
    }
    Ok(())
}

/// How far the usual numbers of an output are apart; without end if calibration saw none.
fn range(output: &Output) -> f64 {
    let (lo, hi) =
        output.seen.ranges.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), range| {
            (lo.min(range.0), hi.max(range.1))
        });
    if lo <= hi { hi - lo } else { f64::INFINITY }
}
