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
mod degree_search;
mod goal;
mod minimax;
mod outcome;
mod replaced;
mod sensitivity;
mod sequential;
mod tune;

use std::str::FromStr;

use hecc_grammar::model::Function;

use crate::poly::polynomial_depth;
use crate::poly::{Fit, FitConfig, Variable};

pub use degree_search::{DegreeSearch, Observed};
pub use goal::Goal;
pub use minimax::{MinimaxReport, minimax};
pub use outcome::{Attempt, Beyond, Tried};
pub use replaced::Replaced;
pub use sequential::LayerFit;

/// The period of sines, arguments in [−1, 1]: all of these, with their margin, are told apart.
pub const SINE_RATIO: f64 = 4.0;

/// Higher degrees gain nothing any more where channels have polynomials in sines of their own.
const MOST_DEGREE_IN_SINES: usize = 15;

/// The margin of arguments whose sines polynomials are in: what is beyond folds back.
pub const SINE_MARGIN: f64 = 1.2;

/// How activations become polynomials: each way from the second on adds to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipe {
    /// Rectifiers are products with a sign, which is a composition of minimax polynomials: what hecc is compared with.
    Minimax,
    /// A polynomial for each layer is fitted where its arguments fall, of the same degree for all.
    Uniform,
    /// Degrees of their own for layers, by their measured effect (OLA).
    Layerwise,
    /// Polynomials of their own for channels.
    Channels,
    /// They are fitted one layer after the other, to what the layers before make of the inputs.
    Sequential,
    /// Their coefficients are tuned all together.
    Tuned,
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(name: &str) -> Result<Recipe, String> {
        match name {
            "minimax" => Ok(Recipe::Minimax),
            "uniform" => Ok(Recipe::Uniform),
            "layerwise" => Ok(Recipe::Layerwise),
            "channels" => Ok(Recipe::Channels),
            "sequential" => Ok(Recipe::Sequential),
            "tuned" => Ok(Recipe::Tuned),
            _ => {
                Err("expected minimax, uniform, layerwise, channels, sequential or tuned"
                    .to_owned())
            }
        }
    }
}

/// How activations are approximated.
#[derive(Clone, Debug, PartialEq)]
pub struct ApproximateConfig {
    /// How they become polynomials; what follows is for those that are fitted.
    pub recipe: Recipe,
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
            recipe: Recipe::Tuned,
            degrees: vec![2, 3, 5, 7, 11, 15, 23, 31, 63],
            more_degrees: vec![127],
            degree_of_layers: None,
            fit: FitConfig { margin: 1.5, floor: 1e-5, variable: Variable::Argument },
            floor_of_values: 3e-3,
            goal: Goal::standard(),
            products_per_level: 6,
        }
    }

    /// Whether degrees are left to be chosen from all that are usual.
    pub fn is_free(&self) -> bool {
        let is_fitted = self.recipe != Recipe::Minimax;
        is_fitted && self.degree_of_layers.is_none() && !self.more_degrees.is_empty()
    }

    /// With polynomials in the sines that bootstraps leave of their arguments.
    pub fn through_sines(&self) -> ApproximateConfig {
        let variable = Variable::Sine(SINE_RATIO);
        let fit = FitConfig { variable, margin: SINE_MARGIN, ..self.fit };
        let mut config = ApproximateConfig { fit, ..self.clone() };
        // A level more than a few would cost every bootstrap; but what was asked for is tried.
        let is_low = |degree: &usize| *degree <= MOST_DEGREE_IN_SINES;
        if config.degrees.iter().any(is_low) {
            config.degrees.retain(is_low);
            config.more_degrees.retain(is_low);
        }
        config
    }

    /// Whether coefficients are tuned: where polynomials are in sines, so that no argument is beyond what they were fitted on.
    fn tunes(&self) -> bool {
        self.recipe == Recipe::Tuned && matches!(self.fit.variable, Variable::Sine(_))
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
pub struct DegreeOption {
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
    pub choices: Vec<DegreeOption>,
    /// The polynomials that are shipped.
    pub shipped: LayerFit,
}

/// What tuning did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneReport {
    /// The loss before.
    pub before: f64,
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
    /// Whether coefficients were tuned.
    pub tuned: Option<TuneReport>,
    /// All choices of degrees that were judged with all layers replaced.
    pub tried: Vec<Tried>,
    /// How rectifiers were replaced where nothing was fitted.
    pub minimax: Option<MinimaxReport>,
}

impl ApproximateReport {
    /// The degrees chosen, layer by layer.
    pub fn degrees(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.choices[layer.chosen].degree).collect()
    }

    /// Whether all of them together are as good as was asked for.
    pub fn is_good_enough(&self) -> bool {
        self.loss <= goal::SLACK
    }

    /// The layer that polynomials fit worst, the best one of each.
    pub fn worst_layer(&self) -> Option<&LayerReport> {
        let least = |layer: &LayerReport| {
            layer.choices.iter().filter_map(|choice| choice.loss).fold(f64::INFINITY, f64::min)
        };
        self.layers.iter().max_by(|a, b| least(a).total_cmp(&least(b)))
    }
}
