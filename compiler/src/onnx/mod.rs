//! Imports ONNX models: protobuf to [`Model`].
//!
//! Every attribute of every node is honoured or refused, and all refusals are reported at once. Whatever is computed
//! from constants alone is folded here. To add an operator: a file in `ops/`, a line in `ops::OPS`.

mod attribute;
mod batch;
mod builder;
mod client;
mod client_rows;
mod error;
mod finite;
mod fold;
mod graph;
mod input;
mod last_steps;
mod node;
mod ops;
mod quantized;
mod recognize;
mod rows;
#[expect(missing_docs, reason = "generated; the schema beside it has the docs")]
#[rustfmt::skip]
pub mod proto;
mod shape;
mod tensor;
#[cfg(test)]
mod testing;
mod unsupported;
mod value;
mod weight;
mod wire;

use std::path::Path;

use bytes::Bytes;
use hecc_grammar::model::Model;
use ndarray::ArrayD;
use prost::Message;

pub use batch::Batch;
pub use error::{ImportError, NodeError};
pub use ops::{operator_table, operators};

use proto::ModelProto;

/// The oldest operator set that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest operator set that is read.
pub const NEWEST_OPSET: i64 = 28;

/// A network as it was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, for one input.
    pub model: Model,
    /// What was decided that the user may not expect, a sentence each.
    pub notes: Vec<String>,
}

/// Imports the ONNX file at `path`; external data is looked for beside it.
pub fn import_file(path: &Path) -> Result<Model, ImportError> {
    let read = |source| ImportError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    import(bytes.into(), Some(dir.unwrap_or(Path::new("."))))
}

/// Imports an ONNX file's bytes. External data is looked for below `dir`, and refused without one.
pub fn import(bytes: Bytes, dir: Option<&Path>) -> Result<Model, ImportError> {
    read_bytes(bytes, dir).map(|imported| imported.model)
}

/// As [`import`], with what was decided that the user may not expect.
pub fn read_bytes(bytes: Bytes, dir: Option<&Path>) -> Result<Imported, ImportError> {
    wire::check(&bytes)?;
    read_message(&ModelProto::decode(bytes)?, dir, Batch::One)
}

/// Imports a decoded ONNX message, with a say on the batch dimension.
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
    let context = graph::Context {
        opset: opset(model)?,
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
pub fn read_tensor(tensor: &proto::TensorProto) -> Result<ArrayD<f64>, ImportError> {
    let error = |refused: error::Refused| ImportError::Initializer {
        name: tensor.name().to_owned(),
        reason: refused.reason,
    };
    tensor::read(tensor, None).map(value::Constant::into_array).map_err(error)
}

/// The version of the default operator set.
fn opset(model: &ModelProto) -> Result<i64, ImportError> {
    let default = |domain: &str| matches!(domain, "" | "ai.onnx");
    let found =
        model.opset_import.iter().find(|set| default(set.domain())).map(|set| set.version());
    // Models of classical operators alone need no others.
    let graph = model.graph.as_ref();
    let is_default = |node: &proto::NodeProto| default(node.domain());
    let none = !graph.is_some_and(|graph| graph.node.iter().any(is_default));
    let found = found.or(none.then_some(NEWEST_OPSET)).ok_or_else(|| {
        ImportError::Model("the file names no version of the default operator set".to_owned())
    })?;
    if (OLDEST_OPSET..=NEWEST_OPSET).contains(&found) {
        Ok(found)
    } else {
        Err(ImportError::Opset { found })
    }
}
