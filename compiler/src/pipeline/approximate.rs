//! The passes over approximate numbers, in order.

use hecc_grammar::model::{Node, Op, Tensor};
use hecc_grammar::plan::Better;

use super::order::{Planned, ordered};
use super::{Compiled, Task, finished, objective, observe, shipped};
use crate::analysis::precision::choose_precision;
use crate::config::{Config, Wishes};
use crate::error::CompileError;
use crate::layout::Batch;
use crate::limits;
use crate::lower::{Numbers, Source};
use crate::pass::approximate::{ApproximateConfig, Beyond, Recipe, Replaced};
use crate::pass::assign_levels::assign_levels;
use crate::pass::linearize::linearize;
use crate::pass::normalize::normalize;
use crate::pass::record::record;
use crate::pass::remove_dead::Constants;
use crate::passes::{Decided, Made};
use crate::search::{self, Candidate, Found, OfScheme, Problem, Shipped};
use crate::size;

/// Compiles for approximate numbers. Where bootstraps are needed, they may leave sines that polynomials are in. Networks so deep that
/// nothing else is to be expected are compiled that way at once; of others what is cheaper is taken, unless its polynomials are not good
/// enough and the others are.
pub(super) fn compile_ckks(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let (model, config) = (&task.lifted.model, task.config);
    let through_sines = config.approximate.through_sines();
    let is_activation = |node: &Node| matches!(node.op, Op::Activation { .. });
    // Where slots are all taken by inputs every element would be bootstrapped by itself.
    let has_sines = model.nodes.iter().any(is_activation)
        && config.batch != Batch::Slots
        && config.approximate.recipe != Recipe::Minimax
        && config.approximate != through_sines;
    if !has_sines {
        return compile_plain(task);
    }
    let with_sines = || {
        task.passes.show("through_sines", Made::Decision);
        compile_with(task, &through_sines, &config.wishes)
    };
    if size::least_levels(model) > limits::LEVELS_WITHOUT_BOOTSTRAPS {
        // If nothing does, what keeps from the plan that was to be expected is of interest.
        return with_sines().or_else(|error| compile_plain(task).map_err(|_| error));
    }
    match compile_plain(task) {
        Ok(plain) if plain.bootstraps.is_some() => {
            let sines = task.passes.in_trial(with_sines);
            match &sines.result {
                Ok(found) if is_cheaper_and_good_enough(found, &plain) => task.passes.keep(sines),
                _ => Ok(plain),
            }
        }
        Err(error @ (CompileError::TooDeep { .. } | CompileError::Precision { .. })) => {
            with_sines().map_err(|_| error)
        }
        plain => plain,
    }
}

/// Whether the plan with sines is cheaper, or hardly dearer, and loses nothing: with sines no argument of a polynomial is out of
/// range, whatever the input.
fn is_cheaper_and_good_enough(sines: &Compiled, plain: &Compiled) -> bool {
    let loses = plain.approximation.is_good_enough() && !sines.approximation.is_good_enough();
    sines.is_better(plain, limits::SINES_FAVOR) && !loses
}

/// Compiles for approximate numbers. Where nobody asked for degrees, and those that the network's behavior asks for let errors grow
/// beyond what any parameters hold, polynomials of half the depth are tried.
fn compile_plain(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let Config { approximate, wishes, .. } = task.config;
    let is_free = approximate.is_free() && *wishes == Wishes::default();
    match compile_with(task, approximate, wishes) {
        Err(error @ CompileError::Precision { .. }) if is_free => {
            let Some(shallower) = approximate.of_half_depth() else { return Err(error) };
            task.passes.show("halve_depth", Made::Decision);
            compile_with(task, &shallower, wishes)
        }
        result => result,
    }
}

