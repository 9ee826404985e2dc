//! The options of `hecc compile`.

use std::path::PathBuf;

use clap::ValueEnum;
use hecc_compiler::pass::quantize::QuantizeBits;
use hecc_grammar::plan::Normalization;

use super::slots::Slots;
use super::values::{
    Degrees, parse_degrees, parse_error, parse_margin, parse_percent, parse_precision,
    parse_quantize, parse_range,
};
use crate::data::normalization;
use crate::terminal::units;

/// Compile a trained network into a plan
///
/// A plan says how to compute the network on encrypted data. What cannot be computed on encrypted data, such as ReLU,
/// is replaced by polynomials that fit the network's behavior on calibration data: inputs like those it will see, at least
/// 64 and 64 more for each layer that is replaced. No keys are involved; the plan is not secret, but holds the network's weights.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network: an .onnx file (`-`: on standard input), or a .hecc text with its weights in an .npz next to it.
    pub(super) model: PathBuf,
    /// The plan to write; `-` is standard output.
    #[arg(long, short, value_name = "FILE", required_unless_present = "emit")]
    pub(super) output: Option<PathBuf>,
    /// Also write the plan's two parts, next to it: `plan.client.bin` for whoever has the data, without weights, and
    /// `plan.server.bin` for the machine that runs it, without what inputs and results mean.
    ///
    /// `keygen`, `encrypt` and `decrypt` take the client part where they take a plan, `run` takes the server part.
    #[arg(long, requires = "output")]
    pub(super) split: bool,
    /// Inputs like those that the network will see, at least 64 and 64 more for each layer with an activation: an .npz with
    /// an array `x` (or one named after each input, if there are several), an .npy, or a folder of images.
    #[arg(long, value_name = "DATA")]
    pub(super) calibration: Option<PathBuf>,
    /// Mean and standard deviation that pixels in [0, 1] are normalized by, as in training; recorded in the plan.
    ///
    /// One of each, `0.1307,0.3081`, or one for each channel, `0.485,0.456,0.406/0.229,0.224,0.225`. Applies to images
    /// and to arrays of bytes (uint8), here and in `hecc encrypt`; not to networks that declare that they take bytes.
    #[arg(long, value_name = "MEAN,STD", value_parser = normalization::parse, allow_hyphen_values = true)]
    pub(super) normalize: Option<Normalization>,
    /// Without calibration data: the range that inputs are in.
    #[arg(
        long,
        value_name = "LO,HI",
        value_parser = parse_range,
        conflicts_with = "calibration",
        allow_hyphen_values = true
    )]
    pub(super) input_range: Option<(f64, f64)>,
    /// Bits of security: breaking the encryption takes about 2^BITS steps.
    #[arg(long, value_name = "BITS", default_value = "128", value_parser = ["128", "192", "256"])]
    pub(super) security: String,
    /// Bootstrap rather than use more levels than this: smaller moduli and keys, for more time.
    #[arg(long, value_name = "N")]
    pub(super) max_levels: Option<usize>,
    /// Bits of precision: encryption changes results by less than 2^-BITS of their range. By default as few as change no
    /// decision on the calibration data.
    #[arg(long, value_name = "BITS", value_parser = parse_precision)]
    pub(super) precision: Option<f64>,
    /// Whether results are exact integers (bfv), approximate numbers (ckks), or whichever is faster.
    #[arg(long, value_enum, default_value_t = Scheme::Auto)]
    pub(super) scheme: Scheme,
    #[command(flatten)]
    pub(super) slots: Slots,
    /// Round the weights and inputs of a network that was not trained for few bits: `w=4,in=2`. Costs accuracy, which
    /// `hecc simulate` measures.
    #[arg(long, value_name = "w=BITS,in=BITS", value_parser = parse_quantize)]
    pub(super) quantize: Option<QuantizeBits>,
    /// Integers: choose the plaintext modulus so that results are right for every input in range, not only for those
    /// like the calibration data.
    #[arg(long)]
    pub(super) certify: bool,
    /// Integers: room for results beyond the largest one in calibration, in bits.
    #[arg(long, value_name = "BITS", default_value_t = 1.0, value_parser = parse_margin, conflicts_with = "certify", allow_hyphen_values = true)]
    pub(super) margin: f64,
    /// Integers: take plaintext primes so large that a result which does not fit is seen by `hecc decrypt`, but for one in
    /// 65,000, instead of wrapping around to another number. Costs less than --certify where that needs many bits.
    #[arg(long, conflicts_with = "certify")]
    pub(super) check_wrap: bool,
    /// Most memory that keys and values of a run may take, such as 8G: where the fastest plan takes more, one with fewer keys or
    /// smaller rings is looked for.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    pub(super) max_memory: Option<u64>,
    /// Decisions that must be those of the original network, in percent, on calibration data that is held out; the plan is
    /// refused otherwise. Fewer make it faster, more make it slower.
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    pub(super) min_agreement: Option<f64>,
    /// Largest error of a result, as a part of its spread (standard deviation), such as 0.05 or 5%; the plan is refused
    /// otherwise.
    #[arg(long, value_name = "ERROR", value_parser = parse_error)]
    pub(super) max_error: Option<f64>,
    /// Degrees of the polynomials that replace activations: those to choose from, `3,7,15`, the
    /// highest, `31`, or one for each in order, `15:7:2`.
    #[arg(long, value_name = "LIST", value_parser = parse_degrees)]
    pub(super) degrees: Option<Degrees>,
    /// How activations become polynomials. `minimax` is what others compare with; each of those that follow adds to the one before.
    #[arg(long, value_enum, default_value_t = Activation::Tuned)]
    pub(super) activation: Activation,
    /// Whether all bootstraps raise to the same level, or each to what is needed until the next one. By default they do so with
    /// `--activation minimax` only.
    #[arg(long, value_enum)]
    pub(super) moduli: Option<LevelsRaised>,
    /// Leave units and channels of pruned networks in their order. By default they are permuted where that gathers zeros so that the
    /// plan takes less time; results are the same.
    #[arg(long)]
    pub(super) keep_order: bool,
    /// The network decides: the largest of its results is the class, or the sign of a single one. Otherwise a final softmax or
    /// argmax, or labels `y` in the calibration data, say so.
    #[arg(long)]
    pub(super) classifier: bool,
    /// Results are numbers, not scores of classes.
    #[arg(long, conflicts_with_all = ["classifier", "min_agreement"])]
    pub(super) regression: bool,
    /// A file with a name for each class, one a line, which `hecc decrypt` prints.
    #[arg(long, value_name = "FILE")]
    pub(super) class_names: Option<PathBuf>,
    /// Print a stage of the compilation as text instead of the cost sheet.
    #[arg(long, value_name = "STAGE")]
    pub(super) emit: Option<Stage>,
    /// Print what was chosen, and what the alternatives would have cost.
    #[arg(long)]
    pub(super) explain: bool,
    /// Print how long every pass took.
    #[arg(long)]
    pub(super) timings: bool,
}

