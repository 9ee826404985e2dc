//! Replaces every activation by a polynomial, one a layer, of the degree that the network needs there.
//!
//! Before: activations. After: polynomials. The degrees minimize the total cost (levels first) while the network's
//! results stay within a budget, by dynamic programming over the layers (OLA, arXiv 2310.10349). What an error costs
//! the network is measured, not modeled: how far results move when one layer alone is replaced, and then with all of
//! them, on inputs that the polynomials were not fitted on. Low degrees stray far outside the range that they were fitted
//! on, which only such inputs show. The degrees chosen are then fitted on both, and inputs that neither saw are left to
//! tell how good that is.

mod choose;
mod goal;
mod sensitivity;

use std::collections::BTreeMap;

use hecc_grammar::model::{Function, Model, Op, Tensor};
use hecc_grammar::plan::OutputKind;

use crate::calibrate::{Calibration, Histogram, Split, histograms};
use crate::error::CompileError;
use crate::graph::polynomial_depth;
use crate::judge::{Distance, Judge, Results, results};
use crate::poly::{Fit, FitConfig, fit, multiplications};
use choose::cheapest;

pub use goal::Goal;

/// How activations are approximated.
#[derive(Clone, Debug, PartialEq)]
pub struct ApproximateConfig {
    /// Degrees considered, ascending.
    pub degrees: Vec<usize>,
    /// Degrees considered where those are not enough, ascending.
    pub more_degrees: Vec<usize>,
    /// The degree of each layer, in order, if nothing is to be chosen.
    pub degree_of_layers: Option<Vec<usize>>,
    /// How a fit treats the range.
    pub fit: FitConfig,
    /// Its floor where the size of errors counts and not only decisions: rare arguments count for more then.
    pub floor_of_values: f64,
    /// What is good enough.
    pub goal: Goal,
    /// One level costs as much as this many products of ciphertexts.
    pub products_per_level: usize,
}

impl ApproximateConfig {
    /// The settings of `hecc compile` without flags; margin and floor as measured on ResNet-20 (docs/design).
    pub fn standard() -> ApproximateConfig {
        ApproximateConfig {
            degrees: vec![2, 3, 5, 7, 11, 15, 23, 31, 63],
            more_degrees: vec![127],
            degree_of_layers: None,
            fit: FitConfig { margin: 1.5, floor: 1e-5 },
            floor_of_values: 3e-3,
            goal: Goal::standard(),
            products_per_level: 6,
        }
    }

    /// Whether degrees are left to be chosen from all that are usual.
    pub fn is_free(&self) -> bool {
        self.degree_of_layers.is_none() && !self.more_degrees.is_empty()
    }

    /// With degrees of half as many levels at most; `None` if there are none.
    pub fn of_half_depth(&self) -> Option<ApproximateConfig> {
        let deepest = self.degrees.iter().map(|&degree| polynomial_depth(degree)).max()?;
        let mut shallower = ApproximateConfig { more_degrees: vec![], ..self.clone() };
        shallower.degrees.retain(|&degree| 2 * polynomial_depth(degree) <= deepest);
        (!shallower.degrees.is_empty()).then_some(shallower)
    }
}

/// One degree considered for a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The degree.
    pub degree: usize,
    /// Cost, in products of ciphertexts.
    pub cost: usize,
    /// What replacing this layer alone costs, as a part of the goal's budget.
    pub loss: f64,
    /// The fit.
    pub fit: Fit,
}

/// What was decided for one activation.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerReport {
    /// The ONNX node.
    pub node: String,
    /// Its function.
    pub function: Function,
    /// Index of the chosen one in `choices`.
    pub chosen: usize,
    /// All degrees considered.
    pub choices: Vec<Choice>,
}

/// What was decided for all activations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApproximateReport {
    /// Layers, in order.
    pub layers: Vec<LayerReport>,
    /// What all of them cost together, as a part of the goal's budget.
    pub loss: f64,
    /// Number of inputs that degrees were chosen by.
    pub n_inputs: usize,
}

