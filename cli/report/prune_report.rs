//! What `hecc prune` prints.

use hecc_compiler::prune::{Pruned, PrunedLayer};
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Sheet, Table};
use crate::terminal::units;

/// What a plan takes.
#[derive(Clone, Copy)]
pub(crate) struct PlanSize {
    /// Plaintexts that weights take.
    pub(crate) n_plaintexts: usize,
    /// Predicted for one core.
    pub(crate) seconds: f64,
    /// Of evaluation keys.
    pub(crate) key_bytes: u64,
    /// Of keys and values in a run.
    pub(crate) run_bytes: u64,
}

/// A pruned network, with its plan before and after.
pub(crate) struct PruneReport<'a> {
    pub(crate) pruned: &'a Pruned,
    pub(crate) before: PlanSize,
    pub(crate) after: PlanSize,
    /// Those of `hecc compile` that make the plan after.
    pub(crate) options: String,
}

impl PruneReport<'_> {
    pub(crate) fn text(&self) -> String {
        let PruneReport { pruned, before, after, options } = self;
        let mut sheet = Sheet::default();
        sheet.line(
            "plaintexts",
            format!(
                "{} of {} are left, {}",
                units::grouped(after.n_plaintexts as u64),
                units::grouped(before.n_plaintexts as u64),
                units::percent(after.n_plaintexts, before.n_plaintexts)
            ),
        );
        sheet.line(
            "time of a run",
            format!(
                "about {} on one core, {} before",
                units::seconds(after.seconds),
                units::seconds(before.seconds)
            ),
        );
        sheet.line(
            "memory of a run",
            format!("{}, {} before", units::bytes(after.run_bytes), units::bytes(before.run_bytes)),
        );
        sheet.line(
            "evaluation keys",
            format!("{}, {} before", units::bytes(after.key_bytes), units::bytes(before.key_bytes)),
        );
        if let Some(share) = pruned.agreement {
            sheet.line(
                "agreement",
                format!(
                    "{} of {} decisions on held-out inputs are the original network's",
                    units::percent(share.count as usize, share.of as usize),
                    share.of
                ),
            );
        }
        sheet.line(
            "error",
            format!("rms {} of the spread of results on held-out inputs", part(pruned.error)),
        );
        if !options.is_empty() {
            sheet.line("compile it with", options.clone());
        }
        if !pruned.left.is_empty() {
            sheet.line("left alone", pruned.left.join(", "));
        }
        format!("{sheet}\n{}", table(&pruned.layers))
    }

    pub(crate) fn json(&self) -> Json {
        let size = |size: &PlanSize| {
            json!({
                "plaintexts": size.n_plaintexts,
                "seconds": size.seconds,
                "key_bytes": size.key_bytes,
                "run_bytes": size.run_bytes,
            })
        };
        let layer = |layer: &PrunedLayer| {
            json!({
                "name": layer.name,
                "plaintexts_before": layer.n_plaintexts.0,
                "plaintexts": layer.n_plaintexts.1,
                "error_without_refit": layer.errors.map(|errors| errors.masked),
                "error": layer.errors.map(|errors| errors.fitted),
            })
        };
        let agreement = self.pruned.agreement;
        json!({
            "before": size(&self.before),
            "after": size(&self.after),
            "agreement": agreement.map(|share| json!({ "count": share.count, "of": share.of })),
            "rms_error": self.pruned.error,
            "options": self.options,
            "left_alone": self.pruned.left,
            "layers": self.pruned.layers.iter().map(layer).collect::<Vec<_>>(),
        })
    }
}

fn table(layers: &[PrunedLayer]) -> Table {
    let mut table = Table::new(&[
        ("layer", Align::Left),
        ("plaintexts", Align::Right),
        ("left", Align::Right),
        ("error", Align::Right),
        ("after the fit", Align::Right),
    ]);
    for PrunedLayer { name, n_plaintexts: (all, left), errors, .. } in layers {
        table.row(vec![
            name.clone(),
            units::grouped(*all as u64),
            units::percent(*left, *all),
            errors.map_or("-".to_owned(), |errors| part(errors.masked)),
            errors.map_or("-".to_owned(), |errors| part(errors.fitted)),
        ]);
    }
    table
}

fn part(x: f64) -> String {
    format!("{:.1} %", 100.0 * x)
}
