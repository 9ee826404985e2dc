//! `If`: the graph walk imports the branch that a known condition takes; what is left are conditions that are not known.

use crate::onnx::importer::Importer;
use crate::onnx::unsupported;

pub(super) const IF: Importer = Importer {
    op_type: "If",
    since: 7,
    supported: "a constant condition: the branch taken is read, the other one is not",
    refused: "encrypted conditions",
    import: |_, _| Err(unsupported::reason("If")),
};
