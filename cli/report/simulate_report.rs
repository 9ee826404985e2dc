//! The report of `hecc simulate`.

use std::fmt::Write as _;

use hecc_compiler::calibrate::Targets;
use hecc_grammar::plan::{Layer, OutputKind, Plan};
use serde_json::{Value as Json, json};

use crate::measure::comparison::{Comparison, Evaluation};
use crate::measure::error_stats::ErrorStats;
use crate::report::answer::kind_name;
use crate::report::layers;
use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// What was counted, and what of it is there.
pub(crate) struct Report<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// Sums over all inputs.
    pub(crate) comparison: Comparison,
    /// What its outputs are for.
    pub(crate) kinds: &'a [OutputKind],
    /// What is known to be right.
    pub(crate) targets: Option<&'a Targets>,
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
        let mut text =
            format!("{}\n{}", units::count(self.comparison.inputs, "input"), self.summary());
        text += &self.comparison.flags.text(self.comparison.inputs);
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

    /// The evaluations that were made, and their comparison.
    fn ways(&self) -> Vec<(&'static str, &Evaluation)> {
        let clear = self.has_clear.then_some(("plan, exact", &self.comparison.clear));
        let noisy = self.has_noisy.then_some(("plan with noise", &self.comparison.noisy));
        clear.into_iter().chain(noisy).collect()
    }

    fn summary(&self) -> Table {
        let mut heads = vec![("", Align::Left)];
        let decides = self.comparison.decisions > 0;
        match self.targets {
            Some(Targets::Classes(_)) => heads.push(("accuracy", Align::Right)),
            Some(Targets::Values(_)) => {
                heads.extend([("R²", Align::Right), ("RMSE", Align::Right)])
            }
            None => {}
        }
        if decides {
            heads.push(("decides as original", Align::Right));
        }
        heads.extend([("largest output error", Align::Right), ("rms", Align::Right)]);
        let mut table = Table::new(&heads);
        let none = || "-".to_owned();
        if self.has_original {
            let mut row = vec!["original network".to_owned()];
            row.extend(self.quality(&self.comparison.original));
            row.resize_with(heads.len(), none);
            table.row(row);
        }
        for (name, evaluation) in self.ways() {
            let mut row = vec![name.to_owned()];
            row.extend(self.quality(evaluation));
            if decides {
                let share = || units::percent(evaluation.agreeing, self.comparison.decisions);
                row.push(if self.has_original { share() } else { none() });
            }
            row.extend(error_cells(evaluation.output));
            table.row(row);
        }
        table
    }

    /// How right results are, as far as that is known.
    fn quality(&self, evaluation: &Evaluation) -> Vec<String> {
        match self.targets {
            None => vec![],
            Some(Targets::Classes(_)) => {
                vec![units::percent(evaluation.right, self.comparison.inputs)]
            }
            Some(Targets::Values(_)) => {
                let r2 = evaluation.predicted.value();
                let r2 = r2.map_or("-".to_owned(), |r2| format!("{r2:.5}"));
                vec![r2, units::number(evaluation.predicted.rmse())]
            }
        }
    }

    /// As [`Report::quality`], for scripts.
    fn quality_json(&self, evaluation: &Evaluation) -> Json {
        let (mut accuracy, mut r2, mut rmse) = (Json::Null, Json::Null, Json::Null);
        match self.targets {
            None => {}
            Some(Targets::Classes(_)) => {
                accuracy = json!(evaluation.right as f64 / self.comparison.inputs as f64);
            }
            Some(Targets::Values(_)) => {
                (r2, rmse) =
                    (json!(evaluation.predicted.value()), json!(evaluation.predicted.rmse()));
            }
        }
        json!({ "accuracy": accuracy, "r2": r2, "rmse": rmse })
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
            for (_, evaluation) in self.ways() {
                row.extend(error_cells(evaluation.layers.get(i).copied().unwrap_or_default()));
            }
            if self.has_clear && self.has_noisy {
                let bits = self.comparison.noise.get(i).and_then(|noise| noise.bits(layer.range));
                row.push(bits.map_or("-".to_owned(), |bits| format!("{bits:.1} bits")));
            }
            table.row(row);
        }
        table
    }

    /// How many values of a layer left the range that it was calibrated for.
    fn outside(&self, i: usize, layer: &Layer) -> String {
        let elements = layer.shape.iter().product::<usize>() * self.comparison.inputs;
        match self.comparison.outside.get(i) {
            Some(0) => "none".to_owned(),
            Some(&n) => format!("{n} ({})", units::percent(n as usize, elements)),
            None => "-".to_owned(),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Json {
        let way = |is_there: bool, evaluation: &Evaluation| {
            if !is_there {
                return Json::Null;
            }
            let mut json = self.quality_json(evaluation);
            let agreement = evaluation.agreeing as f64 / self.comparison.decisions as f64;
            let is_known = self.has_original && self.comparison.decisions > 0;
            json["agreement"] = is_known.then_some(agreement).into();
            json["output_error"] = evaluation.output.json();
            json
        };
        let original = match self.has_original {
            true => self.quality_json(&self.comparison.original),
            false => Json::Null,
        };
        let error =
            |stats: &[ErrorStats], i: usize| stats.get(i).copied().unwrap_or_default().json();
        let layer = |(i, layer): (usize, &Layer)| {
            json!({
                "name": layer.name,
                "kind": layer.kind,
                "degree": layer.degree,
                "range": [layer.range.0, layer.range.1],
                "outside": self.comparison.outside.get(i),
                "clear_error": error(&self.comparison.clear.layers, i),
                "noisy_error": error(&self.comparison.noisy.layers, i),
                "noise": error(&self.comparison.noise, i),
            })
        };
        json!({
            "inputs": self.comparison.inputs,
            "original": original,
            "kinds": self.kinds.iter().map(|kind| kind_name(*kind)).collect::<Vec<_>>(),
            "unlike_calibration": self.comparison.flags.json(),
            "clear": way(self.has_clear, &self.comparison.clear),
            "noisy": way(self.has_noisy, &self.comparison.noisy),
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
