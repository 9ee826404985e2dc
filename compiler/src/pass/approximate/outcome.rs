//! What comes of a search for degrees: models, and what is told of them.

use super::degree_search::{BETTER, DegreeSearch, Layer, Order, Try};
use super::replaced::replaced;
use super::{ApproximateReport, DegreeOption, LayerReport, Replaced, TuneReport};
use crate::error::CompileError;
use crate::judge::Distance;
use crate::poly::polynomial_depth;

/// A choice of degrees that was judged, for the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The degrees.
    pub degrees: Vec<usize>,
    /// Cost, in products of ciphertexts.
    pub cost: usize,
    /// Loss with all layers replaced.
    pub loss: f64,
    /// Whether coefficients were tuned.
    pub is_tuned: bool,
}

/// A model with polynomials.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The model.
    pub replaced: Replaced,
    /// Its degrees.
    pub report: ApproximateReport,
}

/// A choice of degrees beyond another.
#[derive(Clone, Debug)]
pub struct Beyond {
    /// The degrees.
    pub degrees: Vec<usize>,
    /// How far results are, on the inputs that degrees are chosen by.
    pub distances: Vec<Distance>,
    /// Levels and cost more than the other's.
    pub levels: usize,
    /// Cost as a multiple of the other's.
    pub cost: f64,
}

impl DegreeSearch<'_> {
    /// All choices that were judged.
    pub fn tried(self) -> Vec<Tried> {
        self.tried
    }

    /// What the next better choice of degrees would do.
    ///
    /// # Errors
    /// If its model cannot compute the inputs.
    pub fn beyond(&mut self, report: &ApproximateReport) -> Result<Option<Beyond>, CompileError> {
        // More would take long.
        match &mut self.order {
            Order::ByBudget { more, .. } => more.clear(),
            Order::Alike { mixes, .. } => *mixes = false,
            Order::Given | Order::Done => {}
        }
        while let Some(found) = self.step()? {
            if found.loss >= BETTER * report.loss {
                continue;
            }
            let layers = self.choices.iter().zip(&found.chosen);
            let new: Vec<&DegreeOption> = layers.map(|(choices, &i)| &choices[i]).collect();
            let old = report.layers.iter().map(|layer| &layer.choices[layer.chosen]);
            let old: Vec<&DegreeOption> = old.collect();
            let sum = |of: &dyn Fn(&DegreeOption) -> usize, choices: &[&DegreeOption]| -> usize {
                choices.iter().map(|choice| of(choice)).sum()
            };
            let depth = |choice: &DegreeOption| polynomial_depth(choice.degree);
            let cost = |choice: &DegreeOption| choice.cost;
            return Ok(Some(Beyond {
                degrees: new.iter().map(|choice| choice.degree).collect(),
                levels: sum(&depth, &new).saturating_sub(sum(&depth, &old)),
                cost: sum(&cost, &new) as f64 / sum(&cost, &old).max(1) as f64,
                distances: found.distances,
            }));
        }
        Ok(None)
    }

    /// The model with polynomials fitted on all inputs that are not held out, or with tuned ones.
    pub(super) fn attempt(&self, best: &Try) -> Result<Attempt, CompileError> {
        let refit = |(layer, (choices, &i)): (&Layer, (&Vec<DegreeOption>, &usize))| {
            self.fit(&self.kept, layer, choices[i].degree)
        };
        let chosen = self.choices.iter().zip(&best.chosen);
        let ones = self.layers.iter().zip(chosen.clone()).map(refit).collect();
        let fits = match &best.tuned {
            Some((fits, _)) => fits.clone(),
            None => self.fit_all(ones, &self.split.kept)?,
        };
        let replaced = replaced(self.model, &self.layers, &fits);
        let report =
            |((layer, shipped), (choices, &chosen)): ((&Layer, _), (_, &usize))| LayerReport {
                node: self.model.node(layer.tensor).name.clone(),
                function: layer.function,
                chosen,
                choices: Vec::clone(choices),
                shipped,
            };
        let layers = self.layers.iter().zip(fits).zip(chosen).map(report).collect();
        let n_inputs = self.expected.len();
        let tuned = best.tuned.as_ref().map(|&(_, before)| TuneReport { before });
        let (loss, tried, minimax) = (best.loss, vec![], None);
        let report = ApproximateReport { layers, loss, n_inputs, tuned, tried, minimax };
        Ok(Attempt { replaced, report })
    }
}
