//! Compiles ONNX networks into hecc plans.
//!
//! [`pipeline::compile`] lists the passes. The stages between them are [`hecc_grammar::model::Model`] (the tensor
//! graph), [`graph::Graph`] (affine maps and polynomials), [`pack::Packing`] (layouts and schedules) and
//! [`hecc_grammar::plan::Plan`] (instructions).

pub mod analysis;
pub mod bootstrap;
pub mod calibrate;
pub mod config;
pub mod differentiate;
pub mod emit;
pub mod error;
pub mod graph;
pub mod histogram;
pub mod interpret;
pub mod judge;
pub mod ladder;
pub mod layout;
pub mod limits;
pub mod linear;
pub mod lower;
pub mod onnx;
pub mod pack;
pub mod pass;
pub mod passes;
pub mod permute;
pub mod pipeline;
pub mod poly;
pub mod primes;
pub mod prune;
pub mod scales;
pub mod search;
pub mod size;
mod units;
