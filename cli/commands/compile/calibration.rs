//! The inputs that a network is calibrated on: those given, or assumed ones.

use std::path::Path;

use anyhow::{Result, bail};
use hecc_compiler::calibrate::{Calibration, Finding, rows_wanted};
use hecc_grammar::model::Model;
use hecc_grammar::plan::Normalization;

use super::args::Args;
use crate::data::dataset::{Dataset, InputSpec, specs_of_model};
use crate::data::labels::LabelSpec;
use crate::data::{normalization, whole_numbers};
use crate::terminal::console::Console;
use crate::terminal::units;

/// The calibration data that the options name; warns of what is wrong with it.
pub(super) fn calibration(args: &Args, model: &Model, console: &Console) -> Result<Calibration> {
    match &args.calibration {
        Some(path) => read(path, args.normalize.as_ref(), model, console),
        None => assumed(args, model, console),
    }
}

/// The calibration data of a file or folder; warns of what is wrong with it.
pub(in crate::commands) fn read(
    path: &Path,
    normalization: Option<&Normalization>,
    model: &Model,
    console: &Console,
) -> Result<Calibration> {
    calibrate(path, model, &specs(normalization, model)?, console)
}

/// What inputs look like.
fn specs<'a>(
    normalization: Option<&'a Normalization>,
    model: &'a Model,
) -> Result<Vec<InputSpec<'a>>> {
    let specs = specs_of_model(model, normalization);
    if let Some(normalization) = normalization {
        for spec in &specs {
            normalization::check(normalization, spec.shape)?;
            if let Some(whole) = spec.whole {
                bail!("--normalize: input `{}` takes pixels as they are, {whole}", spec.name);
            }
        }
    }
    Ok(specs)
}

fn assumed(args: &Args, model: &Model, console: &Console) -> Result<Calibration> {
    let specs = specs(args.normalize.as_ref(), model)?;
    let pixels = args.normalize.as_ref().map(normalization::range);
    let declared = whole_numbers::shared_range(specs.iter().map(|spec| spec.whole))?;
    let (lo, hi) = args.input_range.or(pixels).or(declared).unwrap_or((0.0, 1.0));
    console.note(format!(
        "warning: no calibration data: inputs are taken to be uniform in [{}, {}]. Real inputs (--calibration) give \
         better polynomials and safer ranges",
        units::number(lo),
        units::number(hi)
    ));
    Ok(Calibration::assumed(model, lo, hi))
}

fn calibrate(
    path: &Path,
    model: &Model,
    specs: &[InputSpec<'_>],
    console: &Console,
) -> Result<Calibration> {
    let data = Dataset::read(path, specs, LabelSpec::of_model(model))?;
    let wanted = rows_wanted(model);
    if data.len() < 2 {
        bail!(
            "{}: one input is too few to calibrate on, expected at least {wanted}",
            path.display()
        );
    }
    let given = Calibration { targets: data.targets, ..Calibration::from_data(data.inputs) };
    let (calibration, findings) = given.screened(model);
    report(&findings, console);
    let n_kept = calibration.len(model);
    if n_kept < wanted {
        console.note(format!(
            "warning: calibrated on {} only; this network needs {wanted}: 64, and 64 for each layer with an activation",
            units::count(n_kept, "input")
        ));
    }
    Ok(calibration)
}

/// Findings of one kind that are printed at most.
const MAX_FINDINGS: usize = 5;

/// Warns of what is wrong with calibration data.
fn report(findings: &[Finding], console: &Console) {
    let is_outlier = |finding: &&Finding| matches!(finding, Finding::Outlier { .. });
    let (outliers, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(is_outlier);
    for kind in [outliers, others] {
        kind.iter().take(MAX_FINDINGS).for_each(|finding| console.warn(finding));
        if kind.len() > MAX_FINDINGS {
            console.warn(format!("and {} more of the kind", kind.len() - MAX_FINDINGS));
        }
    }
}
