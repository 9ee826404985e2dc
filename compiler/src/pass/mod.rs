//! The passes, one file each, in the order that `crate::pipeline` runs them.

pub mod approximate;
pub mod assign_levels;
pub mod bundle;
pub mod compose_rotations;
pub mod eliminate_common;
pub mod eliminate_dead;
mod expression;
pub mod fuse_divisions;
pub mod integers;
pub mod lift_quantizers;
pub mod linearize;
pub mod normalize;
pub mod quantize;
pub mod record;
pub mod remove_dead;
