//! What a plan computes, against what its network does.

pub(crate) mod comparison;
pub(crate) mod error_stats;
pub(crate) mod flags;
