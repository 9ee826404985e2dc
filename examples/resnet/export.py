"""Writes a trained network of squares as ONNX: Conv, Mul(s, s), and shortcuts as Slice, Pad and Mul.

Normalization is folded. As `(r*s)^2 = r^2 * s^2`, the scale of every channel is free: it is chosen so
that the largest |s| over some images is 1 in each, and the layers that follow take it in.
"""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# A channel that is always small is not enlarged beyond this part of the largest of its layer.
SMALL = 0.05


def survey(network, x):
    """Returns, for each activation, |s| and |t| at their largest: per channel [c], and per image [n]."""
    results = []

    def measure(square, inputs):
        t = square.norm(inputs[0])
        s = square.gain * t + square.shift
        results.append((s.abs().amax((0, 2, 3)), t.abs().amax((1, 2, 3))))

    hooks = [square.register_forward_pre_hook(measure) for square in network.activations()]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return results


def describe_ranges(network, x):
    """Prints how far the inputs of all squares reach."""
    for number, (s, t) in enumerate(survey(network, x), 1):
        print(
            f"  square {number:2}: |s| up to {s.max():.2f}, in the median channel {s.median():.2f}; "
            f"|t| up to {t.max():.1f}, of the median image {t.median():.1f}"
        )


class Graph:
    """Nodes and constants as they come."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        value = np.ascontiguousarray(value)
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, conv, name, factor, offset):
        """The convolution after `factor` on its result, `offset` added."""
        weight = self.constant(f"{name}.weight", float32(conv.weight.double() * factor))
        bias = self.constant(f"{name}.bias", float32(offset))
        pads, strides = [1, 1, 1, 1], list(conv.stride)
        return self.node("Conv", [x, weight, bias], name, pads=pads, strides=strides)

    def shortcut(self, x, block, name, factor):
        """Every other pixel and channels of zeros, where the shape changes, times `factor`."""
        if block.stride == 2:
            for key, value in [("starts", 0), ("ends", 2**31), ("axes", None), ("steps", 2)]:
                self.constant(key, np.array([2, 3] if value is None else [value] * 2, np.int64))
            x = self.node("Slice", [x, "starts", "ends", "axes", "steps"], f"{name}.slice")
            pads = np.array([0, block.pad, 0, 0] * 2, np.int64)
            x = self.node("Pad", [x, self.constant(f"{name}.pads", pads)], f"{name}.pad")
        factor = self.constant(f"{name}.factor", float32(factor.reshape(1, -1, 1, 1)))
        return self.node("Mul", [x, factor], name)


def float32(x):
    return x.detach().float().numpy()


def save(path, network, x):
    """Writes the network and holds the file to it, on images `x`, which scales are chosen on as well."""
    scales = [1 / s.clamp(min=SMALL * s.max()).double() for s, _ in survey(network, x)]
    build(path, network, scales)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        want = network(x)[0].numpy()
    found = np.concatenate([session.run(None, {"x": image[None]})[0] for image in x.numpy()])
    error = np.abs(found - want).max() / np.abs(want).max()
    assert error < 1e-4, f"{path}: off by {error} of the largest logit"
    print(f"{path}: {path.stat().st_size} bytes, off by {error:.1e} of the largest logit")


def build(path, network, scales):
    graph, scales = Graph(), iter(scales)

    def line(square, conv):
        """Factor on the sum before the square, and offset, as scaled; the scale of the square."""
        scale = next(scales)
        factor, offset = (v.double() * scale for v in square.line())
        return factor.reshape(-1, 1, 1, 1), offset + factor * conv.bias.double(), scale**2

    factor, offset, scale = line(network.activation, network.conv)
    s = graph.conv("x", network.conv, "conv", factor, offset)
    y = graph.node("Mul", [s, s], "square")
    for number, block in enumerate(network.blocks, 1):
        name = f"block{number}"
        factor, offset, inner = line(block.activation1, block.conv1)
        s = graph.conv(y, block.conv1, f"{name}.conv1", factor / scale[:, None, None], offset)
        inside = graph.node("Mul", [s, s], f"{name}.square1")

        factor, offset, outer = line(block.activation2, block.conv2)
        s = graph.conv(inside, block.conv2, f"{name}.conv2", factor / inner[:, None, None], offset)
        scale = torch.nn.functional.pad(scale, (block.pad, block.pad), value=1.0)
        skip = graph.shortcut(y, block, f"{name}.shortcut", factor.flatten() / scale)
        s = graph.node("Add", [s, skip], f"{name}.add")
        y, scale = graph.node("Mul", [s, s], f"{name}.square2"), outer

    y = graph.node("GlobalAveragePool", [y], "pool")
    y = graph.node("Flatten", [y], "flatten")
    weight = graph.constant("linear.weight", float32(network.linear.weight.double() / scale))
    bias = graph.constant("linear.bias", float32(network.linear.bias))
    graph.node("Gemm", [y, weight, bias], "logits", transB=1)

    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])]
    constants = list(graph.constants.values())
    model = helper.make_model(
        helper.make_graph(graph.nodes, "resnet20_quadratic", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hecc examples/resnet",
    )  # fmt: skip
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
