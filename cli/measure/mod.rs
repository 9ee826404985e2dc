//! What a plan computes beside what its network does.

pub(crate) mod error_stats;
pub(crate) mod flags;
pub(crate) mod plan_check;
pub(crate) mod tally;
pub(crate) mod twin;
