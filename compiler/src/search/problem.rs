//! What all searches look for: a choice for one network.

use std::cell::RefCell;

use hecc_grammar::cost;
use hecc_grammar::plan::{Plan, TypeError};

use crate::config::Config;
use crate::error::CompileError;
use crate::graph::Graph;
use crate::limits;
use crate::lower::{Choice, Source, lower};
use crate::pack::{PackConfig, Packer, Packing};
use crate::pass::bundle::bundle;
use crate::pass::compose_rotations::compose_rotations;
use crate::pass::eliminate_common::eliminate_common;
use crate::pass::eliminate_dead::eliminate_dead;
use crate::pass::fuse_divisions::fuse_divisions;
use crate::passes::{Decided, Made, Passes};

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
        self.passes.try_out("pack", || self.packer.borrow_mut().pack(self.graph, config))
    }

    /// The same, where no element may have a ciphertext of its own, which would be bootstrapped by itself.
    pub(super) fn pack_together(&self, config: PackConfig<'_>) -> Result<Packing, CompileError> {
        let pack = || self.packer.borrow_mut().pack_together(self.graph, config);
        self.passes.try_out("pack", pack)
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

    /// The plan of a choice that is compared with others; where memory is short, with fewer keys.
    pub(super) fn try_out(&self, choice: &Choice) -> Result<Stages, CompileError> {
        let mut stages = self.lowered(choice)?;
        // Values take more with fewer keys, which shows afterwards.
        for _ in 0..limits::FEWER_KEYS {
            let excess = self.objective.excess(&stages.plan);
            let bytes = cost::stored_key_bytes(&stages.plan).saturating_sub(excess);
            if excess == 0 {
                break;
            }
            let compose = || Decided(compose_rotations(&stages.plan, bytes));
            let Some(plan) = self.passes.try_out("compose_rotations", compose).0? else { break };
            stages.has_all_keys = false;
            stages.advance("compose_rotations", plan);
            stages.run(self.passes, "bundle", bundle)?;
        }
        Ok(stages)
    }

    /// The plan of a choice with a key for every rotation.
    pub(super) fn lowered(&self, choice: &Choice) -> Result<Stages, CompileError> {
        let Problem { graph, source, config, passes, .. } = self;
        let plan = passes.try_out("lower", || lower(graph, choice, source, &config.costs))?;
        let mut stages = Stages { before: vec![], name: "lower", has_all_keys: true, plan };
        stages.run(passes, "eliminate_common", eliminate_common)?;
        stages.run(passes, "eliminate_dead", eliminate_dead)?;
        stages.run(passes, "fuse_divisions", fuse_divisions)?;
        stages.run(passes, "bundle", bundle)?;
        Ok(stages)
    }
}

/// A plan with what it was before.
pub struct Stages {
    /// What passes made of which others made the next, with their names.
    before: Vec<(&'static str, Plan)>,
    /// The last pass.
    name: &'static str,
    /// Whether all rotations have keys of their own.
    pub(super) has_all_keys: bool,
    /// What the last pass made.
    pub plan: Plan,
}

impl Stages {
    /// Runs the next pass.
    fn run(
        &mut self,
        passes: &Passes,
        name: &'static str,
        pass: impl Fn(&Plan) -> Result<Plan, TypeError>,
    ) -> Result<(), CompileError> {
        let plan = passes.try_out(name, || pass(&self.plan))?;
        self.advance(name, plan);
        Ok(())
    }

    fn advance(&mut self, name: &'static str, plan: Plan) {
        let before = std::mem::replace(&mut self.plan, plan);
        self.before.push((std::mem::replace(&mut self.name, name), before));
    }

    /// Tells of the stages of the plan that was chosen.
    pub(crate) fn show(&self, choice: &Choice, passes: &Passes) {
        passes.show("pack", Made::Packing(&choice.packing));
        for (name, plan) in &self.before {
            passes.show(name, Made::Plan(plan));
        }
        passes.show(self.name, Made::Plan(&self.plan));
    }
}
