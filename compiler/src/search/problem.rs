//! What all searches look for: a choice for one network.

use std::cell::RefCell;

use hecc_grammar::plan::Plan;

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::Graph;
use crate::lower::{Choice, Source, lower};
use crate::pack::{PackConfig, Packer, Packing, pack_batch};
use crate::pass::{eliminate_common::eliminate_common, eliminate_dead::eliminate_dead};
use crate::passes::{Made, Passes};

use super::Objective;

/// A network for which parameters are sought.
pub struct Problem<'a> {
    /// The normalized graph, or that of integers.
    pub graph: &'a Graph,
    /// What lowering takes besides.
    pub source: &'a Source<'a>,
    /// User's wishes.
    pub config: &'a Config,
    /// What plans are compared by.
    pub objective: Objective<'a>,
    /// Who watches.
    pub passes: &'a Passes,
    packer: RefCell<Packer>,
}

impl<'a> Problem<'a> {
    /// A problem, nothing known of it yet.
    pub fn new(
        graph: &'a Graph,
        source: &'a Source<'a>,
        config: &'a Config,
        objective: Objective<'a>,
        passes: &'a Passes,
    ) -> Problem<'a> {
        let packer = RefCell::new(Packer::new(graph));
        Problem { graph, source, config, objective, passes, packer }
    }

    /// Layouts and schedules for some parameters.
    pub(super) fn pack(&self, config: PackConfig<'_>) -> Result<Packing, CompileError> {
        self.passes.try_out("pack", || match self.config.batch {
            true => Ok(pack_batch(self.graph, config)),
            false => self.packer.borrow_mut().pack(self.graph, config),
        })
    }

    /// Predicted seconds of every step, for each level up to `top`, with the layouts of a packing.
    pub(super) fn seconds_by_level(
        &self,
        packing: &Packing,
        config: PackConfig<'_>,
        top: usize,
    ) -> Vec<Vec<f64>> {
        self.packer.borrow_mut().seconds_by_level(self.graph, packing, config, top)
    }

    /// The plan of a choice that is compared with others.
    pub(super) fn try_out(&self, choice: &Choice) -> Result<Stages, CompileError> {
        let Problem { graph, source, config, passes, .. } = self;
        let lowered = passes.try_out("lower", || lower(graph, choice, source, &config.costs))?;
        let shared = passes.try_out("eliminate_common", || eliminate_common(&lowered))?;
        let plan = passes.try_out("eliminate_dead", || eliminate_dead(&shared))?;
        Ok(Stages { lowered, shared, plan })
    }
}

/// A plan with what it was before.
pub struct Stages {
    /// As lowered.
    lowered: Plan,
    /// Without what is computed twice.
    shared: Plan,
    /// Without what nothing reads.
    pub plan: Plan,
}

impl Stages {
    /// Tells of the stages of the plan that was chosen.
    pub(crate) fn show(&self, choice: &Choice, passes: &Passes) {
        passes.show("pack", Made::Packing(&choice.packing));
        passes.show("lower", Made::Plan(&self.lowered));
        passes.show("eliminate_common", Made::Plan(&self.shared));
        passes.show("eliminate_dead", Made::Plan(&self.plan));
    }
}
