//! Imports ONNX models: protobuf to [`Model`].
//!
//! Every attribute of every node is honored or refused, and all refusals are reported at once. Whatever is computed
//! from constants alone is folded here. To add an operator: a file in `ops/`, a line in `ops::OPS`.
//!
//! Each room uses only those before it: `value/` (what a name stands for), `file/` (what is stored), `builder/` (the
//! model under construction), `node.rs` and its helpers (what an importer sees), `ops/` (the importers and their table),
//! `walk/` (from node to node), `batch/` (one input of many). What comes after works on the whole model.

mod batch;
mod builder;
mod client;
mod error;
mod file;
mod finite;
mod fold;
mod importer;
mod input;
mod last_steps;
mod node;
mod ops;
mod opset;
mod quantized;
mod recognize;
mod rewrite;
#[expect(missing_docs, reason = "generated; the schema beside it has the docs")]
#[rustfmt::skip]
pub mod proto;
mod shape;
#[cfg(test)]
mod testing;
mod unsupported;
mod value;
mod walk;

use std::path::Path;

use bytes::Bytes;
use hecc_grammar::model::Model;
use ndarray::ArrayD;
use prost::Message;

pub use batch::Batch;
pub use error::{ImportError, NodeError};
pub use ops::{operator_table, operators};
pub use opset::{NEWEST_OPSET, OLDEST_OPSET};
pub use rewrite::{NewVector, NewWeights, Rewritten, with_weights};

use proto::ModelProto;

/// A network as it was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, for one input.
    pub model: Model,
    /// What was decided that the user may not expect, a sentence each.
    pub notes: Vec<String>,
}

/// Imports the ONNX file at `path`; external data is looked for beside it.
///
/// # Errors
/// If it cannot be read, is no ONNX model, or has what hecc does not take: all nodes that are refused are named.
pub fn import_file(path: &Path) -> Result<Model, ImportError> {
    let read = |source| ImportError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    import(bytes.into(), Some(dir.unwrap_or(Path::new("."))))
}

/// Imports an ONNX file's bytes. External data is looked for below `dir`, and refused without one.
///
/// # Errors
/// Those of [`import_file`].
pub fn import(bytes: Bytes, dir: Option<&Path>) -> Result<Model, ImportError> {
    read_bytes(bytes, dir).map(|imported| imported.model)
}

/// As [`import`], with what was decided that the user may not expect.
///
/// # Errors
/// Those of [`import_file`].
pub fn read_bytes(bytes: Bytes, dir: Option<&Path>) -> Result<Imported, ImportError> {
    file::wire::check(&bytes)?;
    read_message(&ModelProto::decode(bytes)?, dir, Batch::One)
}

/// Imports a decoded ONNX message, with a say on the batch dimension.
///
/// # Errors
/// Those of [`import_file`].
pub fn import_message(
    model: &ModelProto,
    dir: Option<&Path>,
    batch: Batch,
) -> Result<Model, ImportError> {
    read_message(model, dir, batch).map(|imported| imported.model)
}

fn read_message(
    model: &ModelProto,
    dir: Option<&Path>,
    batch: Batch,
) -> Result<Imported, ImportError> {
    let graph = model.graph.as_ref();
    let graph = graph.ok_or_else(|| ImportError::Model("the file has no graph".to_owned()))?;
    let context = walk::Context {
        opset: opset::of(model)?,
        dir,
        functions: model.functions.iter().map(|f| (f.domain(), f.name())).collect(),
    };
    let mut notes = vec![];
    let (model, constants) = batch::import(graph, &context, batch, &mut notes)?;
    let model = fold::fold(model, &constants);
    last_steps::check(&model)?;
    finite::check_model(&model)?;
    model.verify().map_err(|error| ImportError::Model(error.to_string()))?;
    Ok(Imported { model, notes })
}

/// Converts a stored array, such as those of a test's `.pb` files. It must not be in a file of its own.
///
/// # Errors
/// If its type is none that is read, or it has not as many elements as its shape.
pub fn read_tensor(tensor: &proto::TensorProto) -> Result<ArrayD<f64>, ImportError> {
    let error = |refused: error::Refused| ImportError::Initializer {
        name: tensor.name().to_owned(),
        reason: refused.reason,
    };
    file::tensor::read(tensor, None).map(value::Constant::into_array).map_err(error)
}
