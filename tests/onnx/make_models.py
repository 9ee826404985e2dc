#!/usr/bin/env python3
"""Makes the models in tests/onnx/models, with an input and onnxruntime's output for each, as TensorProto files.

Needs the packages onnx, onnxruntime and numpy. The weights are random; the files are tiny and checked in.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parent / "models"
RNG = np.random.default_rng(1)


def weights(*shape, scale=0.5, dtype=np.float32):
    return (RNG.standard_normal(shape) * scale).astype(dtype)


def save(name, nodes, constants, shape, opset, out=("N", "C"), batch=2, elem=TensorProto.FLOAT, external=False):
    """Writes model, input and output; `shape` lacks the batch, which is left open."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", elem, ["N", *shape])],
        [helper.make_tensor_value_info("y", elem, out)],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    # IR version 3 still has its initializers among the inputs.
    ir = 3 if opset < 9 else min(onnx.IR_VERSION, 10)
    if ir == 3:
        graph.input.extend(
            helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in graph.initializer
        )
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir)
    onnx.checker.check_model(model)
    path = MODELS / f"{name}.onnx"
    x = RNG.standard_normal((batch, *shape)).astype(helper.tensor_dtype_to_np_dtype(elem))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})
    if external:
        location = f"{name}.data"
        (MODELS / location).unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    else:
        onnx.save(model, path)
    for array, kind in ((x, "input"), (y, "output")):
        (MODELS / f"{name}.{kind}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def lenet():
    nodes = [
        node("Conv", "x w0", "c0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c0 s b m v", "n0"),
        node("Relu", "n0", "r0"),
        node("AveragePool", "r0", "p0", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("Shape", "p0", "shape"),
        node("Gather", "shape zero", "n"),
        node("Unsqueeze", "n axis", "n1"),
        node("Concat", "n1 rest", "flat", axis=0),
        node("Reshape", "p0 flat", "f0"),
        node("Gemm", "f0 w1 b1", "g0", transB=1),
        node("Softmax", "g0", "y"),
    ]
    constants = {
        "w0": weights(3, 1, 3, 3), "s": weights(3), "b": weights(3), "m": weights(3),
        "v": np.abs(weights(3)) + 0.5, "zero": np.int64(0), "axis": np.array([0]), "rest": np.array([-1]),
        "w1": weights(4, 27), "b1": weights(4),
    }  # fmt: skip
    save("lenet", nodes, constants, [1, 10, 10], 13)


def residual():
    """An option-A shortcut as torch writes it, and a squeeze-and-excitation branch."""
    nodes = [
        node("Conv", "x w0 b0", "c0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Slice", "x starts ends axes steps", "s0"),
        node("Pad", "s0 pads", "p0"),
        node("Add", "c0 p0", "a0"),
        node("HardSigmoid", "a0", "h0", alpha=1 / 6, beta=0.5),
        node("Mul", "h0 a0", "m0"),
        node("GlobalAveragePool", "m0", "g0"),
        node("Conv", "g0 w1", "c1", kernel_shape=[1, 1]),
        node("Sigmoid", "c1", "e0"),
        node("Mul", "m0 e0", "m1"),
        node("ReduceMean", "m1 spatial", "y", keepdims=0),
    ]
    constants = {
        "w0": weights(4, 2, 3, 3), "b0": weights(4), "w1": weights(4, 4, 1, 1),
        "starts": np.array([0, 0]), "ends": np.array([2**62, 2**62]), "axes": np.array([2, 3]),
        "steps": np.array([2, 2]), "pads": np.array([0, 1, 0, 0, 0, 1, 0, 0]), "spatial": np.array([2, 3]),
    }  # fmt: skip
    save("residual", nodes, constants, [2, 6, 6], 18)


def gelu():
    """Gelu written out with Erf, in one dimension, grouped and dilated."""
    nodes = [
        node("Conv", "x w0", "c0", group=2, dilations=[2], pads=[1, 2]),
        node("Div", "c0 root", "d0"),
        node("Erf", "d0", "e0"),
        node("Add", "e0 one", "a0"),
        node("Mul", "c0 a0", "m0"),
        node("Mul", "m0 half", "g0"),
        node("Transpose", "g0", "t0", perm=[0, 2, 1]),
        node("MatMul", "t0 w1", "y"),
    ]
    constants = {
        "w0": weights(4, 1, 3), "root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5),
        "w1": weights(4, 3),
    }  # fmt: skip
    save("gelu", nodes, constants, [2, 7], 17, out=("N", "L", "C"))


def old():
    """Operator set 7: attributes that later became inputs; initializers among the inputs."""
    nodes = [
        node("Pad", "x", "p0", pads=[0, 0, 1, 0, 0, 0, 0, 2], mode="edge"),
        node("Slice", "p0", "s0", axes=[2, 3], starts=[0, 1], ends=[-1, 100]),
        node("PRelu", "s0 slope", "r0"),
        node("Clip", "r0", "k0", min=-1.0, max=1.5),
        node("ReduceSum", "k0", "u0", axes=[3], keepdims=0),
        node("Unsqueeze", "u0", "q0", axes=[1]),
        node("Squeeze", "q0", "z0", axes=[1]),
        node("Split", "z0", "a b", axis=1, split=[1, 2]),
        node("Concat", "b a", "j0", axis=1),
        node("Flatten", "j0", "f0"),
        node("Dropout", "f0", "o0"),
        node("LogSoftmax", "o0", "y"),
    ]
    save("old", nodes, {"slope": weights(3, 1, 1)}, [3, 4, 4], 7)


def half():
    """f16 weights and input."""
    nodes = [
        node("MatMul", "x w0", "m0"),
        node("Add", "m0 b0", "a0"),
        node("Pow", "a0 two", "p0"),
        node("Cast", "p0", "k0", to=TensorProto.FLOAT),
        node("Sub", "k0 c", "s0"),
        node("Cast", "s0", "y", to=TensorProto.FLOAT16),
    ]
    constants = {
        "w0": weights(5, 3, dtype=np.float16), "b0": weights(3, dtype=np.float16), "two": np.float16(2),
        "c": weights(3),
    }  # fmt: skip
    save("half", nodes, constants, [5], 15, elem=TensorProto.FLOAT16)


def external():
    nodes = [node("Gemm", "x w b", "g0"), node("Tanh", "g0", "t0"), node("Gemm", "t0 w2", "y", alpha=2.0)]
    constants = {"w": weights(6, 4), "b": weights(4), "w2": weights(4, 2)}
    save("external", nodes, constants, [6], 21, external=True)


def silu():
    """Swish, Mish and HardSwish written out, and a mean by the newest forms."""
    nodes = [
        node("Sigmoid", "x", "s0"),
        node("Mul", "x s0", "m0"),
        node("Softplus", "m0", "p0"),
        node("Tanh", "p0", "t0"),
        node("Mul", "t0 m0", "m1"),
        node("Add", "m1 three", "a0"),
        node("Clip", "a0 zero six", "k0"),
        node("Mul", "m1 k0", "h0"),
        node("Div", "h0 six", "d0"),
        node("Split", "d0", "left right", axis=1, num_outputs=2),
        node("Max", "left right", "x0"),
        node("ReduceMean", "x0 axes", "y", keepdims=1),
    ]
    constants = {
        "three": np.float32(3), "zero": np.float32(0), "six": np.float32(6), "axes": np.array([-1]),
    }  # fmt: skip
    save("silu", nodes, constants, [4, 3], 20, out=("N", "C", "L"))


if __name__ == "__main__":
    MODELS.mkdir(exist_ok=True)
    for make in (lenet, residual, gelu, old, half, external, silu):
        make()
    print(f"{sum(path.stat().st_size for path in MODELS.iterdir())} bytes in {MODELS}")