impl ApproximateReport {
    /// The layer that polynomials fit worst, the best one of each.
    pub fn worst_layer(&self) -> Option<&LayerReport> {
        let least = |layer: &LayerReport| {
            layer.choices.iter().map(|choice| choice.loss).fold(f64::INFINITY, f64::min)
        };
        self.layers.iter().max_by(|a, b| least(a).total_cmp(&least(b)))
    }
}

/// An activation: its result, its operand, its function.
pub(crate) type Layer = (Tensor, Tensor, Function);

type Histograms = BTreeMap<Tensor, Histogram>;

/// Each try's budget is this part of the one before.
const CUT: f64 = 0.25;

/// A budget that nothing meets is raised to these multiples of the least that is possible.
const NEAR_LEAST: [f64; 2] = [1.25, 1.02];

/// A choice whose loss is at most this multiple of the best is as good: the last digits are not worth any cost.
const NEAR_BEST: f64 = 1.25;

/// A better choice costs at most this part of the loss of another.
const BETTER: f64 = 0.9;

/// Times that the budget is cut.
const MAX_TRIES: usize = 8;

/// Degrees for a model's activations, from the cheapest ones that seem good enough to the best.
pub struct DegreeSearch<'a> {
    model: &'a Model,
    split: &'a Split,
    judge: &'a Judge,
    config: &'a ApproximateConfig,
    layers: Vec<Layer>,
    /// What polynomials are fitted to before they are chosen, and afterwards.
    fitted: Histograms,
    kept: Histograms,
    /// Results of the model on the inputs that degrees are chosen by.
    expected: Vec<Results>,
    choices: Vec<Vec<Choice>>,
    /// Degrees that may still be added.
    more: Vec<usize>,
    budget: f64,
    n_tries: usize,
    best: Option<Try>,
}

/// Some choice of degrees, with all layers replaced.
#[derive(Clone, Debug)]
struct Try {
    chosen: Vec<usize>,
    loss: f64,
    distances: Vec<Distance>,
    is_enough: bool,
}

/// A model with polynomials.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The model.
    pub model: Model,
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

impl<'a> DegreeSearch<'a> {
    /// Measures what each layer needs. Polynomials are tame on the ranges of the model's tensors, which are those over all
    /// inputs that are not held out, whatever part of them they are fitted to.
    pub fn new(
        (model, ranges): (&'a Model, &[(f64, f64)]),
        split: &'a Split,
        judge: &'a Judge,
        config: &'a ApproximateConfig,
    ) -> Result<DegreeSearch<'a>, CompileError> {
        let seen = |of: &Calibration| {
            histograms(model, of, ranges).map_err(|e| CompileError::Calibration(e.to_string()))
        };
        let mut search = DegreeSearch {
            model,
            split,
            judge,
            config,
            layers: model.tensors().filter_map(activation).collect(),
            fitted: seen(&split.fitted)?,
            kept: seen(&split.kept)?,
            expected: results(model, &split.chosen.inputs)?,
            choices: vec![],
            more: config.more_degrees.clone(),
            budget: 1.0,
            n_tries: 0,
            best: None,
        };
        let n_layers = search.layers.len();
        search.choices = vec![vec![]; n_layers];
        let considered = match &config.degree_of_layers {
            None => vec![config.degrees.clone(); n_layers],
            Some(list) if list.len() == n_layers => {
                list.iter().map(|&degree| vec![degree]).collect()
            }
            Some(list) => {
                return Err(CompileError::Approximation(format!(
                    "{} degrees are given, the network has {n_layers} activations",
                    list.len()
                )));
            }
        };
        if config.degree_of_layers.is_some() {
            search.more.clear();
        }
        search.consider(&considered)?;
        Ok(search)
    }

