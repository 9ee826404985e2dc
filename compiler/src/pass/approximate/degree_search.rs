//! Looks for degrees: attempts from the cheapest on, each judged with all layers replaced.

use std::collections::{BTreeMap, VecDeque};

use hecc_grammar::model::{Function, Model, Node, Op, Tensor};
use hecc_grammar::plan::OutputKind;

use super::alike::highest_by_depth;
use super::channels::are_many;
use super::replaced::replaced;
use super::sequential::{fit_each, fit_in_sequence};
use super::tune::Tuning;
use super::{ApproximateConfig, Attempt, DegreeOption, Goal, LayerFit, Recipe, Tried, sensitivity};
use crate::calibrate::{Calibration, Split, histograms};
use crate::error::CompileError;
use crate::histogram::Histogram;
use crate::judge::{Distance, Judge, Results, results};
use crate::passes::Passes;
use crate::poly::polynomial_depth;
use crate::poly::{self, Coefficients, Fit, FitConfig, fit, multiplications};

/// An activation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    /// Its result.
    pub(super) tensor: Tensor,
    /// Its operand.
    pub(super) x: Tensor,
    pub(super) function: Function,
    /// Whether each channel has a polynomial of its own.
    pub(super) by_channel: bool,
}

type Histograms = BTreeMap<Tensor, Histogram>;

/// A better choice costs at most this part of the loss of another.
pub(super) const BETTER: f64 = 0.9;

/// A model with what was seen of it.
#[derive(Clone, Copy)]
pub struct Observed<'a> {
    /// The model.
    pub model: &'a Model,
    /// The ranges of its tensors over all inputs that are not held out: polynomials are tame on these, whatever part of the
    /// inputs they are fitted to.
    pub ranges: &'a [(f64, f64)],
    /// The inputs.
    pub split: &'a Split,
    /// The model's results on the inputs that degrees are chosen by.
    pub expected: &'a [Results],
    /// What its results are compared by.
    pub judge: &'a Judge,
    /// Who is told how far it is.
    pub passes: &'a Passes,
}

/// Degrees for a model's activations, from the cheapest ones that seem good enough to the best.
pub struct DegreeSearch<'a> {
    pub(super) model: &'a Model,
    pub(super) split: &'a Split,
    judge: &'a Judge,
    passes: &'a Passes,
    config: &'a ApproximateConfig,
    goal: Goal,
    pub(super) layers: Vec<Layer>,
    /// What polynomials are fitted to before they are chosen, and afterwards.
    fitted: Histograms,
    pub(super) kept: Histograms,
    /// Results of the model on the inputs that degrees are chosen by.
    pub(super) expected: &'a [Results],
    pub(super) choices: Vec<Vec<DegreeOption>>,
    pub(super) order: Order,
    best: Option<Try>,
    pub(super) tried: Vec<Tried>,
    /// Tunes coefficients, if that is wanted and possible, so many times.
    tuning: Option<Tuning<'a>>,
    tunings_left: usize,
}

/// Times that coefficients are tuned at most: a minute each.
const MOST_TUNINGS: usize = 2;

/// What is tried after what.
#[derive(Clone, Debug)]
pub(super) enum Order {
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
    /// Nothing is left.
    Done,
}

/// Some choice of degrees, with all layers replaced.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) chosen: Vec<usize>,
    pub(super) loss: f64,
    pub(super) distances: Vec<Distance>,
    pub(super) is_enough: bool,
    /// Tuned polynomials, and the loss before.
    pub(super) tuned: Option<(Vec<LayerFit>, f64)>,
}

