//! What is found out about a network and changes nothing in it.

pub mod groups;
pub mod precision;
pub mod validate;
pub mod widths;
