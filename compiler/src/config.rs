//! What the user may ask of a compilation.

use crate::layout::{Batch, Tiles};
use hecc_grammar::cost::Costs;
use hecc_grammar::plan::Normalization;
use hecc_grammar::security::Security;

use crate::judge::OutputWish;
use crate::pass::approximate::ApproximateConfig;
use crate::pass::quantize::QuantizeBits;
use crate::permute;

/// Wishes for a compilation; passed explicitly, no hidden defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Security to promise.
    pub security: Security,
    /// Wanted precision: −log2 of the largest error, as a fraction of the range of the results. Without a wish, the least that
    /// changes no decision on the calibration inputs, or less where that is out of reach.
    pub precision: Option<f64>,
    /// log2 of the ring degree, if it is not to be chosen.
    pub log_n: Option<u32>,
    /// Most levels between a fresh ciphertext and the result, if they are limited: deeper networks are bootstrapped.
    pub max_levels: Option<usize>,
    /// Limit on the predicted memory of a run, in bytes.
    pub max_memory: Option<u64>,
    /// Seconds per kernel.
    pub costs: Costs,
    /// How images are normalized before they are encrypted.
    pub normalization: Option<Normalization>,
    /// Calibrated ranges are widened by this factor.
    pub margin: f64,
    /// How activations become polynomials.
    pub approximate: ApproximateConfig,
    /// Which levels bootstraps raise to.
    pub moduli: Moduli,
    /// How good results must be.
    pub wishes: Wishes,
    /// Whether other polynomials that were tried get plans as well, to compare.
    pub explores: bool,
    /// What outputs are for.
    pub outputs: OutputWish,
    /// Whether numbers are integers or approximate.
    pub scheme: SchemeChoice,
    /// Integers: whether results must fit for every input in range, not only for those like the calibration data.
    pub certify: bool,
    /// Integers: bits of room for results beyond the largest one in calibration, if not certified.
    pub margin_bits: f64,
    /// Integers: whether plaintext primes have room for results that are far too large, so that the client sees them.
    pub check_wrap: bool,
    /// How many inputs one run takes.
    pub batch: Batch,
    /// How inputs lie in slots, if that is not to be searched for.
    pub tiles: Option<Tiles>,
    /// Bits to round a network's weights and inputs to, if it was not trained for few bits.
    pub quantize: Option<QuantizeBits>,
    /// How units are permuted so that zeros gather, if they are.
    pub permute: Option<permute::Method>,
}

/// Which levels bootstraps raise to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moduli {
    /// Those that are needed until the next one (OLA, arXiv 2310.10349).
    Layerwise,
    /// The same everywhere.
    Consistent,
}

/// What a user may ask of results.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wishes {
    /// Share of decisions that must be those of the network that was given.
    pub min_agreement: Option<f64>,
    /// Largest error, relative to the spread of the output.
    pub max_error: Option<f64>,
}

/// Which scheme to compile for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeChoice {
    /// The one that is predicted to be faster, of those that can run the network.
    Auto,
    /// Exact integers.
    Bfv,
    /// Approximate numbers.
    Ckks,
}

impl Config {
    /// The settings of `hecc compile` without flags: 128-bit security, precision as decisions ask for.
    pub fn standard() -> Config {
        Config {
            security: Security::Bits128,
            precision: None,
            log_n: None,
            max_levels: None,
            max_memory: None,
            costs: hecc_grammar::cost::DEFAULT,
            normalization: None,
            margin: 1.25,
            approximate: ApproximateConfig::standard(),
            moduli: Moduli::Layerwise,
            wishes: Wishes::default(),
            explores: false,
            outputs: OutputWish::default(),
            scheme: SchemeChoice::Auto,
            certify: false,
            margin_bits: 1.0,
            check_wrap: false,
            batch: Batch::ONE,
            tiles: None,
            quantize: None,
            permute: Some(permute::Method::Search),
        }
    }
}
