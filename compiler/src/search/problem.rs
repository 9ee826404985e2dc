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
    pub(super) fn try_out(&self, choice: &Choice) -> Result<Plan, CompileError> {
        let Problem { graph, source, config, passes, .. } = self;
        let plan = passes.try_out("lower", || lower(graph, choice, source, &config.costs))?;
        let plan = passes.try_out("eliminate_common", || eliminate_common(&plan))?;
        Ok(passes.try_out("eliminate_dead", || eliminate_dead(&plan))?)
    }

    /// The plan of the choice that was made.
    ///
    /// # Errors
    /// If a pass makes an instruction that has no type, a fault of the compiler.
    pub fn build(&self, choice: &Choice) -> Result<Plan, CompileError> {
        let Problem { graph, source, config, passes, .. } = self;
        passes.show("pack", Made::Packing(&choice.packing));
        let plan = passes.run("lower", || lower(graph, choice, source, &config.costs))?;
        let plan = passes.run("eliminate_common", || eliminate_common(&plan))?;
        Ok(passes.run("eliminate_dead", || eliminate_dead(&plan))?)
    }
}
