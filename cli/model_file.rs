//! Networks on disk: ONNX, or hecc's own text with its weights beside it.

use std::path::Path;

use anyhow::{Context, Result};
use hecc_compiler::onnx;
use hecc_grammar::model::{self, Model};
use ndarray::ArrayD;

use crate::array_file::ArrayFile;
use crate::bytes_file;
use crate::failure::hinted;

/// Reads a network: `.onnx`, or `.hecc` text with large constants in an `.npz` of the same name.
pub(crate) fn read(path: &Path) -> Result<Model> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("onnx") => onnx::import_file(path).with_context(|| path.display().to_string()),
        Some("hecc") => read_text(path),
        _ => Err(hinted(
            format!("`{}` ends neither in .onnx nor in .hecc", path.display()),
            "PyTorch: torch.onnx.export(network, example_input, \"model.onnx\"); other frameworks have converters",
        )),
    }
}

fn read_text(path: &Path) -> Result<Model> {
    let bytes = bytes_file::read(path)?;
    let text =
        std::str::from_utf8(&bytes).with_context(|| format!("{}: not text", path.display()))?;
    let weights = path.with_extension("npz");
    let mut archive = if weights.exists() { Some(ArrayFile::open(&weights)?) } else { None };
    // What is wrong with an array says more than that the model misses it.
    let mut problem = None;
    let mut constant = |name: &str| -> Option<ArrayD<f64>> {
        match archive.as_mut()?.read(name) {
            Ok(array) => Some(array.data),
            Err(error) => {
                problem.get_or_insert(error);
                None
            }
        }
    };
    let parsed = model::parse(text, &mut constant);
    match (parsed, problem) {
        (Ok(model), _) => Ok(model),
        (Err(_), Some(problem)) => Err(problem),
        (Err(error), None) => Err(error).with_context(|| path.display().to_string()),
    }
}
