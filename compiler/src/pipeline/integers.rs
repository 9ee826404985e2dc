//! The passes over integers, in order.

use hecc_grammar::model::{Model, Tensor};

use super::order::{Planned, ordered};
use super::{Compiled, Task, finished, objective, observe};
use crate::analysis::widths::{Width, widths};
use crate::config::Config;
use crate::error::CompileError;
use crate::limits;
use crate::lower::{Numbers, Source};
use crate::pass::approximate::ApproximateReport;
use crate::pass::integers::{Integers, integers};
use crate::pass::record::record;
use crate::pass::remove_dead::Constants;
use crate::passes::{Decided, Made};
use crate::search::{self, Candidate, FoundIntegers, Problem};

/// What was decided for a network over integers.
#[derive(Clone, Debug)]
pub struct IntegerReport {
    /// Bits of every step's integers.
    pub widths: Vec<Width>,
    /// Bits that the product of the plaintext primes must have.
    pub required: f64,
    /// Whether that is for every input in range.
    pub certified: bool,
    /// Sums of elements whose scales have no integer ratio, with the relative error of rounding it.
    pub approximations: Vec<(String, f64)>,
    /// How many bits fewer would make the plan notably cheaper, and with which parameters.
    pub worth_training_away: Option<(u32, Candidate)>,
}

/// Compiles for exact integers.
pub(super) fn compile_bfv(task: &Task<'_>) -> Result<Compiled, CompileError> {
    let Task { lifted, calibration, seen, judge, held_out, config, passes, .. } = task;
    let validation = passes.decide("validate", || held_out.validate(&lifted.model))?;
    if let Some(why) = config.wishes.unmet(&validation, None) {
        return Err(CompileError::Quantization(why));
    }
    let computed = observe(&lifted.model, calibration, passes)?;
    let range = |tensor: Tensor| lifted.range(&computed.ranges, tensor);
    // Ranges are those of all elements of a tensor, whatever their order.
    let plan = |model: &Model| {
        let integers = passes.decide("integers", || integers(model, &lifted.inputs))?;
        passes.show("linearize", Made::Graph(&integers.graph));
        let of_steps = || Decided(widths(&integers, &lifted.inputs, &range));
        let widths = passes.run("widths", of_steps).0;
        let room = Room::of(&integers, &widths, config);
        let source = Source {
            model,
            range: &range,
            origin: &Some,
            normalization: config.normalization.as_ref(),
            quantizers: &lifted.inputs,
            numbers: Numbers::Integers { scales: &integers.scales, limit: room.limit },
        };
        let objective = objective(config, f64::INFINITY);
        let problem = Problem::new(&integers.graph, &source, config, objective, passes);
        let found = passes.decide("search", || search::integers(&problem, room.required))?;
        let FoundIntegers { found, worth_training_away } = found;
        let report = IntegerReport {
            widths,
            required: room.required,
            certified: room.is_certified,
            approximations: integers.approximations,
            worth_training_away,
        };
        Ok(Planned { graph: integers.graph, found, report })
    };
    let Planned { graph, found, report, .. } = ordered(task, &lifted.model, Constants::Keep, plan)?;
    let mut plan = passes.run("record", || record(found.stages.plan, seen, &computed));
    for (output, step) in plan.outputs.iter_mut().zip(&graph.outputs) {
        output.magnitude = Some(report.widths[step.node.0].magnitude());
    }
    Ok(Compiled {
        plan: finished(plan, judge, validation)?,
        approximated: lifted.model.clone(),
        approximation: ApproximateReport::default(),
        curve: vec![],
        graph,
        packing: found.choice.packing,
        candidates: found.candidates,
        score: found.score,
        bootstraps: None,
        dropped: vec![],
        integers: Some(report),
        other_scheme: None,
    })
}

/// How large results may be.
struct Room {
    /// Bits that the product of the plaintext primes must have.
    required: f64,
    /// Whether that is for every input in range.
    is_certified: bool,
    /// The largest magnitude of results, if any is promised.
    limit: Option<f64>,
}

impl Room {
    fn of(integers: &Integers, widths: &[Width], config: &Config) -> Room {
        let outputs = || integers.graph.outputs.iter().map(|output| &widths[output.node.0]);
        let calibrated = outputs().map(|width| width.calibrated).fold(0.0, f64::max);
        let certified = outputs().map(|width| width.certified).fold(0.0, f64::max);
        let checked = if config.check_wrap { limits::CHECK_BITS } else { 0.0 };
        let wanted = calibrated + config.margin_bits + checked;
        let is_certified = config.certify || wanted >= certified;
        // Beyond the calibrated range there is room for a quarter of the margin: the rest tells overflow from results.
        let limit = (calibrated - 1.0 + config.margin_bits / 4.0).exp2();
        Room {
            required: if is_certified { certified } else { wanted },
            is_certified,
            limit: (!is_certified).then_some(limit),
        }
    }
}
