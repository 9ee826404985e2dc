//! `--emit` and `--timings`: passes watched while they run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hecc_compiler::passes::{Made, Pass, Passes};
use serde_json::{Value as Json, json};

use super::args::Stage;
use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// What was seen of passes.
#[derive(Default)]
pub(super) struct Watch {
    /// The text of the stage that is asked for, if it was made.
    text: Option<String>,
    /// Names in the order in which passes ran first.
    names: Vec<&'static str>,
    timings: BTreeMap<&'static str, Timing>,
}

/// Of all runs of a pass.
#[derive(Clone, Copy, Default)]
struct Timing {
    runs: usize,
    trials: usize,
    elapsed: Duration,
}

impl Watch {
    /// Passes whose stage `emit` is kept as text, and all times.
    pub(super) fn passes(emit: Option<Stage>) -> (Passes, Rc<RefCell<Watch>>) {
        let watch = Rc::new(RefCell::new(Watch::default()));
        let seen = watch.clone();
        (Passes::observed(move |pass| seen.borrow_mut().see(emit, &pass)), watch)
    }

    fn see(&mut self, emit: Option<Stage>, pass: &Pass<'_>) {
        if !self.timings.contains_key(pass.name) {
            self.names.push(pass.name);
        }
        let timing = self.timings.entry(pass.name).or_default();
        timing.runs += 1;
        timing.trials += usize::from(pass.is_trial);
        timing.elapsed += pass.elapsed;
        if !pass.is_trial && emit.is_some_and(|stage| stage.is_of(pass)) {
            self.text = Some(pass.made.to_string());
        }
    }

    /// The text of the stage that was asked for.
    pub(super) fn text(&mut self) -> Option<String> {
        self.text.take()
    }

    /// The times for people.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("pass", Align::Left),
            ("runs", Align::Right),
            ("of them trials", Align::Right),
            ("time", Align::Right),
        ]);
        for (name, timing) in self.rows() {
            let (runs, trials) = (timing.runs.to_string(), timing.trials.to_string());
            let time = units::seconds(timing.elapsed.as_secs_f64());
            table.row(vec![name.to_owned(), runs, trials, time]);
        }
        table
    }

    /// The times for scripts.
    pub(super) fn json(&self) -> Json {
        let row = |(name, timing): (&str, &Timing)| {
            let seconds = timing.elapsed.as_secs_f64();
            json!({ "pass": name, "runs": timing.runs, "trials": timing.trials, "seconds": seconds })
        };
        self.rows().map(row).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, &Timing)> {
        self.names.iter().map(|name| (*name, &self.timings[name]))
    }
}

impl Stage {
    /// Whether it is what a pass made.
    fn is_of(self, pass: &Pass<'_>) -> bool {
        match self {
            Stage::Model | Stage::Plan => false,
            Stage::Graph => matches!(pass.made, Made::Graph(_)),
            Stage::Quantize => pass.name == "quantize",
            Stage::LiftQuantizers => pass.name == "lift_quantizers",
            Stage::Approximate => pass.name == "approximate",
            Stage::Permute => pass.name == "permute",
            Stage::Linearize => pass.name == "linearize",
            Stage::Pack => pass.name == "pack",
            Stage::Lower => pass.name == "lower",
            Stage::EliminateCommon => pass.name == "eliminate_common",
            Stage::EliminateDead => pass.name == "eliminate_dead",
            Stage::FuseDivisions => pass.name == "fuse_divisions",
        }
    }
}