impl<'a> DegreeSearch<'a> {
    /// Measures what each layer needs.
    ///
    /// # Errors
    /// If the model cannot compute the inputs, or a layer has no polynomial.
    pub fn new(
        observed: Observed<'a>,
        config: &'a ApproximateConfig,
    ) -> Result<DegreeSearch<'a>, CompileError> {
        let Observed { model, ranges, split, expected, judge, passes } = observed;
        let seen = |of: &Calibration| {
            histograms(model, of, ranges).map_err(|e| CompileError::Calibration(e.to_string()))
        };
        let mut layers = layers(model, &split.fitted);
        let has_channels = layers.iter().any(|layer| layer.by_channel);
        if config.recipe < Recipe::Channels {
            layers.iter_mut().for_each(|layer| layer.by_channel = false);
        }
        let tunes = has_channels && config.tunes();
        let fitted = seen(&split.fitted)?;
        // Few inputs are all in the first part.
        let kept = match split.fitted.len(model) == split.rows.kept.len() {
            true => fitted.clone(),
            false => both(&fitted, &seen(&split.chosen)?),
        };
        let mut search = DegreeSearch {
            model,
            split,
            judge,
            passes,
            config,
            goal: config.goal.for_layers(if has_channels { layers.len() } else { 0 }),
            layers,
            kept,
            fitted,
            expected,
            choices: vec![],
            order: Order::Given,
            best: None,
            tried: vec![],
            tuning: None,
            tunings_left: MOST_TUNINGS,
        };
        if tunes {
            search.tuning = Tuning::new(model, &search.layers, judge);
        }
        let in_sequence = has_channels && config.recipe >= Recipe::Sequential;
        let n_layers = search.layers.len();
        search.choices = vec![vec![]; n_layers];
        let considered = match &config.degree_of_layers {
            None if n_layers > 0 && (in_sequence || config.recipe == Recipe::Uniform) => {
                let degrees = highest_by_depth(config);
                search.order = Order::Alike { degrees, mixes: in_sequence };
                return Ok(search);
            }
            None if n_layers > 0 => {
                search.order = Order::by_budget(config.more_degrees.clone());
                vec![config.degrees.clone(); n_layers]
            }
            None => vec![],
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
    ///
    /// # Errors
    /// If a model cannot compute the inputs.
    pub fn try_next(&mut self) -> Result<Option<Attempt>, CompileError> {
        let mut improved = false;
        while let Some(found) = self.step()? {
            if self.best.as_ref().is_none_or(|best| found.loss < BETTER * best.loss) {
                (improved, self.best) = (true, Some(found));
            }
            if improved && self.best.as_ref().is_some_and(|best| best.is_enough) {
                break;
            }
        }
        match self.best.take() {
            Some(best) if improved => {
                // What is enough is not worth a minute more.
                let best = if best.is_enough { best } else { self.tuned(best)? };
                let attempt = self.attempt(&best);
                self.best = Some(best);
                attempt.map(Some)
            }
            best => {
                self.best = best;
                Ok(None)
            }
        }
    }

    /// Tries the next choice of degrees. `None` if there is nothing left to try.
    pub(super) fn step(&mut self) -> Result<Option<Try>, CompileError> {
        match self.order {
            Order::Given => {
                self.order = Order::Done;
                self.attempted(vec![0; self.layers.len()]).map(Some)
            }
            Order::Alike { .. } => self.step_alike(),
            Order::ByBudget { .. } => self.step_by_budget(),
            Order::Done => Ok(None),
        }
    }

    /// What a choice does to the results.
    pub(super) fn attempted(&mut self, chosen: Vec<usize>) -> Result<Try, CompileError> {
        let choices = self.choices.iter().zip(&chosen);
        let ones = choices.map(|(choices, &i)| choices[i].fit.clone()).collect();
        let fits = self.fit_all(ones, &self.split.fitted)?;
        self.judged(chosen, &fits, false)
    }

    /// What polynomials of these degrees do to the results.
    fn judged(
        &mut self,
        chosen: Vec<usize>,
        fits: &[LayerFit],
        is_tuned: bool,
    ) -> Result<Try, CompileError> {
        let model = replaced(self.model, &self.layers, fits).model;
        let found = results(&model, &self.split.chosen.inputs)?;
        let distances = self.judge.compare_all(self.expected, &found);
        let (goal, kinds) = (&self.goal, &self.judge.kinds);
        let (loss, is_enough) = (goal.loss(kinds, &distances), goal.is_met(kinds, &distances));
        let choices = self.choices.iter().zip(&chosen).map(|(choices, &i)| &choices[i]);
        self.tried.push(Tried {
            degrees: choices.clone().map(|choice| choice.degree).collect(),
            cost: choices.map(|choice| choice.cost).sum(),
            loss,
            is_tuned,
        });
        Ok(Try { chosen, loss, distances, is_enough, tuned: None })
    }

    /// The same degrees with tuned coefficients, if that is better. They are tuned on what polynomials are fitted to before they are
    /// chosen, so that the other inputs tell whether it is.
    pub(super) fn tuned(&mut self, found: Try) -> Result<Try, CompileError> {
        let Some(tuning) = self.tuning.as_ref().filter(|_| self.tunings_left > 0) else {
            return Ok(found);
        };
        if found.tuned.is_some() {
            return Ok(found);
        }
        self.tunings_left -= 1;
        let choices = self.choices.iter().zip(&found.chosen);
        let ones = choices.map(|(choices, &i)| choices[i].fit.clone()).collect();
        let fits = self.fit_all(ones, &self.split.fitted)?;
        let fits = tuning.tuned(&fits, &self.split.fitted, self.passes);
        let tuned = self.judged(found.chosen.clone(), &fits, true)?;
        let is_better = tuned.loss < found.loss;
        Ok(if is_better { Try { tuned: Some((fits, found.loss)), ..tuned } } else { found })
    }

    /// Adds degrees to what is considered for each layer, and measures what each costs alone.
    pub(super) fn consider(&mut self, degrees: &[Vec<usize>]) -> Result<(), CompileError> {
        let first = self.choices.first().map_or(0, Vec::len);
        self.add(degrees);
        self.measure(first)
    }

    /// Adds degrees to what is considered for each layer.
    pub(super) fn add(&mut self, degrees: &[Vec<usize>]) {
        for (k, degrees) in degrees.iter().enumerate() {
            for &degree in degrees {
                let fit = self.fit(&self.fitted, &self.layers[k], degree);
                let products = multiplications(&Coefficients::one(&fit.polynomial.coefficients));
                let cost = self.config.products_per_level * polynomial_depth(degree) + products;
                self.choices[k].push(DegreeOption { degree, cost, loss: None, fit });
            }
        }
    }

    /// Measures what the choices from number `first` on cost alone.
    pub(super) fn measure(&mut self, first: usize) -> Result<(), CompileError> {
        let (model, layers) = (self.model, &self.layers);
        let of_layer = |choices: &Vec<DegreeOption>| -> Vec<Fit> {
            choices[first..].iter().map(|choice| choice.fit.clone()).collect()
        };
        let ones: Vec<Vec<Fit>> = self.choices.iter().map(of_layer).collect();
        let fits = fit_each(model, layers, ones, &self.split.fitted, self.least_floor())
            .map_err(|error| CompileError::Calibration(error.to_string()))?;
        let distances = sensitivity::measure(model, layers, &fits, &self.split.chosen, self.judge)?;
        let goal = |distances: &[Distance]| self.goal.loss(&self.judge.kinds, distances);
        for (choices, distances) in self.choices.iter_mut().zip(distances) {
            for (choice, distances) in choices[first..].iter_mut().zip(distances) {
                choice.loss = Some(goal(&distances));
            }
        }
        Ok(())
    }

    pub(super) fn fit(&self, seen: &Histograms, layer: &Layer, degree: usize) -> Fit {
        let given = self.config.fit;
        let config = FitConfig { floor: given.floor.max(self.least_floor()), ..given };
        let f = |v| layer.function.eval(v);
        fit(f, &poly::Observed::of(&seen[&layer.x], f), degree, config)
    }

    /// The least floor of fits: where the size of errors counts rare arguments do as well.
    fn least_floor(&self) -> f64 {
        let decides = self.judge.kinds.iter().any(|kind| *kind != OutputKind::Values);
        let counts = !decides || self.goal.max_error.is_some();
        if counts { self.config.floor_of_values } else { 0.0 }
    }

    /// The polynomials of all layers together, given one for each.
    pub(super) fn fit_all(
        &self,
        ones: Vec<Fit>,
        inputs: &Calibration,
    ) -> Result<Vec<LayerFit>, CompileError> {
        let floor = self.least_floor();
        let (model, layers) = (self.model, &self.layers);
        let fits = match self.config.recipe >= Recipe::Sequential {
            true => fit_in_sequence(model, layers, ones, inputs, floor),
            false => {
                let each = ones.into_iter().map(|one| vec![one]).collect();
                fit_each(model, layers, each, inputs, floor).map(|fits| fits.concat())
            }
        };
        fits.map_err(|error| CompileError::Calibration(error.to_string()))
    }
}

/// What was seen of two parts.
fn both(a: &Histograms, b: &Histograms) -> Histograms {
    let mut sum = a.clone();
    sum.values_mut().zip(b.values()).for_each(|(a, b)| a.merge(b));
    sum
}

/// The activations of a model, and which of them have polynomials for channels: that is decided by the inputs that degrees are
/// compared on, once for all that are fitted.
fn layers(model: &Model, fitted: &Calibration) -> Vec<Layer> {
    let n = fitted.n_in_lockstep(model);
    let layer = |(tensor, node): (Tensor, &Node)| {
        let Op::Activation { x, function } = node.op else { return None };
        Some(Layer { tensor, x, function, by_channel: are_many(model.shape(x), n) })
    };
    model.tensors().filter_map(layer).collect()
}
