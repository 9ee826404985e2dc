//! The compiler, read from the top: every pass, in order.

use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Params, Scheme, VerifiedPlan};

use crate::config::Config;
use crate::error::CompileError;
use crate::pass::assign_levels::assign_levels;
use crate::pass::linearize::linearize;
use crate::pass::lower::LowerConfig;
use crate::pass::normalize::normalize;
use crate::pass::search::{Candidate, SearchInput, search};

/// A compiled network.
pub struct Compiled {
    /// The plan.
    pub plan: VerifiedPlan,
    /// Parameters considered; the chosen ones first.
    pub candidates: Vec<Candidate>,
}

/// Compiles a model whose activations are polynomials. `range` gives the calibrated range of every tensor.
pub fn compile_polynomial(
    model: &Model,
    range: &dyn Fn(Tensor) -> (f64, f64),
    config: &Config,
) -> Result<Compiled, CompileError> {
    let margin = |tensor: Tensor| {
        let (lo, hi) = range(tensor);
        (lo * config.margin, hi * config.margin)
    };
    let graph = normalize(model, &linearize(model)?, &margin);
    let levels = assign_levels(&graph);
    let lower = LowerConfig {
        model,
        params: Params {
            scheme: Scheme::Ckks,
            log_n: 3,
            q: vec![],
            p: vec![],
            top_scale: 1.0,
            security: config.security,
        },
        levels: &levels,
        range,
        normalization: config.normalization.clone(),
    };
    let found = search(SearchInput { graph: &graph, levels: &levels, config, lower })?;
    let plan = VerifiedPlan::new(found.plan)?;
    Ok(Compiled { plan, candidates: found.candidates })
}
