//! Operators that are not read: why, and what to use instead.

use super::error::{Refused, refuse};
use super::proto::NodeProto;

/// How a refused operator's result is shaped, so that the nodes after it can still be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As input 0.
    Same,
    /// As a pool without padding modes.
    Pool,
    /// Not known.
    Unknown,
}

struct Known {
    op_type: &'static str,
    reason: &'static str,
    rewrite: &'static str,
    shape: Shape,
}

const COMPARES: &str = "compares encrypted numbers";
const RECURRENT: &str = "is a loop of gated layers, too deep without bootstrapping";
const SINGULAR: &str = "has no value or no slope at 0, which encrypted numbers may come near";
const DIVIDES: &str = "divides by, or takes a root of, encrypted numbers";
const DYNAMIC: &str = "chooses its scale by encrypted data";
const LOOPS: &str = "is a loop, which hecc does not unroll";
const CONTROL: &str = "decides what is computed, which cannot depend on encrypted data";

const BY_POOL: &str = "AveragePool, or a convolution with strides, and train again";
const BY_BATCH_NORM: &str = "BatchNormalization, which is free after training";
const BY_STATIC: &str =
    "static quantization, with scales from calibration data (quantize_static of onnxruntime)";
const BY_QUANT: &str = "Quant, as Brevitas exports integers";
const BY_UNROLL: &str = "a convolution over time, or unrolled cells with polynomial activations";
const BY_LINEAR: &str = "LogisticRegression, LinearSVC, or a small neural network (MLPClassifier)";
const BY_MLP: &str = "a linear model, or a small neural network (MLPClassifier, MLPRegressor)";
const BY_CLIENT: &str = "leave it to the client as the last node";
const BY_FREEZE: &str = "export without control flow (trace with fixed inputs)";

macro_rules! known {
    ($($op_type:literal, $reason:expr, $rewrite:expr, $shape:ident;)*) => {
        &[$(Known { op_type: $op_type, reason: $reason, rewrite: $rewrite, shape: Shape::$shape }),*]
    };
}

/// Sorted by name.
const KNOWN: &[Known] = known! {
    "Attention", "multiplies encrypted matrices and needs Softmax inside", BY_UNROLL, Unknown;
    "CategoryMapper", COMPARES, "encode categories before encryption, and drop the node", Same;
    "DictVectorizer", "reads a dictionary", "a tensor of features", Unknown;
    "DynamicQuantizeLinear", DYNAMIC, BY_STATIC, Unknown;
    "FloatQuant", "rounds to floats of few bits", BY_QUANT, Same;
    "GRU", RECURRENT, BY_UNROLL, Unknown;
    "GlobalMaxPool", COMPARES, "GlobalAveragePool, and train again", Unknown;
    "GroupNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "If", CONTROL, BY_FREEZE, Unknown;
    "InstanceNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "LRN", DIVIDES, BY_BATCH_NORM, Same;
    "LSTM", RECURRENT, BY_UNROLL, Unknown;
    "LayerNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "Log", SINGULAR, "LogSoftmax as the last node, or another activation", Same;
    "Loop", LOOPS, BY_FREEZE, Unknown;
    "LpNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "MaxPool", "compares encrypted numbers in every window", BY_POOL, Pool;
    "MeanVarianceNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "MultiThreshold", "compares encrypted numbers with thresholds", BY_QUANT, Same;
    "NonMaxSuppression", COMPARES, BY_CLIENT, Unknown;
    "OneHotEncoder", COMPARES, "encode categories before encryption, and drop the node", Unknown;
    "RMSNormalization", DIVIDES, BY_BATCH_NORM, Same;
    "RNN", RECURRENT, BY_UNROLL, Unknown;
    "Reciprocal", DIVIDES, "a constant factor, or BatchNormalization", Same;
    "ReduceL2", DIVIDES, "ReduceSumSquare, without the root", Unknown;
    "ReduceProd", "multiplies as many encrypted numbers as there are", "ReduceSum, and train again", Unknown;
    "SVMClassifier", "compares encrypted distances", BY_LINEAR, Unknown;
    "Scan", LOOPS, BY_FREEZE, Unknown;
    "Sqrt", SINGULAR, "BatchNormalization, or leave out the root", Same;
    "ThresholdedRelu", "jumps, which no polynomial follows", "Relu", Same;
    "TreeEnsemble", COMPARES, BY_MLP, Unknown;
    "TreeEnsembleClassifier", COMPARES, BY_MLP, Unknown;
    "TreeEnsembleRegressor", COMPARES, BY_MLP, Unknown;
    "Trunc", "drops bits of encrypted integers", BY_QUANT, Same;
};

fn find(op_type: &str) -> Option<&'static Known> {
    KNOWN.binary_search_by_key(&op_type, |known| known.op_type).ok().map(|i| &KNOWN[i])
}

/// Whether there is more to say about an operator than that it is not read.
pub(super) fn is_known(op_type: &str) -> bool {
    find(op_type).is_some()
}

/// Why an operator is not read.
pub(super) fn reason(op_type: &str) -> Refused {
    match find(op_type) {
        Some(known) => refuse(format!("this operator {}", known.reason)).instead(known.rewrite),
        None => refuse("this operator is not supported (docs/ops.md lists those that are)"),
    }
}

/// What to use in place of an operator.
pub(super) fn rewrite(op_type: &str) -> Option<&'static str> {
    find(op_type).map(|known| known.rewrite)
}

/// The shape of a refused node's first result, as far as it can be told from its inputs' shapes.
pub(super) fn output_shape(node: &NodeProto, inputs: &[Option<Vec<usize>>]) -> Option<Vec<usize>> {
    let first = inputs.first()?.clone()?;
    match find(node.op_type())?.shape {
        Shape::Same => Some(first),
        Shape::Pool => pooled(node, &first),
        Shape::Unknown => None,
    }
}

fn pooled(node: &NodeProto, from: &[usize]) -> Option<Vec<usize>> {
    let ints =
        |name: &str| node.attribute.iter().find(|a| a.name() == name).map(|a| a.ints.clone());
    let rank = from.len().checked_sub(2)?;
    let kernel = ints("kernel_shape")?;
    let (strides, pads) = (ints("strides"), ints("pads"));
    let auto_pad = node.attribute.iter().find(|a| a.name() == "auto_pad").map(|a| a.s().to_vec());
    let same = auto_pad.is_some_and(|mode| mode.starts_with(b"SAME"));
    let mut shape = from[..2].to_vec();
    for d in 0..rank {
        let stride =
            usize::try_from(strides.as_ref().map_or(Some(&1), |s| s.get(d)).copied()?).ok()?;
        let pad = pads.as_ref().map_or(Some(0), |p| p.get(d)?.checked_add(*p.get(d + rank)?))?;
        let padded = from[d + 2].checked_add(usize::try_from(pad).ok()?)?;
        let room = padded.checked_sub(usize::try_from(*kernel.get(d)?).ok()?);
        shape.push(if same {
            from[d + 2].div_ceil(stride.max(1))
        } else {
            room?.checked_div(stride)? + 1
        });
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::KNOWN;

    #[test]
    fn refused_operators_are_sorted() {
        assert!(KNOWN.is_sorted_by_key(|known| known.op_type));
    }
}
