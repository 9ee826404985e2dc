//! Why a model cannot be imported.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::proto::NodeProto;

/// Why a model cannot be imported. What is wrong with nodes is reported for all nodes at once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a protobuf message of the right kind.
    #[error("not an ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    /// The file as a whole has something missing, or something that hecc does not take.
    #[error("{0}")]
    Model(String),
    /// The operator set is too old or too new.
    #[error(
        "operator set {found}, expected {} to {} (onnx.version_converter changes it)",
        expected.start(),
        expected.end()
    )]
    Opset {
        /// Version in the file.
        found: i64,
        /// Versions that are read.
        expected: RangeInclusive<i64>,
    },
    /// An input has a type or shape that hecc does not take.
    #[error("input `{name}`: {reason}")]
    Input {
        /// Name of the input.
        name: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// A stored constant is malformed or of an unsupported type.
    #[error("initializer `{name}`: {reason}")]
    Initializer {
        /// Name of the constant.
        name: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// An output is not something that can be decrypted.
    #[error("output `{name}`: {reason}")]
    Output {
        /// Name of the output.
        name: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// Nodes that are malformed or unsupported: all that were found.
    #[error("{}", list(.0))]
    Nodes(Vec<NodeError>),
}

/// What is wrong with one node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeError {
    /// Name of the node, or of its first output where it has none.
    pub node: String,
    /// Its operator, such as `MaxPool`.
    pub op_type: String,
    /// What was found and what was expected.
    pub reason: String,
    /// The nearest model that would be accepted, where one is known.
    pub rewrite: Option<String>,
}

impl NodeError {
    /// Says of which node something is wrong.
    pub(super) fn new(node: &NodeProto, refused: Refused) -> NodeError {
        let Refused { reason, rewrite, is_not_finite: _ } = refused;
        let op_type = node.op_type().to_owned();
        NodeError { node: node_name(node).to_owned(), op_type, reason, rewrite }
    }
}

/// What messages call a node: its name, or its first output's where it has none.
pub(super) fn node_name(proto: &NodeProto) -> &str {
    match proto.name() {
        "" => proto.output.iter().find(|name| !name.is_empty()).map_or("", |name| name),
        name => name,
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node `{}` ({}): {}", self.node, self.op_type, self.reason)?;
        match &self.rewrite {
            Some(rewrite) => write!(f, "; instead: {rewrite}"),
            None => Ok(()),
        }
    }
}

fn list(errors: &[NodeError]) -> String {
    let lines: Vec<String> = errors.iter().map(NodeError::to_string).collect();
    match &lines[..] {
        [only] => only.clone(),
        _ => format!("{} nodes cannot be imported:\n  {}", lines.len(), lines.join("\n  ")),
    }
}

/// What an operator's importer says; the graph walk adds which node it was.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) rewrite: Option<String>,
    /// Whether the reason is a constant that holds NaN or an infinite number.
    pub(super) is_not_finite: bool,
}

impl Refused {
    /// Adds the nearest rewrite that would be accepted.
    pub(super) fn instead(mut self, rewrite: &str) -> Refused {
        self.rewrite = Some(rewrite.to_owned());
        self
    }
}

/// Starts a refusal.
pub(super) fn refuse(reason: impl Into<String>) -> Refused {
    Refused { reason: reason.into(), rewrite: None, is_not_finite: false }
}
