#!/usr/bin/env python3
"""Makes tests/onnx/versions.pb: every operator that hecc reads, at each of its versions since operator set 7, with inputs
and what onnxruntime computes (or the reference evaluator of onnx, where onnxruntime does not have the version yet).

The file is a list of models, each after its length. The initializers "given NAME" and "want NAME" of a model hold its
inputs and outputs; its documentation says which of its inputs may be known ("folded"), or what hecc refuses it for.

Needs the packages onnx, onnxruntime and numpy.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.internal.encoder import _VarintBytes
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OLDEST, NEWEST = 7, 28
RNG = np.random.default_rng(7)
CASES = []


class Given:
    """An encrypted input."""

    def __init__(self, *shape, low=-2.0, high=2.0, dtype=np.float32):
        self.value = RNG.uniform(low, high, shape).astype(dtype)


def case(op, *inputs, since=OLDEST, until=NEWEST, outputs=1, folded=True, encrypted=True, refused="", **attributes):
    """A node, for the operator sets `since` to `until`."""
    CASES.append((op, inputs, since, until, outputs, (encrypted, folded), refused, attributes))


def weights(*shape):
    return (RNG.standard_normal(shape) * 0.5).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def number(value, dtype=np.float32):
    return np.array(value, dtype)


def versions(op):
    """The operator sets that change the operator, from the oldest one on."""
    found = [s.since_version for s in defs.get_all_schemas_with_history() if s.name == op and s.domain == ""]
    return sorted({max(version, OLDEST) for version in found if version <= NEWEST} - {0})


def build(opset, op, inputs, outputs, attributes):
    names, given, constants = [], {}, {}
    for i, value in enumerate(inputs):
        name = "" if value is None else f"{'x' if isinstance(value, Given) else 'c'}{i}"
        names.append(name)
        if isinstance(value, Given):
            given[name] = value.value
        elif value is not None:
            constants[name] = value
    results = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
    node = helper.make_node(op, names, results, **attributes)
    graph = helper.make_graph(
        [node],
        op,
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in results if name],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    ir = 8 if opset < 19 else 10
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    return model, given


def evaluate(model, given):
    try:
        typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        # Without a word on versions that it does not have.
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(typed.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, given), "onnxruntime"
    except Exception as error:  # noqa: BLE001
        try:
            return ReferenceEvaluator(model).run(None, given), "reference"
        except Exception as other:  # noqa: BLE001
            raise RuntimeError(f"{model.graph.name} {model.opset_import[0].version}: {error}; {other}") from other


def main():
    file, count, by = bytearray(), 0, {}
    for op, inputs, since, until, outputs, (encrypted, folded), refused, attributes in CASES:
        known = versions(op)
        first = max(since, known[0])
        for opset in sorted({first} | {v for v in known if v > first}):
            if opset > until:
                continue
            model, given = build(opset, op, inputs, outputs, attributes)
            if refused:
                model.graph.doc_string = f"refused {refused}"
            else:
                results, by_whom = evaluate(model, given)
                by[by_whom] = by.get(by_whom, 0) + 1
                model.graph.doc_string = " ".join(
                    word for word, holds in (("encrypted", encrypted), ("folded", folded)) if holds
                )
                for info, result in zip(model.graph.output, results):
                    result = np.asarray(result)
                    if result.dtype == np.bool_ or result.dtype.kind in "iu":
                        result = result.astype(np.float32)
                    model.graph.initializer.append(numpy_helper.from_array(result, f"want {info.name}"))
            for name, value in given.items():
                model.graph.initializer.append(numpy_helper.from_array(value, f"given {name}"))
            encoded = model.SerializeToString()
            file += _VarintBytes(len(encoded)) + encoded
            count += 1
    (Path(__file__).resolve().parent / "versions.pb").write_bytes(file)
    print(f"{count} models, {len(file)} bytes: {by}")


# Elementwise.
for op in "Abs Neg Relu Sigmoid Tanh Softplus Erf Softsign HardSwish Mish".split():
    case(op, Given(2, 3))
for op in "Exp Sin Cos Floor Ceil Round Sign".split():
    case(op, Given(2, 3), encrypted=False)
for op in "Log Sqrt Reciprocal".split():
    case(op, Given(2, 3, low=0.5), encrypted=False)
for op in "Elu LeakyRelu Celu".split():
    case(op, Given(2, 3))
    case(op, Given(2, 3), alpha=0.3)
case("Selu", Given(2, 3))
case("Selu", Given(2, 3), alpha=1.5, gamma=0.7)
case("HardSigmoid", Given(2, 3))
case("HardSigmoid", Given(2, 3), alpha=0.4, beta=0.3)
case("Gelu", Given(2, 3))
case("Gelu", Given(2, 3), approximate="tanh")
case("Swish", Given(2, 3))
case("Swish", Given(2, 3), alpha=0.5)
case("Clip", Given(2, 3), until=10)
case("Clip", Given(2, 3), until=10, min=-0.5, max=1.0)
case("Clip", Given(2, 3), since=11)
case("Clip", Given(2, 3), number(-0.5), number(1.0), since=11)
case("Clip", Given(2, 3), None, number(1.0), since=11)
case("Clip", Given(2, 3), number(1.0), number(-1.0), since=12)
case("PRelu", Given(2, 3, 4), weights(4))
case("PRelu", Given(2, 3, 4), weights(3, 1))
case("PRelu", Given(2, 3, 4), weights(1))
case("Pow", Given(2, 3), number(3.0))
case("Pow", Given(2, 3), number(2, np.int64), since=12)

# Two operands and more.
for op in "Add Sub Mul".split():
    case(op, Given(2, 3), weights(3))
    case(op, weights(2, 1), Given(3))
    case(op, Given(2, 1), Given(3))
case("Div", Given(2, 3), np.array([2.0, -4.0, 0.5], np.float32))
for op in "Max Min Sum Mean".split():
    case(op, Given(2, 3))
    case(op, Given(2, 3), weights(2, 3))
    case(op, Given(2, 3), Given(2, 3), weights(2, 3))
    case(op, Given(2, 1), weights(3), since=8)
for op in "Greater Less".split():
    case(op, Given(2, 3), weights(3), encrypted=False)
for op in "GreaterOrEqual LessOrEqual".split():
    case(op, Given(2, 3), weights(3), encrypted=False)
case("Equal", ints(1, 2, 3), ints(1, 0, 3), encrypted=False)
case("Where", np.array([True, False, True]), Given(3), weights(3), encrypted=False)
for op in "And Or Xor".split():
    case(op, np.array([True, False, True]), np.array([True, True, False]), encrypted=False)
case("Not", np.array([True, False]), encrypted=False)
case("Mod", ints(7, -7, 7), ints(3, 3, -3), encrypted=False)
case("Mod", ints(7, -7, 7), ints(3, 3, -3), encrypted=False, fmod=1)

# Products.
case("MatMul", Given(2, 3), weights(3, 4))
case("MatMul", weights(4, 2), Given(2, 3), folded=False)
case("MatMul", Given(2, 2, 3), weights(2, 3, 4))
case("MatMul", Given(3), weights(3, 4))
case("Gemm", Given(2, 3), weights(3, 4), weights(4))
case("Gemm", Given(3, 2), weights(4, 3), weights(2, 1), alpha=0.5, beta=2.0, transA=1, transB=1)
case("Gemm", Given(2, 3), weights(3, 4), number(0.5))
case("Gemm", Given(2, 3), weights(3, 4), since=11)
case("Einsum", Given(2, 3), weights(3, 4), equation="ij,jk->ki", folded=False)
conv = dict(folded=False)
case("Conv", Given(1, 2, 5, 6), weights(4, 2, 3, 2), weights(4), **conv)
case("Conv", Given(1, 2, 7), weights(4, 1, 3), group=2, strides=[2], pads=[1, 2], dilations=[2], **conv)
for pad in ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"):
    case("Conv", Given(1, 1, 5, 6), weights(1, 1, 2, 4), auto_pad=pad, strides=[2, 1], **conv)
case("ConvTranspose", Given(1, 2, 4), weights(2, 3, 3), weights(3), strides=[2], **conv)
case("ConvTranspose", Given(1, 2, 4), weights(2, 1, 3), group=2, pads=[1, 0], output_padding=[1], strides=[2], **conv)
case("ConvTranspose", Given(1, 1, 4), weights(1, 1, 4), auto_pad="SAME_UPPER", strides=[2], **conv)
case("ConvTranspose", Given(1, 1, 4), weights(1, 1, 3), output_shape=[9], strides=[2], **conv)

# Normalization, and what is for training.
statistics = [weights(3), weights(3), weights(3), np.abs(weights(3)) + np.float32(0.5)]
case("BatchNormalization", Given(2, 3, 4), *statistics)
case("BatchNormalization", Given(2, 3), *statistics, epsilon=0.1, momentum=0.5)
case("BatchNormalization", Given(2, 3, 4), *statistics, until=8, spatial=0, refused="`spatial` is 0")
case("BatchNormalization", Given(2, 3, 4), *statistics, until=13, outputs=5, refused="mean training")
case("BatchNormalization", Given(2, 3, 4), *statistics, since=14, outputs=3, training_mode=1, refused="`training_mode`")
case("Dropout", Given(2, 3))
case("Dropout", Given(2, 3), until=11, ratio=0.7)
case("Dropout", Given(2, 3), number(0.7), since=12)
case("Dropout", Given(2, 3), number(0.7), number(False, np.bool_), since=12, outputs=["y", ""])
case("Dropout", Given(2, 3), number(0.7), number(True, np.bool_), since=12, refused="`training_mode` is true")
case("Dropout", Given(2, 3), outputs=2, refused="the mask of a Dropout")
for op in ("Softmax", "LogSoftmax"):
    last = dict(folded=True)
    case(op, Given(2, 3), **last)
    case(op, Given(2, 1, 3), **last)
    case(op, Given(2, 3), axis=0, since=13, **last)
    case(op, Given(2, 3), axis=-1, since=11, **last)
    case(op, Given(2, 3, 4), since=13, **last)
    case(op, Given(2, 3, 4), until=12, **last)
    case(op, Given(2, 3, 4), until=12, axis=2, **last)
    case(op, Given(2, 3, 1), until=12, axis=1, **last)

# Pools.
pool = dict(folded=False, kernel_shape=[3, 2])
case("AveragePool", Given(1, 2, 5, 6), **pool)
case("AveragePool", Given(1, 2, 5, 6), pads=[1, 0, 1, 1], **pool)
case("AveragePool", Given(1, 2, 5, 6), pads=[1, 0, 1, 1], count_include_pad=1, strides=[2, 2], **pool)
for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case("AveragePool", Given(1, 1, 5, 6), auto_pad=pad, strides=[2, 2], **pool)
case("AveragePool", Given(1, 1, 6, 6), since=10, ceil_mode=1, strides=[2, 2], **pool)
case("AveragePool", Given(1, 1, 6, 7), since=10, ceil_mode=1, strides=[2, 3], pads=[1, 0, 0, 1], **pool)
case("AveragePool", Given(1, 1, 7, 7), since=19, dilations=[2, 3], pads=[1, 1, 1, 1], **pool)
case("AveragePool", Given(1, 1, 6, 7), since=19, ceil_mode=1, count_include_pad=1, strides=[2, 3], pads=[1, 0, 0, 1], **pool)
case("AveragePool", Given(1, 1, 6, 7), since=10, auto_pad="VALID", ceil_mode=1, strides=[2, 3], **pool)
case("AveragePool", Given(1, 1, 4, 1), since=10, ceil_mode=1, strides=[2, 3], **pool)
case("GlobalAveragePool", Given(1, 2, 3, 4), folded=False)

# Reductions.
for op in "ReduceSum ReduceMean ReduceSumSquare ReduceL1".split():
    axes_are_input = 13 if op == "ReduceSum" else 18
    case(op, Given(2, 3, 4))
    case(op, Given(2, 3, 4), keepdims=0)
    case(op, Given(2, 3, 4), until=axes_are_input - 1, axes=[2, 0], keepdims=0)
    case(op, Given(2, 3, 4), since=11, until=axes_are_input - 1, axes=[-1])
    case(op, Given(2, 3, 4), ints(-1), since=axes_are_input)
    case(op, Given(2, 3, 4), ints(0, 2), since=axes_are_input, keepdims=0)
    case(op, Given(2, 3, 4), ints(), since=axes_are_input)
    if op in ("ReduceSum", "ReduceMean"):
        case(op, Given(2, 3, 4), ints(), since=axes_are_input, noop_with_empty_axes=1)
for op in "ReduceProd ReduceMax ReduceMin".split():
    case(op, Given(2, 3, 4), encrypted=False)
    case(op, Given(2, 3, 4), until=17, axes=[1], keepdims=0, encrypted=False)
    case(op, Given(2, 3, 4), ints(1), since=18, keepdims=0, encrypted=False)
for op in ("ArgMax", "ArgMin"):
    case(op, Given(2, 3))
    case(op, Given(2, 3), axis=1, keepdims=0)
    case(op, Given(2, 3), axis=-1, since=11)
case("ArgMax", np.array([[1, 2, 2], [2, 1, 2]], np.float32), since=12, axis=1, select_last_index=1, encrypted=False)
case("Hardmax", Given(2, 3), since=13)
case("TopK", Given(2, 5), until=9, k=2, outputs=2)
case("TopK", Given(2, 5), ints(3), since=10, outputs=2)
case("TopK", Given(5, 2), ints(3), since=11, outputs=2, axis=0, largest=0)
case("CumSum", Given(2, 4), number(1, np.int64))
case("CumSum", Given(2, 4), number(-2, np.int64), exclusive=1, reverse=1)

# Shapes.
case("Flatten", Given(2, 3, 4))
case("Flatten", Given(2, 3, 4), axis=0)
case("Flatten", Given(2, 3, 4), axis=3)
case("Flatten", Given(2, 3, 4), axis=-1, since=11)
case("Reshape", Given(2, 3, 4), ints(4, -1))
case("Reshape", Given(2, 3, 4), ints(0, -1))
case("Reshape", Given(2, 3, 4), ints(2, 12), since=14, allowzero=1)
case("Squeeze", Given(1, 3, 1))
case("Squeeze", Given(1, 3, 1), until=12, axes=[0])
case("Squeeze", Given(1, 3, 1), since=11, until=12, axes=[-1])
case("Squeeze", Given(1, 3, 1), ints(-1), since=13)
case("Unsqueeze", Given(2, 3), until=12, axes=[0, 3])
case("Unsqueeze", Given(2, 3), since=11, until=12, axes=[-1, 1])
case("Unsqueeze", Given(2, 3), ints(-1, 0), since=13)
case("Transpose", Given(2, 3, 4))
case("Transpose", Given(2, 3, 4), perm=[2, 0, 1])
case("Expand", Given(3, 1), ints(2, 1, 4))
case("Identity", Given(2, 3))
case("Concat", Given(2, 3), Given(2, 1), axis=1)
case("Concat", Given(2, 3), weights(1, 3), axis=-2, since=11)
case("Split", Given(2, 4), until=17, outputs=2, axis=1)
case("Split", Given(2, 4), until=12, outputs=2, axis=1, split=[1, 3])
case("Split", Given(2, 4), until=12, since=11, outputs=2, axis=-1, split=[1, 3])
case("Split", Given(2, 4), ints(1, 3), since=13, outputs=2, axis=-1)
case("Split", Given(2, 5), since=18, outputs=2, axis=1, num_outputs=2)
case("Slice", Given(4, 5), until=9, starts=[1, -3], ends=[3, 1000])
case("Slice", Given(4, 5), until=9, starts=[-2], ends=[-1], axes=[1])
case("Slice", Given(4, 5), ints(1, -3), ints(3, 1000), since=10)
case("Slice", Given(4, 5), ints(4), ints(-1000), ints(-1), ints(-2), since=10)
case("Gather", Given(3, 4), ints(2, 0))
case("Gather", Given(3, 4), np.array([[0, 3]], np.int32), axis=1)
case("Gather", Given(3, 4), number(-1, np.int64), since=11, axis=-1)
case("GatherElements", Given(2, 3), np.array([[2, 0, 1], [-1, 0, 0]]), axis=1)
case("GatherND", Given(2, 3), np.array([[0, 1], [1, 2]]))
case("GatherND", Given(2, 3), np.array([[1], [0]]), since=12, batch_dims=1)
case("Tile", Given(2, 3), ints(2, 1))
case("DepthToSpace", Given(1, 4, 2, 1), blocksize=2)
case("DepthToSpace", Given(1, 8, 1, 2), blocksize=2, mode="CRD", since=11)
case("SpaceToDepth", Given(1, 2, 2, 4), blocksize=2)
case("Trilu", Given(3, 4))
case("Trilu", Given(3, 4), number(1, np.int64), upper=0)
case("Shape", Given(2, 3, 4), encrypted=False)
case("Shape", Given(2, 3, 4), since=15, start=-2, end=-1, encrypted=False)
case("Size", Given(2, 3, 4), encrypted=False)
case("Cast", Given(2, 3), to=TensorProto.FLOAT)
case("Cast", weights(3) * 10, to=TensorProto.INT32, encrypted=False)
case("Cast", ints(300, -1), to=TensorProto.UINT8, encrypted=False)
case("Cast", ints(300, -1), to=TensorProto.FLOAT16, encrypted=False)
case("Cast", ints(3, -1), to=TensorProto.UINT64, encrypted=False)
case("Cast", np.array([0.0, 0.3], np.float32), to=TensorProto.BOOL, encrypted=False)
case("Constant", encrypted=False, value=numpy_helper.from_array(weights(2)))
case("Constant", encrypted=False, since=12, value_floats=[1.0, 2.0])
case("Constant", encrypted=False, since=12, value_int=3)
case("ConstantOfShape", ints(2, 3), encrypted=False)
case("ConstantOfShape", ints(2, 3), encrypted=False, value=numpy_helper.from_array(np.array([5], np.int32)))
case("Range", number(1.0), number(4.0), number(0.5), encrypted=False)
case("Range", number(5, np.int64), number(0, np.int64), number(-2, np.int64), encrypted=False)

# Padding.
case("Pad", Given(2, 3), until=10, pads=[0, 1, 1, 2])
case("Pad", Given(2, 3), until=10, pads=[0, 1, 0, -1], value=1.5)
for mode in ("constant", "reflect", "edge"):
    case("Pad", Given(3, 4), until=10, pads=[1, 2, 0, 1], mode=mode)
    case("Pad", Given(3, 4), ints(1, 2, 0, 1), since=11, mode=mode)
case("Pad", Given(3, 4), ints(1, 2, 0, 1), number(1.5), since=11)
case("Pad", Given(3, 4), ints(2, 1), number(1.5), ints(-1), since=18)
case("Pad", Given(3, 4), ints(1, 2, 0, 1), since=19, mode="wrap")
for mode in ("constant", "reflect", "edge"):
    case("Pad", Given(3, 5), ints(0, -1, 1, 2), since=11, mode=mode)
case("Pad", Given(3, 5), ints(0, -1, 1, 2), since=19, mode="wrap")

# Sizes of images.
case("Upsample", Given(1, 1, 2, 3), until=8, scales=[1.0, 1.0, 2.0, 2.0])
case("Upsample", Given(1, 1, 2, 3), np.array([1, 1, 2, 2], np.float32), since=9, until=9)
case("Upsample", Given(1, 1, 2, 3), np.array([1, 1, 2, 2], np.float32), since=9, until=9, mode="linear")
scales = np.array([1, 1, 2, 1.5], np.float32)
case("Resize", Given(1, 1, 2, 4), scales, until=10)
case("Resize", Given(1, 1, 2, 4), scales, until=10, mode="linear")
case("Resize", Given(1, 1, 5, 4), np.array([1, 1, 0.6, 0.5], np.float32), until=10)
for attributes in ({}, {"mode": "linear"}, {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
                   {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}):  # fmt: skip
    roi = np.zeros(0, np.float32)
    case("Resize", Given(1, 1, 2, 4), roi, scales, since=11, until=12, **attributes)
    case("Resize", Given(1, 1, 2, 4), None, scales, since=13, **attributes)
case("Resize", Given(1, 1, 2, 4), None, None, ints(1, 1, 3, 5), since=13, mode="linear")
case("Resize", Given(1, 1, 2, 10), None, np.array([1, 1, 1, 0.7], np.float32), since=13)
case("Resize", Given(1, 1, 1, 5), None, None, ints(1, 1, 1, 3), since=13, nearest_mode="floor")

# Quantization.
scale, zero = number(0.1), number(3, np.uint8)
per_channel = np.array([0.1, 0.2, 0.4], np.float32)
stored = RNG.integers(-100, 100, (3, 2)).astype(np.int8)
case("QuantizeLinear", weights(3, 2), scale, zero, encrypted=False)
case("QuantizeLinear", weights(3, 2), per_channel, np.zeros(3, np.int8), since=13, axis=0, encrypted=False)
case("DequantizeLinear", stored, number(0.1), number(-2, np.int8), encrypted=False)
case("DequantizeLinear", stored, per_channel, np.zeros(3, np.int8), since=13, axis=-2, encrypted=False)
case("DequantizeLinear", Given(2, 3, low=0, high=255, dtype=np.uint8), scale, zero, folded=False)
codes = Given(2, 3, low=0, high=255, dtype=np.uint8)
case("MatMulInteger", codes, RNG.integers(-9, 9, (3, 2)).astype(np.int8), zero, folded=False)
case("ConvInteger", Given(1, 1, 4, 4, low=0, high=255, dtype=np.uint8), stored[:1, :1].reshape(1, 1, 1, 1), zero, folded=False)
case("QLinearMatMul", codes, scale, zero, RNG.integers(0, 9, (3, 2)).astype(np.uint8), scale, zero, scale, zero, folded=False)

main()
