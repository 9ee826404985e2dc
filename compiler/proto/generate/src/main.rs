//! Writes `compiler/src/onnx/proto.rs` from the vendored `onnx-ml.proto`. See `compiler/proto/README.md`.

use std::path::Path;

const HEADER: &str = "\
// SPDX-License-Identifier: Apache-2.0
// Generated from compiler/proto/onnx-ml.proto by compiler/proto/generate. Do not edit.

";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent folder")?;
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/generated");
    std::fs::create_dir_all(&out)?;
    let files = protox::compile(["onnx-ml.proto"], [proto])?;
    // `Bytes` fields share the file's memory: weights are not copied until they are converted.
    // The schema's comments are left out: they are markdown only by accident, and the schema is beside.
    prost_build::Config::new().bytes(["."]).disable_comments(["."]).out_dir(&out).compile_fds(files)?;
    let code = std::fs::read_to_string(out.join("onnx.rs"))?;
    std::fs::write(proto.join("../src/onnx/proto.rs"), format!("{HEADER}{code}"))?;
    Ok(())
}
