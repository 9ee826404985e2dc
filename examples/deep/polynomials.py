"""Measures the accuracy of the example networks with a polynomial in place of every ReLU.

    python polynomials.py --mnist DIR [--part train]

reads `deep.onnx` and `residual.onnx`, fits each polynomial as compiler/src/poly/fit.rs does, on the
distribution of the input of its ReLU over the first 4,096 training images, and evaluates on the test
images, or, with `--part train`, on the last 5,000 training images. In f64, seconds. Needs onnx, NumPy.

Two ways to observe that distribution: `original`, in the network as it is (this is what the compiler
does), and `sequential`, with the ReLUs before it replaced already.
"""

import argparse
import pathlib
import sys

import numpy as np
import onnx
from numpy.polynomial import chebyshev

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mnist"))
import idx

VALIDATION = 5000
N_BINS, N_FLOOR, MARGIN, FLOOR = 2000, 512, 1.25, 1e-4


def run(graph, x, activation):
    """Returns the logits for images `x`; `activation(number, z)` stands in for each ReLU."""
    values = {graph.input[0].name: x.astype(np.float64)}
    for tensor in graph.initializer:
        values[tensor.name] = onnx.numpy_helper.to_array(tensor).astype(np.float64)
    number = 0
    for node in graph.node:
        inputs = [values[name] for name in node.input]
        if node.op_type == "Flatten":
            result = inputs[0].reshape(len(x), -1)
        elif node.op_type == "Gemm":
            result = inputs[0] @ inputs[1].T + inputs[2]
        elif node.op_type == "Add":
            result = inputs[0] + inputs[1]
        elif node.op_type == "Relu":
            result = activation(number, inputs[0])
            number += 1
        else:
            raise ValueError(f"{node.name}: operator {node.op_type}")
        values[node.output[0]] = result
    return values[graph.output[0].name]


def relu(_, z):
    return np.maximum(z, 0)


def fit(z, degree):
    """Returns the middle and half the length of the interval, and Chebyshev coefficients."""
    counts, edges = np.histogram(z, N_BINS)
    middle, half = (edges[0] + edges[-1]) / 2, (edges[-1] - edges[0]) / 2 * MARGIN
    seen = counts > 0
    nodes = np.cos(np.pi * (np.arange(N_FLOOR) + 0.5) / N_FLOOR)
    points = np.concatenate([(edges[:-1] + edges[1:])[seen] / 2, middle + half * nodes])
    weights = np.concatenate(
        [counts[seen] / counts.sum() * (1 - FLOOR), np.full(N_FLOOR, FLOOR / N_FLOOR)]
    )
    root = np.sqrt(weights)
    rows = chebyshev.chebvander((points - middle) / half, degree) * root[:, None]
    return middle, half, np.linalg.lstsq(rows, root * relu(0, points), rcond=None)[0]


def evaluate(polynomial, z):
    middle, half, coefficients = polynomial
    return chebyshev.chebval((z - middle) / half, coefficients)


def fit_all(graph, x, degree, sequential):
    """Returns the polynomial of each ReLU of the network."""
    polynomials = []

    def activation(_, z):
        polynomials.append(fit(z, degree))
        return evaluate(polynomials[-1], z) if sequential else relu(_, z)

    run(graph, x, activation)
    return polynomials


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", required=True, help="folder of the four MNIST files, plain or .gz"
    )
    parser.add_argument("--networks", default=pathlib.Path(__file__).parent, type=pathlib.Path)
    parser.add_argument("--part", default="t10k", choices=["t10k", "train"])
    parser.add_argument("--calibration", default=4096, type=int, help="training images fitted on")
    parser.add_argument("--degrees", default=[2, 3, 5, 7], type=int, nargs="+")
    args = parser.parse_args()
    train_x = idx.load(args.mnist, "train")[0][: args.calibration]
    x, y = idx.load(args.mnist, args.part)
    if args.part == "train":
        x, y = x[-VALIDATION:], y[-VALIDATION:]
    for name in ["deep", "residual"]:
        graph = onnx.load(args.networks / f"{name}.onnx").graph
        original = run(graph, x, relu)
        print(f"{name}: ReLU {np.mean(original.argmax(1) == y):.4f}")
        for degree in args.degrees:
            for way in ["original", "sequential"]:
                polynomials = fit_all(graph, train_x, degree, way == "sequential")
                outside = 0

                def activation(number, z):
                    nonlocal outside
                    middle, half, _ = polynomials[number]
                    outside += np.count_nonzero(abs(z - middle) > half)
                    return evaluate(polynomials[number], z)

                logits = run(graph, x, activation)
                # A logit that is not finite decides nothing.
                finite = np.isfinite(logits).all(1)
                right = np.mean(finite & (logits.argmax(1) == y))
                alike = np.mean(finite & (logits.argmax(1) == original.argmax(1)))
                print(
                    f"  degree {degree}, {way}: {right:.4f}, {alike:.4f} as with ReLU, "
                    f"{outside} inputs outside of the interval"
                )


if __name__ == "__main__":
    main()
