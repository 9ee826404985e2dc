//! What a plan computes, without encryption, compared with its network.

mod plan_check;
mod tracer;

pub use plan_check::check;
pub use tracer::{Trace, Tracer};
