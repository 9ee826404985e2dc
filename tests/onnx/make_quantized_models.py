#!/usr/bin/env python3
"""Makes the quantized models in tests/onnx/models as tools write them, with an input and onnxruntime's output for each.

Needs the packages onnx, onnxruntime and numpy. The weights are random; the files are tiny and checked in.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from make_models import MODELS, node

RNG = np.random.default_rng(2)
SHAPE = (1, 2, 6, 6)


def images(count):
    return RNG.uniform(0, 1, (count, *SHAPE)).astype(np.float32)


class Images(CalibrationDataReader):
    """What scales are chosen by."""

    def __init__(self):
        self.left = iter(images(16))

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {"x": x}


def graph(nodes, constants):
    """A model that is checked, from `x` to `y`."""
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "quantized",
        [value("x", TensorProto.FLOAT, SHAPE)],
        [value("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def save(name, model):
    """Writes model, input and output. The graph runs as it is written: fused kernels round differently."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    x = images(1)[0]
    (y,) = session.run(None, {"x": x})
    onnx.save(model, MODELS / f"{name}.onnx")
    for array, kind in ((x, "input"), (y, "output")):
        (MODELS / f"{name}.{kind}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())


def floats():
    """A network with padding, strides, a square and a ReLU."""
    normal = lambda *shape: (RNG.standard_normal(shape) * 0.5).astype(np.float32)
    nodes = [
        node("Conv", "x w0 b0", "c0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Mul", "c0 c0", "s0"),
        node("Conv", "s0 w1 b1", "c1", kernel_shape=[2, 2]),
        node("Relu", "c1", "r1"),
        node("Flatten", "r1", "f1"),
        node("Gemm", "f1 w2 b2", "y", transB=1),
    ]
    constants = {
        "w0": normal(3, 2, 3, 3), "b0": normal(3), "w1": normal(2, 3, 2, 2), "b1": normal(2),
        "w2": normal(3, 8), "b2": normal(3),
    }  # fmt: skip
    return graph(nodes, constants)


def static(name, form):
    """onnxruntime's `quantize_static`."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(floats(), source)
        quantize_static(
            source, target, Images(), quant_format=form, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        save(name, onnx.load(target))


def qcdq():
    """As Brevitas exports four bits: Clip between QuantizeLinear and DequantizeLinear, a layer as Transpose and MatMul."""
    integers = lambda *shape: RNG.integers(-7, 8, shape).astype(np.int8)
    constants = {
        "xs": np.float32(1 / 15), "zero": np.uint8(0), "lo": np.uint8(0), "hi": np.uint8(15),
        "w0": integers(3, 2, 3, 3), "s0": np.array([0.03, 0.05, 0.04], np.float32), "z0": np.zeros(3, np.int8),
        "wlo": np.int8(-7), "whi": np.int8(7),
        "b0": np.array([90, -40, 25], np.int32), "bs0": (np.array([0.03, 0.05, 0.04]) / 15).astype(np.float32),
        "bz0": np.zeros(3, np.int32), "as": np.float32(0.11),
        "w1": integers(3, 12), "s1": np.float32(0.02), "z1": np.int8(0), "b1": np.array([0.5, -1.5, 0.25], np.float32),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x xs zero", "xq"),
        node("Clip", "xq lo hi", "xc"),
        node("DequantizeLinear", "xc xs zero", "xd"),
        node("Clip", "w0 wlo whi", "wc0"),
        node("DequantizeLinear", "wc0 s0 z0", "wd0", axis=0),
        node("DequantizeLinear", "b0 bs0 bz0", "bd0", axis=0),
        node("Conv", "xd wd0 bd0", "c0", kernel_shape=[3, 3], strides=[2, 2]),
        node("Relu", "c0", "r0"),
        node("QuantizeLinear", "r0 as zero", "rq0"),
        node("Clip", "rq0 lo hi", "rc0"),
        node("DequantizeLinear", "rc0 as zero", "rd0"),
        node("Flatten", "rd0", "f0"),
        node("Clip", "w1 wlo whi", "wc1"),
        node("DequantizeLinear", "wc1 s1 z1", "wd1"),
        node("Transpose", "wd1", "wt1", perm=[1, 0]),
        node("MatMul", "f0 wt1", "m1"),
        node("Add", "m1 b1", "y"),
    ]
    save("qcdq", graph(nodes, constants))


if __name__ == "__main__":
    static("qdq", QuantFormat.QDQ)
    static("qoperator", QuantFormat.QOperator)
    qcdq()
