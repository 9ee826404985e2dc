//! What benchmarks read.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use ndarray::ArrayD;
use ndarray_npy::NpzReader;

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
