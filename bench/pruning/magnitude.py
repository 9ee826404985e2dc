"""Keeps a part of the weights of a network and does not train it further: the largest weights of each layer, or with
`--units` whole units and channels, those of all layers but the last with the largest weights.

    python magnitude.py MODEL PERCENT OUT [--units]
"""

import argparse

import numpy as np
import onnx
from onnx import numpy_helper


def kept_weights(weight, percent):
    threshold = np.quantile(np.abs(weight), 1 - percent / 100)
    return np.where(np.abs(weight) >= threshold, weight, np.float32(0))


def kept_units(weight, percent, axis):
    sizes = np.square(weight).sum(tuple(d for d in range(weight.ndim) if d != axis), keepdims=True)
    return np.where(sizes >= np.quantile(sizes, 1 - percent / 100), weight, np.float32(0))


def result_axis(model, name):
    """The dimension of a weight that is the units of its results."""
    node = next(node for node in model.graph.node if name in node.input)
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type in ("Conv", "Transpose") or transposed else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("percent", type=float)
    parser.add_argument("out")
    parser.add_argument("--units", action="store_true")
    arguments = parser.parse_args()
    model = onnx.load(arguments.model)
    weights = [w for w in model.graph.initializer if len(w.dims) >= 2]
    for tensor in weights[:-1] if arguments.units else weights:
        weight = numpy_helper.to_array(tensor)
        if arguments.units:
            kept = kept_units(weight, arguments.percent, result_axis(model, tensor.name))
        else:
            kept = kept_weights(weight, arguments.percent)
        tensor.CopyFrom(numpy_helper.from_array(kept.astype(np.float32), tensor.name))
    onnx.save(model, arguments.out)


if __name__ == "__main__":
    main()
