//! Compiles ONNX networks into hecc plans.
