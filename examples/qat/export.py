"""Writes a trained network as ONNX: float, QDQ (standard operators) or QONNX (`Quant` nodes).

All three read `x` [1, 1, 28, 28], pixels / 255, and give `logits` [1, 10]. Opset 13.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from networks import CLASSES

OPSET = 13
QONNX_DOMAIN, QONNX_VERSION = "qonnx.custom_op.general", 2
LAYERS = ["conv1", "conv2", "fc"]


class Graph:
    """Nodes and constants of a graph that is being written, each named after its output."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value, dtype):
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def quantized_input(self, scale, levels):
        """Adds QuantizeLinear - Clip - DequantizeLinear of x to the integers 0..levels."""
        scale = self.constant("x_scale", scale, np.float32)
        zero = self.constant("x_zero", 0, np.uint8)
        low = self.constant("x_min", 0, np.uint8)
        high = self.constant("x_max", levels, np.uint8)
        x = self.node("QuantizeLinear", ["x", scale, zero], "x_wide")
        x = self.node("Clip", [x, low, high], "x_integer")
        return self.node("DequantizeLinear", [x, scale, zero], "x_quantised")

    def dequantized(self, name, integers, scale, dtype):
        """Adds integers that DequantizeLinear multiplies by their scale."""
        inputs = [
            self.constant(f"{name}_integer", integers, dtype),
            self.constant(f"{name}_scale", scale, np.float32),
            self.constant(f"{name}_zero", 0, dtype),
        ]
        return self.node("DequantizeLinear", inputs, name)

    def save(self, path, opsets, shape=(1, 1, 28, 28)):
        """Checks the graph and writes it; `shape` is that of x."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, path.name.split(".")[0],
            [value("x", TensorProto.FLOAT, shape)],
            [value("logits", TensorProto.FLOAT, [1, CLASSES])],
            self.constants,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=opsets, producer_name="hecc-examples")
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def _layers(graph, x, weights, transpose):
    """Adds the layers to the graph; `weights` are names of (weight, bias or None) of each."""
    for layer, (weight, bias) in zip(LAYERS[:2], weights[:2]):
        inputs = [x, weight] + ([bias] if bias else [])
        x = graph.node(
            "Conv", inputs, layer, kernel_shape=[5, 5], strides=[2, 2], pads=[0, 0, 0, 0]
        )
        x = graph.node("Mul", [x, x], f"{layer}_square")
    x = graph.node("Flatten", [x], "flat", axis=1)
    weight, bias = weights[2]
    if not transpose:
        graph.node("Gemm", [x, weight] + ([bias] if bias else []), "logits", transB=1)
        return
    weight = graph.node("Transpose", [weight], "fc_transposed", perm=[1, 0])
    x = graph.node("MatMul", [x, weight], "fc" if bias else "logits")
    if bias:
        graph.node("Add", [x, bias], "logits")


def save_float(path, network):
    """Writes the network without any quantizer, with Gemm."""
    graph, weights = Graph(), []
    for name, layer in zip(LAYERS, network.layers):
        weight = graph.constant(f"{name}_weight", layer.weight.detach(), np.float32)
        bias = layer.bias
        if bias is not None:
            bias = graph.constant(f"{name}_bias", bias.detach(), np.float32)
        weights.append((weight, bias))
    _layers(graph, "x", weights, transpose=False)
    graph.save(path, [helper.make_opsetid("", OPSET)])


def save_qdq(path, network):
    """Writes QuantizeLinear - Clip - DequantizeLinear on x, DequantizeLinear on INT8 weights."""
    graph, config, weights = Graph(), network.config, []
    x = graph.quantized_input(config.input_scale, config.levels)
    parts = zip(LAYERS, network.integers(), network.scales(), network.units())
    for name, (weight, bias), scale, unit in parts:
        weight = graph.dequantized(
            f"{name}_weight", weight.detach(), scale.detach(), np.int8
        )
        if bias is not None:
            bias = graph.dequantized(f"{name}_bias", bias.detach(), unit.detach(), np.int32)
        weights.append((weight, bias))
    _layers(graph, x, weights, transpose=False)
    graph.save(path, [helper.make_opsetid("", OPSET)])


def save_qonnx(path, network):
    """Writes `Quant` on x and on the float weights and biases; Transpose and MatMul for FC."""
    graph, config, weights = Graph(), network.config, []
    zero = graph.constant("zero", 0, np.float32)

    def quant(source, name, scale, bits, signed):
        scale = graph.constant(f"{name}_scale", scale, np.float32)
        bits = graph.constant(f"{name}_bits", bits, np.float32)
        return graph.node(
            "Quant", [source, scale, zero, bits], name, domain=QONNX_DOMAIN,
            signed=int(signed), narrow=int(signed), rounding_mode="ROUND",
        )  # fmt: skip

    # A width in bits cannot say 0..4; with scale 1/4 pixels of at most 1 do not pass 4 anyway.
    x = quant("x", "x_quantised", config.input_scale, config.levels.bit_length(), signed=False)
    parts = zip(LAYERS, network.layers, config.bits, network.scales(), network.units())
    for name, layer, bits, scale, unit in parts:
        source = graph.constant(f"{name}_float", layer.weight.detach(), np.float32)
        weight, bias = quant(source, f"{name}_weight", scale.detach(), bits, signed=True), None
        if layer.bias is not None:
            source = graph.constant(f"{name}_bias_float", layer.bias.detach(), np.float32)
            bias = quant(source, f"{name}_bias", unit.detach(), 32, signed=True)
        weights.append((weight, bias))
    _layers(graph, x, weights, transpose=True)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX_DOMAIN, QONNX_VERSION)]
    graph.save(path, opsets)
