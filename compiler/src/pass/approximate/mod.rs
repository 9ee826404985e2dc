//! Replaces every activation by a polynomial, one a layer, of the degree that the network needs there.
//!
//! Before: activations. After: polynomials. The degrees minimize the total cost (levels first) while the network's
//! results stay within a budget, by dynamic programming over the layers (OLA, arXiv 2310.10349). What an error costs
//! the network is measured, not modeled: how far results move when one layer alone is replaced, and then with all of
//! them, on inputs that the polynomials were not fitted on. Low degrees stray far outside the range that they were fitted
//! on, which only such inputs show. The degrees chosen are then fitted on both, and inputs that neither saw are left to
//! tell how good that is.

mod alike;
mod by_budget;
mod channels;
mod choose;
mod goal;
mod replaced;
mod sensitivity;
mod sequential;

use std::collections::{BTreeMap, VecDeque};

use hecc_grammar::model::{Function, Model, Op, Tensor};
use hecc_grammar::plan::OutputKind;

use crate::calibrate::{Calibration, Histogram, Split, histograms};
use crate::error::CompileError;
use crate::graph::polynomial_depth;
use crate::judge::{Distance, Judge, Results, results};
use crate::poly::{Coefficients, Fit, FitConfig, Observed, fit, multiplications};
use alike::highest_by_depth;

pub use goal::Goal;
pub use replaced::Replaced;
use replaced::replaced;
pub use sequential::LayerFit;
use sequential::{fit_each, fit_in_sequence, has_channels};

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
    /// What replacing this layer alone costs, as a part of the goal's budget, if that was measured.
    pub loss: Option<f64>,
    /// One polynomial for all elements, which layers are compared by.
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
    /// The polynomials that are shipped.
    pub shipped: LayerFit,
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
            layer.choices.iter().filter_map(|choice| choice.loss).fold(f64::INFINITY, f64::min)
        };
        self.layers.iter().max_by(|a, b| least(a).total_cmp(&least(b)))
    }
}

/// An activation: its result, its operand, its function.
pub(crate) type Layer = (Tensor, Tensor, Function);

type Histograms = BTreeMap<Tensor, Histogram>;

/// A better choice costs at most this part of the loss of another.
const BETTER: f64 = 0.9;

/// Degrees for a model's activations, from the cheapest ones that seem good enough to the best.
pub struct DegreeSearch<'a> {
    model: &'a Model,
    split: &'a Split,
    judge: &'a Judge,
    config: &'a ApproximateConfig,
    goal: Goal,
    layers: Vec<Layer>,
    /// Whether channels have polynomials of their own.
    has_channels: bool,
    /// What polynomials are fitted to before they are chosen, and afterwards.
    fitted: Histograms,
    kept: Histograms,
    /// Results of the model on the inputs that degrees are chosen by.
    expected: Vec<Results>,
    choices: Vec<Vec<Choice>>,
    order: Order,
    best: Option<Try>,
}

/// What is tried after what.
#[derive(Clone, Debug)]
enum Order {
    /// The only choice there is.
    Given,
    /// The same degree for all layers, from the lowest on, and mixtures of the first that is enough with the one before.
    Alike {
        /// Degrees to come.
        degrees: VecDeque<usize>,
        /// Whether mixtures are tried.
        mixes: bool,
    },
    /// The cheapest choices within a budget that is cut after every try.
    ByBudget {
        /// The budget of the next try.
        budget: f64,
        /// Degrees that may still be added.
        more: Vec<usize>,
        /// Tries that are left.
        left: usize,
    },
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
        let layers: Vec<Layer> = model.tensors().filter_map(activation).collect();
        let has_channels = has_channels(model, &layers, &split.fitted);
        let mut search = DegreeSearch {
            model,
            split,
            judge,
            config,
            goal: config.goal.for_layers(if has_channels { layers.len() } else { 0 }),
            layers,
            has_channels,
            fitted: seen(&split.fitted)?,
            kept: seen(&split.kept)?,
            expected: results(model, &split.chosen.inputs)?,
            choices: vec![],
            order: Order::Given,
            best: None,
        };
        let n_layers = search.layers.len();
        search.choices = vec![vec![]; n_layers];
        let considered = match &config.degree_of_layers {
            None if has_channels => {
                search.order = Order::Alike { degrees: highest_by_depth(config), mixes: true };
                return Ok(search);
            }
            None => {
                search.order = Order::by_budget(config.more_degrees.clone());
                vec![config.degrees.clone(); n_layers]
            }
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
        search.consider(&considered)?;
        Ok(search)
    }

