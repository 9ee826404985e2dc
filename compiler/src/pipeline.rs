//! The compiler, read from the top: every pass, in order.

use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Params, Scheme, VerifiedPlan};

use crate::calibrate::{Calibration, Stats};
use crate::config::Config;
use crate::error::CompileError;
use crate::graph::Graph;
use crate::ladder::Ladder;
use crate::pass::approximate::{ApproximateReport, approximate};
use crate::pass::assign_levels::assign_levels;
use crate::pass::linearize::linearize;
use crate::pass::lower::LowerConfig;
use crate::pass::normalize::normalize;
use crate::pass::pack::Packing;
use crate::pass::search::{Candidate, Found, SearchInput, search};
use crate::pass::search_bootstrapped::{BootstrapReport, search_bootstrapped};

/// A compiled network, with what every stage made of it.
pub struct Compiled {
    /// The plan.
    pub plan: VerifiedPlan,
    /// The model with its activations replaced by polynomials.
    pub approximated: Model,
    /// Degrees chosen and considered.
    pub approximation: ApproximateReport,
    /// Affine maps, products and polynomials.
    pub graph: Graph,
    /// Layouts and schedules.
    pub packing: Packing,
    /// Parameters considered; the chosen ones first.
    pub candidates: Vec<Candidate>,
    /// Where values are refreshed, if the network is too deep to do without.
    pub bootstraps: Option<BootstrapReport>,
}

/// Compiles a model that was observed on calibration inputs.
///
/// # Errors
/// If the network is too deep for the largest ring, cannot be approximated, or the calibration inputs do not fit it.
pub fn compile(
    model: &Model,
    calibration: &Calibration,
    config: &Config,
) -> Result<Compiled, CompileError> {
    let observe = |model: &Model| {
        Stats::collect(model, calibration)
            .map_err(|error| CompileError::Calibration(error.to_string()))
    };
    let stats = observe(model)?;
    let (approximated, approximation) =
        approximate(model, &stats, calibration, &config.approximate)?;
    let ranges = observe(&approximated)?.ranges;
    let range = |tensor: Tensor| ranges[tensor.index()];
    let widened =
        |tensor: Tensor| (range(tensor).0 * config.margin, range(tensor).1 * config.margin);
    let graph = normalize(&approximated, &linearize(&approximated)?, &widened);
    let levels = assign_levels(&graph);
    let lower = LowerConfig {
        model: &approximated,
        ladder: Ladder::new(no_params(config), 1),
        levels: &levels,
        refresh: None,
        range: &range,
        normalization: config.normalization.clone(),
    };
    let (found, bootstraps) = match search(SearchInput {
        graph: &graph,
        levels: &levels,
        config,
        lower: lower.clone(),
    }) {
        Err(error @ CompileError::TooDeep { .. }) => {
            let deep = search_bootstrapped(&graph, config, lower, error)?;
            (deep.found, Some(deep.bootstraps))
        }
        found => (found?, None),
    };
    let Found { plan, packing, candidates } = found;
    let plan = VerifiedPlan::new(plan)?;
    check_memory(&plan, config)?;
    Ok(Compiled { plan, approximated, approximation, graph, packing, candidates, bootstraps })
}

/// Parameters before any are chosen.
fn no_params(config: &Config) -> Params {
    let security = config.security;
    Params {
        scheme: Scheme::Ckks,
        log_n: 3,
        q: vec![2],
        t: vec![],
        p: vec![],
        input_level: 0,
        top_scale: 1.0,
        security,
    }
}

/// Keys and values must fit the limit; plaintexts are cached in what is left.
fn check_memory(plan: &VerifiedPlan, config: &Config) -> Result<(), CompileError> {
    let needed = hecc_grammar::cost::key_bytes(plan) + hecc_grammar::cost::peak_value_bytes(plan);
    match config.max_memory {
        Some(allowed) if needed > allowed => Err(CompileError::Memory { needed, allowed }),
        _ => Ok(()),
    }
}
