//! What is said of plans, results and measurements, as text and as JSON.

pub(crate) mod answer;
pub(crate) mod cost_sheet;
pub(crate) mod explain;
pub(crate) mod fidelity;
pub(crate) mod file_sizes;
pub(crate) mod integer_results;
pub(crate) mod kinds;
pub(crate) mod layers;
pub(crate) mod parts;
pub(crate) mod prune_report;
pub(crate) mod run_cost;
pub(crate) mod simulate_report;
pub(crate) mod tensors;
