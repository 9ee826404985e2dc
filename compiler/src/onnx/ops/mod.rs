//! The operators, one file for each or for a small family.
//!
//! An importer reads all attributes and inputs that it honors and lowers the node to few operations of the tensor
//! graph. Nodes whose inputs are all known go through the same code, on a scratch model (see `walk::apply`).

mod abs;
mod activation;
mod arg_max;
mod arithmetic;
mod average_pool;
mod batch_normalization;
mod branch;
mod cast;
mod clip;
mod compare;
mod concat;
mod constant;
mod constant_math;
mod conv;
mod conv_integer;
mod conv_transpose;
mod cum_sum;
mod dropout;
mod einsum;
mod expand;
mod feature;
mod flatten;
mod gather;
mod gather_elements;
mod gemm;
mod label;
mod linear_model;
mod mask;
mod mat_mul;
mod pad;
mod piecewise;
mod pow;
mod prelu;
mod q_gemm;
mod q_linear;
mod quant;
mod quantize_linear;
mod rearrange;
mod reduce;
mod resample;
mod reshape;
mod resize;
mod shape;
mod slice;
mod softmax;
mod split;
mod squeeze;
mod top_k;
mod transpose;
mod window;

use super::importer::Importer;
use super::opset::NEWEST_OPSET;

/// All operators, sorted by name.
const OPS: &[Importer] = &[
    abs::ABS,
    arithmetic::ADD,
    constant_math::AND,
    arg_max::ARG_MAX,
    arg_max::ARG_MIN,
    average_pool::AVERAGE_POOL,
    batch_normalization::BATCH_NORMALIZATION,
    cast::CAST,
    compare::CEIL,
    activation::CELU,
    clip::CLIP,
    concat::CONCAT,
    constant::CONSTANT,
    constant::CONSTANT_OF_SHAPE,
    conv::CONV,
    conv_integer::CONV_INTEGER,
    conv_transpose::CONV_TRANSPOSE,
    activation::COS,
    cum_sum::CUM_SUM,
    rearrange::DEPTH_TO_SPACE,
    quantize_linear::DEQUANTIZE_LINEAR,
    arithmetic::DIV,
    dropout::DROPOUT,
    einsum::EINSUM,
    activation::ELU,
    compare::EQUAL,
    activation::ERF,
    activation::EXP,
    expand::EXPAND,
    flatten::FLATTEN,
    compare::FLOOR,
    gather::GATHER,
    gather_elements::GATHER_ELEMENTS,
    gather_elements::GATHER_ND,
    activation::GELU,
    gemm::GEMM,
    average_pool::GLOBAL_AVERAGE_POOL,
    compare::GREATER,
    compare::GREATER_OR_EQUAL,
    activation::HARD_SIGMOID,
    activation::HARD_SWISH,
    arg_max::HARDMAX,
    dropout::IDENTITY,
    branch::IF,
    activation::LEAKY_RELU,
    compare::LESS,
    compare::LESS_OR_EQUAL,
    activation::LOG,
    softmax::LOG_SOFTMAX,
    mat_mul::MAT_MUL,
    conv_integer::MAT_MUL_INTEGER,
    clip::MAX,
    arithmetic::MEAN,
    clip::MIN,
    activation::MISH,
    constant_math::MOD,
    arithmetic::MUL,
    arithmetic::NEG,
    compare::NOT,
    constant_math::OR,
    prelu::PRELU,
    pad::PAD,
    pow::POW,
    q_linear::Q_LINEAR_CONV,
    q_linear::Q_LINEAR_MAT_MUL,
    quantize_linear::QUANTIZE_LINEAR,
    constant::RANGE,
    arithmetic::RECIPROCAL,
    reduce::REDUCE_L1,
    reduce::REDUCE_MAX,
    reduce::REDUCE_MEAN,
    reduce::REDUCE_MIN,
    reduce::REDUCE_PROD,
    reduce::REDUCE_SUM,
    reduce::REDUCE_SUM_SQUARE,
    activation::RELU,
    reshape::RESHAPE,
    resize::RESIZE,
    compare::ROUND,
    activation::SELU,
    shape::SHAPE,
    activation::SIGMOID,
    compare::SIGN,
    activation::SIN,
    shape::SIZE,
    slice::SLICE,
    softmax::SOFTMAX,
    activation::SOFTPLUS,
    activation::SOFTSIGN,
    rearrange::SPACE_TO_DEPTH,
    split::SPLIT,
    activation::SQRT,
    squeeze::SQUEEZE,
    arithmetic::SUB,
    arithmetic::SUM,
    activation::SWISH,
    activation::TANH,
    rearrange::TILE,
    top_k::TOP_K,
    transpose::TRANSPOSE,
    mask::TRILU,
    squeeze::UNSQUEEZE,
    resize::UPSAMPLE,
    mask::WHERE,
    constant_math::XOR,
];

