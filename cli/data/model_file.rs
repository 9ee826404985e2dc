//! Networks on disk: ONNX, or hecc's own text with its weights next to it.

use std::path::Path;

use anyhow::{Context, Result};
use hecc_compiler::onnx;
use hecc_grammar::envelope::kind_of_any_version;
use hecc_grammar::model::{self, Model};
use ndarray::ArrayD;

use crate::data::array_file::ArrayFile;
use crate::files::{bytes_file, stream, wrong_file};
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;

/// Reads a network: `.onnx`, or `.hecc` text with large constants in an `.npz` of the same name. What was decided about it
/// that the user may not expect is told.
pub(crate) fn read(path: &Path, console: &Console) -> Result<Model> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    match extension.as_deref() {
        _ if stream::is_stdin(path) => {
            let read = onnx::read_bytes(bytes_file::read(path)?, None);
            told(read.with_context(|| stream::input_name(path))?, console)
        }
        Some("onnx") => {
            let folder = folder.unwrap_or(Path::new("."));
            let read = onnx::read_bytes(bytes_file::read(path)?, Some(folder));
            told(read.with_context(|| stream::name(path))?, console)
        }
        Some("hecc") => read_text(path),
        _ => Err(other_file(path)?),
    }
}

/// The network, after what its file makes one say.
fn told(imported: onnx::Imported, console: &Console) -> Result<Model> {
    imported.notes.iter().for_each(|note| console.note(format!("note: {note}")));
    Ok(imported.model)
}

/// The error of a file whose name is not that of a network.
fn other_file(path: &Path) -> Result<anyhow::Error> {
    let bytes = bytes_file::read(path)?;
    Ok(match kind_of_any_version(&bytes) {
        Some(kind) => hinted(
            format!("`{}` holds {kind}, expected a network", stream::name(path)),
            wrong_file::next_command(path, kind),
        ),
        None => hinted(
            format!("`{}` ends neither in .onnx nor in .hecc", path.display()),
            "PyTorch: torch.onnx.export(network, example_input, \"model.onnx\"); other frameworks have converters",
        ),
    })
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
        match archive.as_mut()?.read(name, |_| Ok(())) {
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
