//! `docs/ops.md` lists the operators that are read. `INSTA_UPDATE=always cargo test` rewrites it.

use std::path::Path;

use hecc_compiler::onnx;

const INTRODUCTION: &str = "\
# Operators

What hecc reads of ONNX, generated from the table in `compiler/src/onnx/ops`. Operator sets 7 to 28 of the default
domain are read, files with external data included.

- Every attribute that is not listed here is refused, as is every node with an operator that is not listed; all refusals
  of a model are reported at once, each with the nearest rewrite.
- Nodes whose inputs are all constants are computed at import, and so are shapes.
- \"Constants\" in the third column means that the operator is read on these alone.
- The first dimension of an input is the batch, and becomes 1, where it is open or the same for all inputs and outputs,
  if no node mixes rows. If one does, a fixed number of rows is one input, and an open one is refused.
- An input of integers takes whole numbers as they are, bytes of images too.
- Numbers are computed in f64 (at import) and with the precision of the plan (encrypted), whatever float type the model
  declares.

";

#[test]
fn table_of_operators_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ops.md");
    let text = format!("{INTRODUCTION}{}", onnx::operator_table());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/ops.md is not current: run `INSTA_UPDATE=always cargo test --test onnx`"
    );
}