    /// The cheapest model that seems good enough, then better ones; the best one there is if none is good enough. `None` if
    /// there is no better one than those before.
    pub fn try_next(&mut self) -> Result<Option<Attempt>, CompileError> {
        if self.layers.is_empty() {
            let is_first = !matches!(self.order, Order::Given);
            self.order = Order::Given;
            let report = ApproximateReport::default();
            return Ok(is_first
                .then(|| Attempt { replaced: Replaced::nothing(self.model.clone()), report }));
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
            Some(best) if improved => self.attempt(best).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// What the next better choice of degrees would do.
    pub fn beyond(&mut self, report: &ApproximateReport) -> Result<Option<Beyond>, CompileError> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        // More would take long.
        match &mut self.order {
            Order::ByBudget { more, .. } => more.clear(),
            Order::Alike { mixes, .. } => *mixes = false,
            Order::Given => {}
        }
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

    /// Tries the next choice of degrees. `None` if there is nothing left to try.
    fn step(&mut self) -> Result<Option<Try>, CompileError> {
        match self.order {
            Order::Given => {
                self.order = Order::Alike { degrees: VecDeque::new(), mixes: false };
                self.attempted(vec![0; self.layers.len()]).map(Some)
            }
            Order::Alike { .. } => self.step_alike(),
            Order::ByBudget { .. } => self.step_by_budget(),
        }
    }

    /// What a choice does to the results.
    fn attempted(&self, chosen: Vec<usize>) -> Result<Try, CompileError> {
        let choices = self.choices.iter().zip(&chosen);
        let ones = choices.map(|(choices, &i)| choices[i].fit.clone()).collect();
        let fits = self.fit_all(ones, &self.split.fitted)?;
        let model = replaced(self.model, &self.layers, &fits).model;
        let found = results(&model, &self.split.chosen.inputs)?;
        let distances = self.judge.compare_all(&self.expected, &found);
        let (goal, kinds) = (&self.goal, &self.judge.kinds);
        let (loss, is_enough) = (goal.loss(kinds, &distances), goal.is_met(kinds, &distances));
        Ok(Try { chosen, loss, distances, is_enough })
    }

    /// Adds degrees to what is considered for each layer, and measures what each costs alone.
    fn consider(&mut self, degrees: &[Vec<usize>]) -> Result<(), CompileError> {
        let first = self.choices.first().map_or(0, Vec::len);
        self.add(degrees);
        self.measure(first)
    }

    /// Adds degrees to what is considered for each layer.
    fn add(&mut self, degrees: &[Vec<usize>]) {
        for (k, degrees) in degrees.iter().enumerate() {
            for &degree in degrees {
                let fit = self.fit(&self.fitted, &self.layers[k], degree);
                let products = multiplications(&Coefficients::one(&fit.polynomial.coefficients));
                let cost = self.config.products_per_level * polynomial_depth(degree) + products;
                self.choices[k].push(Choice { degree, cost, loss: None, fit });
            }
        }
    }

    /// Measures what the choices from number `first` on cost alone.
    fn measure(&mut self, first: usize) -> Result<(), CompileError> {
        let (model, layers) = (self.model, &self.layers);
        let of_layer = |choices: &Vec<Choice>| -> Vec<Fit> {
            choices[first..].iter().map(|choice| choice.fit.clone()).collect()
        };
        let ones: Vec<Vec<Fit>> = self.choices.iter().map(of_layer).collect();
        let fits = match self.has_channels {
            true => fit_each(model, layers, ones, &self.split.fitted)
                .map_err(|error| CompileError::Calibration(error.to_string()))?,
            false => {
                let alike = |ones: Vec<Fit>| ones.into_iter().map(LayerFit::One).collect();
                ones.into_iter().map(alike).collect()
            }
        };
        let distances = sensitivity::measure(model, layers, &fits, &self.split.chosen, self.judge)?;
        let goal = |distances: &[Distance]| self.goal.loss(&self.judge.kinds, distances);
        for (choices, distances) in self.choices.iter_mut().zip(distances) {
            for (choice, distances) in choices[first..].iter_mut().zip(distances) {
                choice.loss = Some(goal(&distances));
            }
        }
        Ok(())
    }

    fn fit(&self, seen: &Histograms, &(_, x, function): &Layer, degree: usize) -> Fit {
        let decides = self.judge.kinds.iter().any(|kind| *kind != OutputKind::Values);
        let mut config = self.config.fit;
        if !decides || self.goal.max_error.is_some() {
            config.floor = config.floor.max(self.config.floor_of_values);
        }
        let f = |v| function.eval(v);
        fit(f, &Observed::of(&seen[&x], f), degree, config)
    }

    /// The polynomials of all layers together, given one for each.
    fn fit_all(&self, ones: Vec<Fit>, inputs: &Calibration) -> Result<Vec<LayerFit>, CompileError> {
        if !self.has_channels {
            return Ok(ones.into_iter().map(LayerFit::One).collect());
        }
        let fits = fit_in_sequence(self.model, &self.layers, ones, inputs);
        fits.map_err(|error| CompileError::Calibration(error.to_string()))
    }

    /// The model with polynomials fitted on all inputs that are not held out.
    fn attempt(&self, best: &Try) -> Result<Attempt, CompileError> {
        let refit = |(layer, (choices, &i)): (&Layer, (&Vec<Choice>, &usize))| {
            self.fit(&self.kept, layer, choices[i].degree)
        };
        let chosen = self.choices.iter().zip(&best.chosen);
        let ones = self.layers.iter().zip(chosen.clone()).map(refit).collect();
        let fits = self.fit_all(ones, &self.split.kept)?;
        let replaced = replaced(self.model, &self.layers, &fits);
        let report = |((&(tensor, _, function), shipped), (choices, &chosen))| LayerReport {
            node: self.model.node(tensor).name.clone(),
            function,
            chosen,
            choices: Vec::clone(choices),
            shipped,
        };
        let layers = self.layers.iter().zip(fits).zip(chosen).map(report).collect();
        let report = ApproximateReport { layers, loss: best.loss, n_inputs: self.expected.len() };
        Ok(Attempt { replaced, report })
    }
}

fn activation((tensor, node): (Tensor, &hecc_grammar::model::Node)) -> Option<Layer> {
    if let Op::Activation { x, function } = &node.op { Some((tensor, *x, *function)) } else { None }
}
