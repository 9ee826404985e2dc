//! The tensor graph: a network with static shapes, in topological order.
//!
//! To add an operation: a variant in the table of `op.rs`, which gives its class, its operands and its text form; its
//! shape in `shape.rs`. To add a function: a variant in the table of `function.rs` and its values there.

mod bounds;
mod client;
mod client_text;
mod client_values;
mod function;
mod graph;
mod ids;
mod op;
mod operand;
mod parameter;
mod parse;
mod print;
mod quantizer;
mod rewriter;
mod shape;
mod statement;
mod verify;

pub use bounds::{MAX_ELEMENTS, MAX_RANK, ShapeError};
pub use client::{ClientOp, Comparison, Integral, Norm};
pub(crate) use client_text::{ClientOps, client_ops};
pub use client_values::apply_client_ops;
pub use function::Function;
pub use graph::{Model, Node, Output};
pub use ids::{Const, Tensor};
pub use op::{Class, Op, Polynomial, Window};
pub use parse::{Resolve, parse};
pub(crate) use quantizer::read_quantizer;
pub use quantizer::{Quantizer, Rounding};
pub use rewriter::Rewriter;
pub use verify::ModelError;
