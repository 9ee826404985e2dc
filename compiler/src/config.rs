//! What the user may ask of a compilation.

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

/// How many inputs one run takes, whose elements lie side by side in the slots of a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Two to the power of this, or more where that takes no longer.
    Log2(u32),
    /// As many as a ciphertext has slots: each holds one element of all inputs.
    Slots,
}

impl Batch {
    /// A single input.
    pub const ONE: Batch = Batch::Log2(0);

    /// Room for so many inputs.
    pub fn of_inputs(count: usize) -> Batch {
        Batch::Log2(count.next_power_of_two().trailing_zeros())
    }

    /// Inputs that are wanted of a run.
    pub fn inputs(self) -> usize {
        match self {
            Batch::Log2(log) => 1 << log,
            Batch::Slots => usize::MAX,
        }
    }

    /// log2 of the inputs of a ciphertext with 2^`log_slots` slots.
    pub fn log_inputs(self, log_slots: usize) -> usize {
        match self {
            Batch::Log2(log) => log as usize,
            Batch::Slots => log_slots,
        }
    }

    /// Whether rows of this many slots, log2, hold all inputs.
    pub fn fits(self, log_row: u32) -> bool {
        match self {
            Batch::Log2(log) => log <= log_row,
            Batch::Slots => true,
        }
    }
}

/// The shape of tiles (Aharoni et al., PoPETs 2023) that an input is cut into, one to a ciphertext: what its slots are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// log2 of the elements along each dimension of the input that is longer than 1, then perhaps that of copies.
    pub log_sizes: Vec<usize>,
    /// log2 of the inputs, the innermost dimension.
    pub log_inputs: usize,
}

impl Tiles {
    /// log2 of the slots.
    pub fn log_slots(&self) -> usize {
        self.log_sizes.iter().sum::<usize>() + self.log_inputs
    }
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
