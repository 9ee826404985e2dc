//! The passes, one file each, in the order that `crate::pipeline` runs them.

pub mod approximate;
pub mod assign_levels;
pub mod choose_degrees;
pub mod choose_params;
pub mod choose_precision;
pub mod eliminate_common;
pub mod eliminate_dead;
pub mod integer_trial;
pub mod integers;
pub mod lift_quantizers;
pub mod linearize;
pub mod lower;
pub mod normalize;
pub mod pack;
pub mod place_bootstraps;
pub mod quantize;
pub mod record;
pub mod search;
pub mod search_bootstrapped;
pub mod search_integers;
pub mod table;
pub mod validate;
pub mod widths;