/// Compiles for approximate numbers, with degrees from a list.
pub(super) fn compile_with(
    task: &Task<'_>,
    approximate: &ApproximateConfig,
    wishes: &Wishes,
) -> Result<Compiled, CompileError> {
    let Task { lifted, calibration, seen, judge, config, passes, .. } = task;
    let Shipped { replaced, report: approximation, mut validation, beyond } =
        shipped(task, approximate, wishes)?;
    let Replaced { model: approximated, origins } = replaced;
    let observed = observe(&approximated, calibration, passes)?;
    let inputs: Vec<Tensor> = approximated.inputs().map(|(input, _)| input).collect();
    let range = |tensor: Tensor| match inputs.iter().position(|&input| input == tensor) {
        Some(input) => lifted.ranges[input].1,
        None => observed.ranges[tensor.index()],
    };
    let is_input = |tensor: Tensor| inputs.contains(&tensor);
    let widened = |tensor: Tensor| {
        // Those of inputs have their margin already.
        let margin = if is_input(tensor) { 1.0 } else { config.margin };
        (range(tensor).0 * margin, range(tensor).1 * margin)
    };
    let quantiles = if config.certify { &[][..] } else { &observed.quantiles };
    let precision = match config.precision {
        Some(wish) => wish,
        None => {
            let choose = || Decided(choose_precision(&observed.results, judge));
            passes.run("choose_precision", choose).0
        }
    };
    // Ranges and quantiles are those of all elements of a tensor, whatever their order.
    let plan = |model: &_| {
        let linear = passes.run("linearize", || linearize(model))?;
        let graph = passes.run("normalize", || normalize(model, &linear, &widened));
        let source = Source {
            model,
            range: &range,
            origin: &|tensor| origins[tensor.index()],
            normalization: config.normalization.as_ref(),
            quantizers: &lifted.inputs,
            numbers: Numbers::Approximate { quantiles },
        };
        let problem = Problem::new(&graph, &source, config, objective(config, precision), passes);
        let levels = passes.run("assign_levels", || Decided(assign_levels(&graph))).0;
        let found = passes.decide("search", || search::approximate(&problem, &levels))?;
        Ok(Planned { graph, found, report: levels.into_iter().max().unwrap_or(0) })
    };
    let Planned { graph, found, report: depth } =
        ordered(task, &approximated, Constants::Fold, plan)?;
    let Found { choice, stages, score, candidates, bootstraps, .. } = found;
    let plan = passes.run("record", || record(stages.plan, seen, &observed));
    let before = candidates.first().filter(|_| bootstraps.is_none());
    validation.better = beyond.map(|beyond| better(beyond, depth, before));
    let plan = finished(plan, judge, validation)?;
    Ok(Compiled {
        plan,
        approximated,
        approximation,
        curve: vec![],
        graph,
        packing: choice.packing,
        candidates,
        score,
        bootstraps,
        dropped: vec![],
        integers: None,
        other_scheme: None,
    })
}

/// What the next better choice of degrees would do and cost, from the levels that it takes more than the plan, `depth` levels
/// deep, with these parameters.
fn better(beyond: Beyond, depth: usize, candidate: Option<&Candidate>) -> Better {
    let distances = &beyond.distances;
    let shares = distances.iter().filter_map(|distance| distance.agreement());
    let time = candidate.map_or(beyond.cost, |candidate| {
        let old = depth as f64 + 2.0;
        let more = beyond.levels as f64;
        let scale = match candidate.scheme {
            OfScheme::Ckks { scale, .. } => scale,
            OfScheme::Bfv { .. } => 0.0,
        };
        let is_too_long = candidate.log_qp + more * scale > f64::from(candidate.max_log_qp);
        let longer = ((old + more) / old).powi(2).max(1.0);
        longer * if is_too_long { limits::DOUBLE_RING } else { 1.0 }
    });
    Better {
        degrees: beyond.degrees.iter().map(|&degree| degree as u32).collect(),
        time,
        agreement: shares.map(|share| share.ratio()).reduce(f64::min),
        rms: distances.iter().map(|distance| distance.size().rms).fold(0.0, f64::max),
    }
}
