//! What a plan computes, against what its network does.

pub(crate) mod comparison;
pub(crate) mod error_stats;
pub(crate) mod flags;
pub(crate) mod plan_check;
pub(crate) mod tracer;
