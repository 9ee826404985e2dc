//! How long a run took, instruction by instruction: `hecc run --profile` writes it next to the plan, where `hecc inspect` finds it.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hecc_grammar::envelope::Fingerprint;
use serde_json::{Value as Json, json};

use crate::files::companions;
use crate::files::output::{cannot_write, write_file};
use crate::files::save::check_place;
use crate::files::stream::{self, check_named};
use crate::terminal::failure::hinted;
use crate::terminal::units;

/// Measured seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunProfile {
    /// Of how many runs it is the mean.
    pub(crate) n_runs: usize,
    /// With how many threads.
    pub(crate) threads: usize,
    /// Of a run.
    pub(crate) run: f64,
    /// Of encoding weights, which instructions contain: with several threads summed over them.
    pub(crate) encoding: f64,
    /// Of each instruction of the plan.
    pub(crate) instructions: Vec<f64>,
}

impl RunProfile {
    /// For scripts, without its instructions.
    pub(crate) fn json(&self) -> Json {
        json!({
            "runs": self.n_runs,
            "threads": self.threads,
            "seconds": self.run,
            "encoding_seconds": self.encoding,
        })
    }

    /// Checks, before the work, that it can be written next to its plan, and that nothing but an older one would be lost.
    pub(crate) fn check_place(plan: &Path) -> Result<()> {
        check_named(plan, "--profile writes next to the file of the plan")?;
        let path = companions::run_profile(plan);
        if path.exists() {
            of_file(&path).map_err(|_| {
                let name = stream::name(&path);
                hinted(
                    format!("`{name}` exists and is no profile of a run: it is not overwritten"),
                    "--profile writes there: move the file first",
                )
            })?;
        }
        check_place(&path).with_context(|| cannot_write(&path))
    }

    /// Writes it next to its plan.
    pub(crate) fn write(&self, plan: &Path, fingerprint: Fingerprint) -> Result<()> {
        let mut json = self.json();
        json["plan"] = fingerprint.to_string().into();
        json["instruction_seconds"] = json!(self.instructions);
        write_file(&companions::run_profile(plan), format!("{json}\n").as_bytes())
    }

    /// The one next to a plan of `n_instructions`, if it is of that plan.
    ///
    /// # Errors
    /// If a file is there that is no profile.
    pub(crate) fn read(
        plan: &Path,
        fingerprint: Fingerprint,
        n_instructions: usize,
    ) -> Result<Option<RunProfile>> {
        let path = companions::run_profile(plan);
        if !path.exists() {
            return Ok(None);
        }
        let (of, profile) = of_file(&path)?;
        let is_of_plan =
            of == fingerprint.to_string() && profile.instructions.len() == n_instructions;
        Ok(is_of_plan.then_some(profile))
    }
}

impl fmt::Display for RunProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, threads) =
            (units::count(self.n_runs, "run"), units::count(self.threads, "thread"));
        let (run, encoding) = (units::seconds(self.run), units::seconds(self.encoding));
        write!(f, "{run} a run, {encoding} of it to encode weights ({runs} with {threads})")
    }
}

/// The profile in a file, and the fingerprint of its plan.
fn of_file(path: &Path) -> Result<(String, RunProfile)> {
    let text = std::fs::read_to_string(path).map_err(anyhow::Error::from);
    text.and_then(|text| parse(&text)).with_context(|| {
        let name = stream::name(path);
        format!("`{name}` is no profile of a run; `hecc run --profile` writes one")
    })
}

/// A profile, and the fingerprint of its plan.
fn parse(text: &str) -> Result<(String, RunProfile)> {
    let json: Json = serde_json::from_str(text)?;
    let count = |name: &str| json[name].as_u64().with_context(|| format!("`{name}` is no count"));
    let of = json["plan"].as_str().context("`plan` is no fingerprint")?.to_owned();
    let instructions = json["instruction_seconds"].as_array();
    let instructions = instructions.context("`instruction_seconds` is no list")?;
    let profile = RunProfile {
        n_runs: usize::try_from(count("runs")?)?,
        threads: usize::try_from(count("threads")?)?,
        run: seconds(&json["seconds"])?,
        encoding: seconds(&json["encoding_seconds"])?,
        instructions: instructions.iter().map(seconds).collect::<Result<_>>()?,
    };
    Ok((of, profile))
}

fn seconds(json: &Json) -> Result<f64> {
    let seconds = json.as_f64().with_context(|| format!("{json} is no time in seconds"))?;
    ensure!(seconds >= 0.0, "{seconds} is no time in seconds");
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_next_to_its_plan_only() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.bin");
        let (own, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        assert_eq!(RunProfile::read(&plan, own, 2).unwrap(), None);
        let profile = RunProfile {
            n_runs: 3,
            threads: 2,
            run: 1.25,
            encoding: 0.5,
            instructions: vec![0.75, 0.5],
        };
        profile.write(&plan, own).unwrap();
        assert_eq!(RunProfile::read(&plan, own, 2).unwrap(), Some(profile));
        assert_eq!(RunProfile::read(&plan, own, 3).unwrap(), None);
        assert_eq!(RunProfile::read(&plan, other, 2).unwrap(), None);
        std::fs::write(folder.path().join("plan.profile.json"), "{\"plan\": 3}").unwrap();
        let error = RunProfile::read(&plan, own, 2).unwrap_err();
        assert!(error.to_string().contains("plan.profile.json` is no profile"), "{error}");
    }
}
