//! What lowering takes besides the graph: what the network is, and what was chosen for it.

use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Normalization, Quantizer};

use crate::bootstrap::Chain;
use crate::calibrate::Quantiles;
use crate::ladder::Ladder;
use crate::pack::Packing;

/// A network, whatever is chosen for it.
pub struct Source<'a> {
    /// The source model, for names and shapes.
    pub model: &'a Model,
    /// Range of a tensor on the calibration data.
    pub range: &'a dyn Fn(Tensor) -> (f64, f64),
    /// The tensor of the network that was given which a tensor of the model stands for, if there is one.
    pub origin: &'a dyn Fn(Tensor) -> Option<Tensor>,
    /// How images are normalized before they are encrypted.
    pub normalization: Option<&'a Normalization>,
    /// What the client rounds each input by.
    pub quantizers: &'a [Option<Quantizer>],
    /// What slots hold.
    pub numbers: Numbers<'a>,
}

/// What slots hold.
#[derive(Clone, Copy)]
pub enum Numbers<'a> {
    /// Approximate numbers.
    Approximate {
        /// Quantiles of every tensor on the calibration data, see [`crate::calibrate::Stats`]; none if results are to be right for
        /// all inputs in range.
        quantiles: &'a [Vec<Quantiles>],
    },
    /// Integers.
    Integers {
        /// The quantization scale of each element of each step's result.
        scales: &'a [Vec<f64>],
        /// The largest magnitude of results, if any is promised.
        limit: Option<f64>,
    },
}

/// What was chosen for a network.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Ring, primes, and what levels mean.
    pub ladder: Ladder,
    /// Level of each step's result.
    pub levels: Vec<usize>,
    /// Layouts and schedules.
    pub packing: Packing,
    /// How modulus is spent and regained.
    pub method: Method,
}

/// How modulus is spent and regained.
#[derive(Clone, Debug)]
pub enum Method {
    /// CKKS: each level once.
    Leveled,
    /// CKKS: with bootstraps.
    Bootstrapped(Box<Bootstraps>),
    /// BFV.
    Integers(Products),
}

/// Which results are bootstrapped, and how.
#[derive(Clone, Debug)]
pub struct Bootstraps {
    /// Primes and scales; its ladder is the plan's.
    pub chain: Chain,
    /// The level that each step's result is bootstrapped to, if it is.
    pub levels: Vec<Option<usize>>,
}

/// How ciphertexts of integers are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// Scale-invariant, as in BFV.
    ScaleInvariant,
    /// As in BGV.
    Bgv,
}
