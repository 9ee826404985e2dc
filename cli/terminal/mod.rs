//! What people see: results and remarks, progress, tables, numbers with units.

pub(crate) mod console;
pub(crate) mod failure;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod units;
