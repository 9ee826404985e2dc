//! What an output says of one input: a class if it is for classes, else numbers.

use hecc_grammar::plan::{ClientOp, Output, OutputKind, class_names, class_of};
use ndarray::ArrayD;
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// What an output says.
pub(crate) enum Answer {
    /// A class.
    Class(usize),
    /// Numbers of which one is the largest, which may be a class or not.
    Largest(usize),
    /// Numbers.
    Numbers,
}

/// One output for one input.
pub(crate) struct Answered<'a> {
    /// The output.
    pub(crate) output: &'a Output,
    /// The numbers that decisions are made by.
    pub(crate) decided: &'a ArrayD<f64>,
    /// Its numbers before what the client applies.
    pub(crate) raw: &'a ArrayD<f64>,
    /// Its numbers after what the client applies; the same if that is left out.
    pub(crate) applied: &'a ArrayD<f64>,
}

/// What an output is for, in a word.
pub(crate) fn kind_name(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Values => "values",
        OutputKind::Classes { .. } => "classes",
        OutputKind::Scores { .. } => "scores",
        OutputKind::Threshold { .. } => "threshold",
    }
}

impl Answered<'_> {
    /// What it says.
    pub(crate) fn answer(&self) -> Answer {
        let class = || class_of(self.output.kind, &self.output.client, self.decided);
        match self.output.kind {
            OutputKind::Values => Answer::Numbers,
            OutputKind::Classes { .. } | OutputKind::Threshold { .. } => {
                class().map_or(Answer::Numbers, Answer::Class)
            }
            OutputKind::Scores { .. } => class().map_or(Answer::Numbers, Answer::Largest),
        }
    }

    /// For people, with the `top` best elements of a row of scores.
    pub(crate) fn text(&self, top: usize) -> String {
        match self.answer() {
            Answer::Class(class) => match self.row() {
                Some(row) => format!("class {}\n{}", self.name(class), self.table(&row, top)),
                None => format!("class {}: {}", self.name(class), numbers(self.applied)),
            },
            Answer::Largest(element) => {
                let row = self.row().unwrap_or_default();
                format!("largest {element}\n{}", self.table(&row, top))
            }
            Answer::Numbers => numbers(self.applied),
        }
    }

    /// For scripts.
    pub(crate) fn json(&self, top: usize) -> Json {
        let (class, largest) = match self.answer() {
            Answer::Class(class) => (Some(class), None),
            Answer::Largest(element) => (None, Some(element)),
            Answer::Numbers => (None, None),
        };
        let name = class.and_then(|class| self.given_name(class));
        let row = class.and_then(|_| self.row());
        let best = row.map(|row| {
            let best = row.into_iter().take(top);
            best.map(|(class, score)| json!({ "class": class, "score": score })).collect::<Vec<_>>()
        });
        json!({
            "name": self.output.name,
            "kind": kind_name(self.output.kind),
            "class": class,
            "class_name": name,
            "largest": largest,
            "top": best,
            "shape": self.applied.shape(),
            "values": self.applied.iter().collect::<Vec<_>>(),
            "scores": self.raw.iter().collect::<Vec<_>>(),
        })
    }

    /// Numbers and scores of a row from the best on, if there are several.
    fn row(&self) -> Option<Vec<(usize, f64)>> {
        let mut row: Vec<(usize, (&f64, &f64))> =
            self.decided.iter().zip(self.raw).enumerate().collect();
        row.sort_by(|(_, (a, _)), (_, (b, _))| b.total_cmp(a));
        let row: Vec<(usize, f64)> =
            row.into_iter().map(|(element, (_, score))| (element, *score)).collect();
        (row.len() > 1).then_some(row)
    }

    fn given_name(&self, class: usize) -> Option<&str> {
        class_names(&self.output.client)?.get(class).map(String::as_str)
    }

    fn name(&self, class: usize) -> String {
        self.given_name(class).map_or_else(|| class.to_string(), str::to_owned)
    }

    fn table(&self, row: &[(usize, f64)], top: usize) -> Table {
        let head = match self.output.kind {
            OutputKind::Scores { .. } => "element",
            OutputKind::Values | OutputKind::Classes { .. } | OutputKind::Threshold { .. } => {
                "class"
            }
        };
        let applied: Vec<f64> = self.applied.iter().copied().collect();
        let applied_name = applied_name(self.output).filter(|_| self.applied != self.raw);
        let mut heads = vec![(head, Align::Right), ("score", Align::Right)];
        heads.extend(applied_name.map(|name| (name, Align::Right)));
        let mut table = Table::new(&heads);
        for &(element, score) in row.iter().take(top) {
            let mut cells = vec![self.name(element), format!("{score:.4}")];
            cells.extend(applied_name.map(|_| format!("{:.4}", applied[element])));
            table.row(cells);
        }
        table
    }
}

/// What the client makes of scores, if it keeps one number for each class.
fn applied_name(output: &Output) -> Option<&'static str> {
    let steps = output.client.iter().filter(|op| !matches!(op, ClientOp::Classes { .. }));
    match steps.collect::<Vec<_>>()[..] {
        [ClientOp::Softmax { .. }] => Some("probability"),
        [ClientOp::LogSoftmax { .. }] => Some("log-probability"),
        _ => None,
    }
}

/// A few numbers in full, many in summary.
fn numbers(array: &ArrayD<f64>) -> String {
    if array.len() <= 16 {
        let list: Vec<String> = array.iter().map(|&x| units::number(x)).collect();
        return format!("{}\n", list.join(" "));
    }
    let (lo, hi) = array
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &x| (lo.min(x), hi.max(x)));
    format!(
        "shape {:?}, from {} to {}, mean {} (-o y.npy writes all)\n",
        array.shape(),
        units::number(lo),
        units::number(hi),
        units::number(array.sum() / array.len() as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn text(kind: OutputKind, client: Vec<ClientOp>, raw: ArrayD<f64>) -> String {
        let output = Output {
            name: "y".to_owned(),
            shape: raw.shape().to_vec(),
            factor: 1.0,
            element_scales: vec![],
            limit: None,
            magnitude: None,
            slots: vec![],
            client,
            kind,
            seen: hecc_grammar::plan::Profile::default(),
        };
        let applied = hecc_grammar::model::apply_client_ops(&output.client, raw.clone());
        Answered { output: &output, decided: &raw, raw: &raw, applied: &applied }.text(2)
    }

    #[test]
    fn classes_are_named_for_classifiers_only() {
        let scores = || array![[0.5, 2.0, -1.0]].into_dyn();
        let names = || ClientOp::Classes { names: ["cat", "dog", "cow"].map(str::to_owned).into() };
        let classes = OutputKind::Classes { axis: 1 };
        assert!(text(classes, vec![], scores()).starts_with("class 1\n"));
        let named = text(classes, vec![ClientOp::Softmax { axis: 1 }, names()], scores());
        assert!(named.starts_with("class dog\n") && named.contains("cat"), "{named}");
        assert!(named.contains("probability") && !named.contains("cow"), "{named}");
        let unsure = text(OutputKind::Scores { axis: 1 }, vec![], scores());
        assert!(unsure.starts_with("largest 1\nelement"), "{unsure}");
        assert_eq!(text(OutputKind::Values, vec![], scores()), "0.5 2 -1\n");
        let yes = text(OutputKind::Threshold { at: 0.5 }, vec![], array![[0.75]].into_dyn());
        assert_eq!(yes, "class 1: 0.75\n");
    }
}