    /// The cheapest model that seems good enough, then better ones; the best one there is if none is good enough. `None` if
    /// there is no better one than those before.
    pub fn try_next(&mut self) -> Result<Option<Attempt>, CompileError> {
        if self.layers.is_empty() {
            let is_first = self.n_tries == 0;
            self.n_tries = 1;
            let report = ApproximateReport::default();
            return Ok(is_first.then(|| Attempt { model: self.model.clone(), report }));
        }
        let mut improved = false;
        while let Some(found) = self.step()? {
            if self.best.as_ref().is_none_or(|best| found.loss < BETTER * best.loss) {
                (improved, self.best) = (true, Some(found));
            }
            if improved && self.best.as_ref().is_some_and(|best| best.is_enough) {
                break;
            }
        }
        match &self.best {
            Some(best) if improved => Ok(Some(self.attempt(best))),
            Some(_) | None => Ok(None),
        }
    }

    /// What the next better choice of degrees would do.
    pub fn beyond(&mut self, report: &ApproximateReport) -> Result<Option<Beyond>, CompileError> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        // More degrees would take long to measure.
        self.more.clear();
        while let Some(found) = self.step()? {
            if found.loss >= BETTER * report.loss {
                continue;
            }
            let layers = self.choices.iter().zip(&found.chosen);
            let new: Vec<&Choice> = layers.map(|(choices, &i)| &choices[i]).collect();
            let old = report.layers.iter().map(|layer| &layer.choices[layer.chosen]);
            let old: Vec<&Choice> = old.collect();
            let sum = |of: &dyn Fn(&Choice) -> usize, choices: &[&Choice]| -> usize {
                choices.iter().map(|choice| of(choice)).sum()
            };
            let depth = |choice: &Choice| polynomial_depth(choice.degree);
            let cost = |choice: &Choice| choice.cost;
            return Ok(Some(Beyond {
                degrees: new.iter().map(|choice| choice.degree).collect(),
                levels: sum(&depth, &new).saturating_sub(sum(&depth, &old)),
                cost: sum(&cost, &new) as f64 / sum(&cost, &old).max(1) as f64,
                distances: found.distances,
            }));
        }
        Ok(None)
    }

    /// Tries the cheapest degrees within the budget, and cuts it. `None` if there is nothing left to try.
    fn step(&mut self) -> Result<Option<Try>, CompileError> {
        if self.n_tries >= MAX_TRIES {
            return Ok(None);
        }
        let (mut chosen, mut least) = cheapest(&self.choices, self.budget);
        if least > self.budget && !self.more.is_empty() {
            let more = vec![std::mem::take(&mut self.more); self.layers.len()];
            self.consider(&more)?;
            (chosen, least) = cheapest(&self.choices, self.budget);
        }
        if least > self.budget {
            // There is nothing behind this.
            self.n_tries = MAX_TRIES;
            return self.best_of_the_rest(least).map(Some);
        }
        self.budget *= CUT;
        self.n_tries += 1;
        self.attempted(chosen).map(Some)
    }

    /// The cheapest of the best choices where no budget can be kept to: then what layers cost one by one says little of what
    /// they cost together, so that many choices are tried.
    fn best_of_the_rest(&self, least: f64) -> Result<Try, CompileError> {
        let n_degrees = self.choices.first().map_or(0, Vec::len);
        let alike = (0..n_degrees).map(|i| vec![i; self.choices.len()]);
        let cheap = NEAR_LEAST.map(|factor| cheapest(&self.choices, least * factor).0);
        let tries: Vec<Try> =
            alike.chain(cheap).map(|chosen| self.attempted(chosen)).collect::<Result<_, _>>()?;
        let best = tries.iter().map(|found| found.loss).fold(f64::INFINITY, f64::min);
        let cost = |found: &Try| -> usize {
            self.choices.iter().zip(&found.chosen).map(|(choices, &i)| choices[i].cost).sum()
        };
        let near = tries.into_iter().filter(|found| found.loss <= NEAR_BEST * best);
        Ok(near.min_by_key(cost).expect("one of them is the best"))
    }

    /// What a choice does to the results.
    fn attempted(&self, chosen: Vec<usize>) -> Result<Try, CompileError> {
        let found = results(&self.replaced(&chosen, None), &self.split.chosen.inputs)?;
        let distances = self.judge.compare_all(&self.expected, &found);
        let (goal, kinds) = (&self.config.goal, &self.judge.kinds);
        let (loss, is_enough) = (goal.loss(kinds, &distances), goal.is_met(kinds, &distances));
        Ok(Try { chosen, loss, distances, is_enough })
    }

    /// Adds degrees to what is considered for each layer.
    fn consider(&mut self, degrees: &[Vec<usize>]) -> Result<(), CompileError> {
        let fits: Vec<Vec<Fit>> = self
            .layers
            .iter()
            .zip(degrees)
            .map(|(layer, list)| list.iter().map(|&d| self.fit(&self.fitted, layer, d)).collect())
            .collect();
        let goal = |distances: &[Distance]| self.config.goal.loss(&self.judge.kinds, distances);
        let (model, chosen) = (self.model, &self.split.chosen);
        let distances = sensitivity::measure(model, &self.layers, &fits, chosen, self.judge)?;
        for ((choices, fits), distances) in self.choices.iter_mut().zip(fits).zip(distances) {
            for (fit, distances) in fits.into_iter().zip(distances) {
                let degree = fit.polynomial.coefficients.len() - 1;
                let products = multiplications(&fit.polynomial.coefficients);
                let cost = self.config.products_per_level * polynomial_depth(degree) + products;
                choices.push(Choice { degree, cost, loss: goal(&distances), fit });
            }
        }
        Ok(())
    }

    fn fit(&self, seen: &Histograms, &(_, x, function): &Layer, degree: usize) -> Fit {
        let decides = self.judge.kinds.iter().any(|kind| *kind != OutputKind::Values);
        let mut config = self.config.fit;
        if !decides || self.config.goal.max_error.is_some() {
            config.floor = config.floor.max(self.config.floor_of_values);
        }
        fit(|v| function.eval(v), &seen[&x], degree, config)
    }

    /// The model with polynomials fitted on all inputs that are not held out.
    fn attempt(&self, best: &Try) -> Attempt {
        let refit = |(layer, (choices, &i)): (&Layer, (&Vec<Choice>, &usize))| {
            self.fit(&self.kept, layer, choices[i].degree)
        };
        let chosen = self.choices.iter().zip(&best.chosen);
        let fits: Vec<Fit> = self.layers.iter().zip(chosen).map(refit).collect();
        let model = self.replaced(&best.chosen, Some(&fits));
        let report = |((&(tensor, _, function), fit), (choices, &chosen)): (
            (&Layer, Fit),
            (&Vec<Choice>, &usize),
        )| {
            let mut choices = choices.clone();
            choices[chosen].fit = fit;
            LayerReport { node: self.model.node(tensor).name.clone(), function, chosen, choices }
        };
        let chosen = self.choices.iter().zip(&best.chosen);
        let layers = self.layers.iter().zip(fits).zip(chosen).map(report).collect();
        let report = ApproximateReport { layers, loss: best.loss, n_inputs: self.expected.len() };
        Attempt { model, report }
    }

    /// The model with the chosen polynomials, or with other fits of theirs.
    fn replaced(&self, chosen: &[usize], fits: Option<&[Fit]>) -> Model {
        let mut model = self.model.clone();
        for (k, &(tensor, x, _)) in self.layers.iter().enumerate() {
            let fit = fits.map_or(&self.choices[k][chosen[k]].fit, |fits| &fits[k]);
            model.nodes[tensor.index()].op =
                Op::Polynomial { x, polynomial: fit.polynomial.clone() };
        }
        model
    }
}

fn activation((tensor, node): (Tensor, &hecc_grammar::model::Node)) -> Option<Layer> {
    if let Op::Activation { x, function } = &node.op { Some((tensor, *x, *function)) } else { None }
}
