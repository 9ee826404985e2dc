//! What an operator's importer is: the one type between the table of operators and the files that fill it.

use super::builder::Builder;
use super::error::Refused;
use super::node::Node;
use super::value::Value;

/// How one operator is read.
pub(super) struct Importer {
    /// The operator's name.
    pub(super) op_type: &'static str,
    /// First operator set that has it in a form that is read, at least 7.
    pub(super) since: i64,
    /// What is supported beyond "all of it", for the table in `docs/ops.md`: attributes first.
    pub(super) supported: &'static str,
    /// What is refused, for the same table.
    pub(super) refused: &'static str,
    /// Lowers a node; returns its outputs, of which trailing ones may be missing.
    pub(super) import: fn(&mut Node<'_>, &mut Builder) -> Result<Vec<Value>, Refused>,
}
