//! The versions of the default operator set that are read.

use super::error::ImportError;
use super::proto::{ModelProto, NodeProto};

/// The oldest operator set that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest operator set that is read.
pub const NEWEST_OPSET: i64 = 28;

/// The version of the default operator set.
pub(super) fn of(model: &ModelProto) -> Result<i64, ImportError> {
    let default = |domain: &str| matches!(domain, "" | "ai.onnx");
    let found =
        model.opset_import.iter().find(|set| default(set.domain())).map(|set| set.version());
    // Models of classical operators alone need no others.
    let graph = model.graph.as_ref();
    let is_default = |node: &NodeProto| default(node.domain());
    let none = !graph.is_some_and(|graph| graph.node.iter().any(is_default));
    let found = found.or(none.then_some(NEWEST_OPSET)).ok_or_else(|| {
        ImportError::Model("the file names no version of the default operator set".to_owned())
    })?;
    let expected = OLDEST_OPSET..=NEWEST_OPSET;
    match expected.contains(&found) {
        true => Ok(found),
        false => Err(ImportError::Opset { found, expected }),
    }
}
