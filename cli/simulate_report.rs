//! The report of `hecc simulate`.

use std::fmt::Write as _;

use hecc_grammar::plan::{Layer, Plan};
use serde_json::{Value as Json, json};

use crate::error_stats::ErrorStats;
use crate::layers;
use crate::table::{Align, Table};
use crate::tally::{Counts, Tally};
use crate::units;

/// What was counted, and what of it is there.
pub(crate) struct Report<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// Sums over all inputs.
    pub(crate) counts: Counts,
    /// The right classes are known.
    pub(crate) has_labels: bool,
    /// The original network is known.
    pub(crate) has_original: bool,
    /// The plan was evaluated exactly.
    pub(crate) has_clear: bool,
    /// The plan was evaluated with noise.
    pub(crate) has_noisy: bool,
}

impl Report<'_> {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n{}", units::count(self.counts.inputs, "input"), self.summary());
        text += &self.counts.flags.text(self.counts.inputs);
        if !self.has_original {
            text += "The plan does not hold its original network: there is nothing to compare layers with.\n";
        }
        let _ = write!(
            text,
            "\nErrors of layers: largest and root mean square (rms), against the original network; noise is what \
             encryption alone adds, in bits below the range.\n{}",
            self.layer_table()
        );
        text
    }

    fn has_classes(&self) -> bool {
        self.plan.outputs.first().is_some_and(|output| output.shape.iter().product::<usize>() > 1)
    }

    /// The evaluations that were made, and their counts.
    fn ways(&self) -> Vec<(&'static str, &Tally)> {
        let clear = self.has_clear.then_some(("plan, exact", &self.counts.clear));
        let noisy = self.has_noisy.then_some(("plan with noise", &self.counts.noisy));
        clear.into_iter().chain(noisy).collect()
    }

    fn summary(&self) -> Table {
        let n = self.counts.inputs;
        let share = |is_known: bool, part: usize| {
            if is_known && self.has_classes() { units::percent(part, n) } else { "-".to_owned() }
        };
        let mut table = Table::new(&[
            ("", Align::Left),
            ("accuracy", Align::Right),
            ("same class as original", Align::Right),
            ("largest output error", Align::Right),
            ("rms", Align::Right),
        ]);
        if self.has_original {
            let accuracy = share(self.has_labels, self.counts.original_right);
            table.row(vec![
                "original network".to_owned(),
                accuracy,
                "-".into(),
                "-".into(),
                "-".into(),
            ]);
        }
        for (name, tally) in self.ways() {
            let mut row = vec![name.to_owned(), share(self.has_labels, tally.right)];
            row.push(share(self.has_original, tally.agreeing));
            row.extend(error_cells(tally.output));
            table.row(row);
        }
        table
    }

    fn layer_table(&self) -> Table {
        let mut heads = vec![
            ("layer (ONNX nodes)", Align::Left),
            ("kind", Align::Left),
            ("degree", Align::Right),
            ("range", Align::Left),
            ("outside", Align::Right),
        ];
        if self.has_clear {
            heads.extend([("exact: largest", Align::Right), ("rms", Align::Right)]);
        }
        if self.has_noisy {
            heads.extend([("with noise: largest", Align::Right), ("rms", Align::Right)]);
        }
        if self.has_clear && self.has_noisy {
            heads.push(("noise", Align::Right));
        }
        let mut table = Table::new(&heads);
        for (i, layer) in self.plan.layers.iter().enumerate() {
            let mut row = vec![
                layer.name.clone(),
                layer.kind.clone(),
                layer.degree.to_string(),
                layers::range(layer.range),
                self.outside(i, layer),
            ];
            for (_, tally) in self.ways() {
                row.extend(error_cells(tally.layers.get(i).copied().unwrap_or_default()));
            }
            if self.has_clear && self.has_noisy {
                let bits = self.counts.noise.get(i).and_then(|noise| noise.bits(layer.range));
                row.push(bits.map_or("-".to_owned(), |bits| format!("{bits:.1} bits")));
            }
            table.row(row);
        }
        table
    }

    /// How many values of a layer left the range that it was calibrated for.
    fn outside(&self, i: usize, layer: &Layer) -> String {
        let elements = layer.shape.iter().product::<usize>() * self.counts.inputs;
        match self.counts.outside.get(i) {
            Some(0) => "none".to_owned(),
            Some(&n) => format!("{n} ({})", units::percent(n as usize, elements)),
            None => "-".to_owned(),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        let n = self.counts.inputs as f64;
        let share = |is_known: bool, part: usize| {
            if is_known && self.has_classes() { json!(part as f64 / n) } else { Json::Null }
        };
        let way = |is_there: bool, tally: &Tally| {
            if !is_there {
                return Json::Null;
            }
            json!({
                "accuracy": share(self.has_labels, tally.right),
                "agreement": share(self.has_original, tally.agreeing),
                "output_error": tally.output.json(),
            })
        };
        let error =
            |stats: &[ErrorStats], i: usize| stats.get(i).copied().unwrap_or_default().json();
        let layer = |(i, layer): (usize, &Layer)| {
            json!({
                "name": layer.name,
                "kind": layer.kind,
                "degree": layer.degree,
                "range": [layer.range.0, layer.range.1],
                "outside": self.counts.outside.get(i),
                "clear_error": error(&self.counts.clear.layers, i),
                "noisy_error": error(&self.counts.noisy.layers, i),
                "noise": error(&self.counts.noise, i),
            })
        };
        json!({
            "inputs": self.counts.inputs,
            "original": {
                "accuracy": share(self.has_labels && self.has_original, self.counts.original_right),
            },
            "unlike_calibration": self.counts.flags.json(),
            "clear": way(self.has_clear, &self.counts.clear),
            "noisy": way(self.has_noisy, &self.counts.noisy),
            "layers": self.plan.layers.iter().enumerate().map(layer).collect::<Vec<_>>(),
        })
    }
}

fn error_cells(error: ErrorStats) -> [String; 2] {
    match error.count {
        0 => ["-".to_owned(), "-".to_owned()],
        _ => [units::number(error.max), units::number(error.rms())],
    }
}