/// Domains that QONNX's operators have been written in.
const QONNX: &[&str] = &["qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"];
/// The domain of onnxruntime's own operators.
const MICROSOFT: &[&str] = &["com.microsoft"];

/// The domain of classical models, as scikit-learn's are exported.
const ML: &[&str] = &["ai.onnx.ml"];

/// Operators of other domains, sorted by name.
const OTHERS: &[(&[&str], Importer)] = &[
    (ML, feature::ARRAY_FEATURE_EXTRACTOR),
    (ML, feature::BINARIZER),
    (QONNX, quant::BIPOLAR_QUANT),
    (MICROSOFT, quantize_linear::DEQUANTIZE_LINEAR),
    (ML, feature::FEATURE_VECTORIZER),
    (ML, feature::IMPUTER),
    (QONNX, quant::INT_QUANT),
    (ML, label::LABEL_ENCODER),
    (ML, linear_model::LINEAR_CLASSIFIER),
    (ML, linear_model::LINEAR_REGRESSOR),
    (ML, feature::NORMALIZER),
    (MICROSOFT, q_gemm::Q_GEMM),
    (MICROSOFT, q_linear::Q_LINEAR_ADD),
    (MICROSOFT, q_linear::Q_LINEAR_MUL),
    (QONNX, quant::QUANT),
    (MICROSOFT, quantize_linear::QUANTIZE_LINEAR),
    (ML, linear_model::SVM_REGRESSOR),
    (ML, feature::SCALER),
    (ML, label::ZIP_MAP),
];

/// Operators that do nothing but move elements of their first input: the same for integers as for numbers.
const MOVES: &[&str] = &[
    "ArrayFeatureExtractor",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Operators that read integers for what these stand for.
const READ_INTEGERS: &[&str] = &[
    "Cast",
    "ConvInteger",
    "DequantizeLinear",
    "MatMulInteger",
    "QGemm",
    "QLinearAdd",
    "QLinearConv",
    "QLinearMatMul",
    "QLinearMul",
];

/// The importer of an operator.
pub(super) fn find(domain: &str, op_type: &str) -> Option<&'static Importer> {
    if matches!(domain, "" | "ai.onnx") {
        return OPS.binary_search_by_key(&op_type, |op| op.op_type).ok().map(|i| &OPS[i]);
    }
    let mut others = OTHERS.iter();
    let is_it =
        |(domains, op): &&(&[&str], Importer)| domains.contains(&domain) && op.op_type == op_type;
    others.find(is_it).map(|(_, importer)| importer)
}

/// Whether operators of the domain are read.
pub(super) fn is_known(domain: &str) -> bool {
    OTHERS.iter().any(|(domains, _)| domains.contains(&domain))
}

/// Whether an operator only moves elements.
pub(super) fn moves(op_type: &str) -> bool {
    MOVES.contains(&op_type)
}

/// Whether an operator reads integers for what these stand for.
pub(super) fn reads_integers(op_type: &str) -> bool {
    READ_INTEGERS.contains(&op_type)
}

/// The operators of the default domain that are read, sorted by name.
pub fn operators() -> impl Iterator<Item = &'static str> {
    OPS.iter().map(|importer| importer.op_type)
}

/// The tables of operators in `docs/ops.md`, in markdown.
pub fn operator_table() -> String {
    let mut table =
        "| operator | opsets | supported | not supported |\n|---|---|---|---|\n".to_owned();
    for op in OPS {
        let (name, since) = (op.op_type, op.since);
        let link = format!("[{name}](https://onnx.ai/onnx/operators/onnx__{name}.html)");
        table += &format!(
            "| {link} | {since} to {NEWEST_OPSET} | {} | {} |\n",
            op.supported, op.refused
        );
    }
    table += "\nOf other domains, for quantized networks and classical models:\n\n\
        | operator | domains | supported | not supported |\n|---|---|---|---|\n";
    for (domains, op) in OTHERS {
        let domains = domains.join("`, `");
        let (name, supported, refused) = (op.op_type, op.supported, op.refused);
        table += &format!("| {name} | `{domains}` | {supported} | {refused} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{MOVES, OPS, OTHERS, READ_INTEGERS};
    use crate::onnx::opset::OLDEST_OPSET;

    #[test]
    fn operators_are_sorted() {
        assert!(OPS.is_sorted_by_key(|importer| importer.op_type));
        assert!(OTHERS.is_sorted_by_key(|(_, importer)| importer.op_type));
        assert!(OPS.iter().all(|importer| importer.since >= OLDEST_OPSET));
    }

    #[test]
    fn properties_are_of_operators() {
        let all = || OPS.iter().chain(OTHERS.iter().map(|(_, importer)| importer));
        for name in MOVES.iter().chain(READ_INTEGERS) {
            assert!(all().any(|importer| importer.op_type == *name), "{name}");
        }
    }
}
