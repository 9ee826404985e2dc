//! Compiles ONNX networks into hecc plans.
//!
//! [`pipeline::compile`] lists the passes. The stages between them are [`hecc_grammar::model::Model`] (the tensor
//! graph), [`graph::Graph`] (affine maps and polynomials), [`pass::pack::Packing`] (layouts and schedules) and
//! [`hecc_grammar::plan::Plan`] (instructions).

pub mod bootstrap;
pub mod calibrate;
pub mod config;
pub mod emit;
pub mod error;
pub mod graph;
pub mod interpret;
pub mod judge;
pub mod ladder;
pub mod layout;
pub mod linear;
pub mod onnx;
pub mod pass;
pub mod pipeline;
pub mod poly;
