//! What benchmarks read, and how they judge results.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use hecc_grammar::plan::{VerifiedPlan, from_bytes};
use ndarray::ArrayD;
use ndarray_npy::NpzReader;

/// A network with the data that it is measured on.
#[derive(Args)]
pub struct Measured {
    /// The network.
    pub model: PathBuf,
    /// Calibration inputs: array `x`.
    #[arg(long)]
    pub calibration: PathBuf,
    /// Labeled test inputs: arrays `x`, `y`.
    #[arg(long)]
    pub test: PathBuf,
}

/// Array `x` of an archive.
///
/// # Errors
/// If there is none of 32-bit floats.
pub fn array(path: &Path) -> Result<ArrayD<f64>> {
    let mut file = NpzReader::new(File::open(path).with_context(|| path.display().to_string())?)?;
    let images: ArrayD<f32> = file.by_name("x")?;
    Ok(images.mapv(f64::from))
}

/// Array `y` of an archive.
///
/// # Errors
/// If there is none of 64-bit integers.
pub fn labels(path: &Path) -> Result<Vec<i64>> {
    let mut file = NpzReader::new(File::open(path).with_context(|| path.display().to_string())?)?;
    let labels: ArrayD<i64> = file.by_name("y")?;
    Ok(labels.into_iter().collect())
}

/// A plan, from its file.
///
/// # Errors
/// If there is none.
pub fn read_plan(path: &Path) -> Result<VerifiedPlan> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(from_bytes(bytes.into())?.plan)
}

/// The index of the largest score.
pub fn class<'a>(scores: impl IntoIterator<Item = &'a f64>) -> Option<i64> {
    let best = scores.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(class, _)| class as i64)
}
