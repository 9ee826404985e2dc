"""Trains an autoencoder 784-256-64-256-784 on MNIST and writes it with a part of its weights left, the largest of each layer.

    python autoencoder.py DATA OUT      DATA: the folder of MNIST's four files; OUT: a folder

Writes OUT/dense.onnx, OUT/kept_30.onnx, .. and OUT/calibration.npz. Pruned networks are not trained further: only where
their zeros are matters here.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "mnist"))
import idx  # noqa: E402

SIZES = [784, 256, 64, 256, 784]
KEPT = [30, 20, 10, 5]


def activation(x):
    return x + 0.1 * x * x


def train(images, rng, epochs=3, batch=128, rate=1e-3):
    """Adam on the mean square error."""
    weights = [rng.normal(0, np.sqrt(1 / a), (a, b)) for a, b in zip(SIZES, SIZES[1:])]
    parameters = weights + [np.zeros(b) for b in SIZES[1:]]
    moments = [[np.zeros_like(p), np.zeros_like(p)] for p in parameters]
    n, step = len(SIZES) - 1, 0
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(images)), len(images) // batch):
            x = images[rows]
            inputs, sums = [x], []
            for layer in range(n):
                sums.append(inputs[-1] @ parameters[layer] + parameters[n + layer])
                inputs.append(activation(sums[-1]) if layer < n - 1 else sums[-1])
            gradient = 2 * (inputs[-1] - x) / x.size
            gradients = [None] * (2 * n)
            for layer in reversed(range(n)):
                if layer < n - 1:
                    gradient = gradient * (1 + 0.2 * sums[layer])
                gradients[layer] = inputs[layer].T @ gradient
                gradients[n + layer] = gradient.sum(0)
                gradient = gradient @ parameters[layer].T
            step += 1
            for p, g, m in zip(parameters, gradients, moments):
                m[0] = 0.9 * m[0] + 0.1 * g
                m[1] = 0.999 * m[1] + 0.001 * g * g
                p -= rate * (m[0] / (1 - 0.9**step)) / (np.sqrt(m[1] / (1 - 0.999**step)) + 1e-8)
    print(f"mean square error of the last batch {np.mean((inputs[-1] - x) ** 2):.5f}")
    return parameters[:n], parameters[n:]


def pruned(weight, kept):
    threshold = np.quantile(np.abs(weight), 1 - kept / 100)
    return np.where(np.abs(weight) >= threshold, weight, 0)


def network(weights, biases):
    nodes, constants, value = [], [("tenth", np.array(0.1, np.float32))], "x"
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        constants += [(f"w{i}", weight.astype(np.float32)), (f"b{i}", bias.astype(np.float32))]
        is_last = i == len(weights) - 1
        out = "y" if is_last else f"s{i}"
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [out], name=f"fc{i}"))
        if not is_last:
            nodes.append(helper.make_node("Mul", [out, out], [f"q{i}"], name=f"square{i}"))
            nodes.append(helper.make_node("Mul", [f"q{i}", "tenth"], [f"t{i}"], name=f"tenth{i}"))
            nodes.append(helper.make_node("Add", [out, f"t{i}"], [f"a{i}"], name=f"act{i}"))
            value = f"a{i}"
    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 784])
    initializers = [numpy_helper.from_array(array, name) for name, array in constants]
    graph = helper.make_graph(nodes, "autoencoder", [tensor("x")], [tensor("y")], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(data, out):
    out.mkdir(parents=True, exist_ok=True)
    images = idx.load(data, "train")[0].reshape(-1, 784).astype(np.float64)
    weights, biases = train(images, np.random.default_rng(1))
    onnx.save(network(weights, biases), out / "dense.onnx")
    for kept in KEPT:
        onnx.save(network([pruned(w, kept) for w in weights], biases), out / f"kept_{kept}.onnx")
    np.savez(out / "calibration.npz", x=images[:400].astype(np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