/// What `--scheme` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scheme {
    /// The faster one.
    Auto,
    /// Exact integers, for networks trained for few bits.
    Bfv,
    /// Approximate numbers.
    Ckks,
}

/// What `--activation` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Activation {
    /// x·(1 + sign(x))/2, the sign composed of minimax polynomials of degrees 15, 15 and 27.
    Minimax,
    /// A polynomial for each layer, fitted where its arguments fall, of the same degree for all.
    Uniform,
    /// Degrees of their own for layers, by their measured effect.
    Layerwise,
    /// Polynomials of their own for channels.
    Channels,
    /// Fitted one layer after the other, to what the layers before make of the inputs.
    Sequential,
    /// Coefficients of deep networks are tuned all together, by gradient.
    Tuned,
}

/// What `--moduli` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LevelsRaised {
    /// The same everywhere.
    Consistent,
    /// What is needed until the next bootstrap.
    Layerwise,
}

/// A stage whose text can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    /// The network as imported, constants folded.
    Model,
    /// Weights and inputs rounded (--quantize).
    Quantize,
    /// The network without rounding between layers.
    LiftQuantizers,
    /// The network with polynomials for activations.
    Approximate,
    /// The same with units permuted, if that gathers zeros.
    Permute,
    /// Affine maps, products and polynomials.
    Linearize,
    /// The same, normalized to what slots hold; over integers, with integer weights.
    Graph,
    /// Where tensors lie in ciphertexts, and how affine maps are carried out.
    Pack,
    /// The instructions as lowered.
    Lower,
    /// Without those that are computed twice.
    EliminateCommon,
    /// Without those that nothing reads.
    EliminateDead,
    /// With divisions that follow each other done at once.
    FuseDivisions,
    /// The plan.
    Plan,
}
