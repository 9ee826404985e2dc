"""Runs a quantized MNIST network of examples/qat in batch packing on OpenFHE BFV and prints one JSON object.

    python openfhe_batch.py --model ../../examples/qat/hcnn_mnist_tiny.onnx --threads 2

Needs the packages openfhe (Python 3.10) and onnx. One ciphertext holds one pixel of 8192 images, so nothing rotates. The
whole network is run, with the file's weights and biases, and 64 slots of each result are compared with integers.

Plaintext modulus 65537: enough for `tiny`; results of wider networks wrap around it, and would take a run for each of
several moduli. OpenFHE's default key switching, which has no special primes. It derives the number of primes from
`--depth`, which is to be the smallest that gives right results: for `tiny` 2, and three primes of 60 bits.

OpenFHE's BFV has no product with a number (`EvalMult` and `EvalLinearWSum` say "not implemented"). Multiplying by a
plaintext that holds the weight in every slot is slower than adding multiples, 2 to |w| times each input, of which each is
made once by `EvalAdd`.
"""

import json
import math
import time

import numpy as np
import onnx
from onnx import numpy_helper

import measuring
import openfhe_bfv

LOG_N, PRIME_BITS = 13, 60
# Slots that are computed in the clear.
CHECKED = 64


class Batch:
    """A context with its keys. Values are pairs of a ciphertext and its first CHECKED slots."""

    def __init__(self, depth):
        self.context = openfhe_bfv.make_context(LOG_N, depth, PRIME_BITS)
        self.keys = self.context.KeyGen()
        self.context.EvalMultKeyGen(self.keys.secretKey)
        self.random = np.random.default_rng(1)

    def plaintext(self, slots):
        return self.context.MakePackedPlaintext(slots)

    def pixel(self, largest):
        slots = self.random.integers(0, largest + 1, 1 << LOG_N)
        ciphertext = self.context.Encrypt(self.keys.publicKey, self.plaintext(slots.tolist()))
        return ciphertext, slots[:CHECKED].astype(object)

    def square(self, value):
        ciphertext, slots = value
        return self.context.EvalSquare(ciphertext), slots**2

    def multiple(self, multiples, factor):
        """Returns a factor times the first of some multiples, which grow by what is missing."""
        while len(multiples) < factor:
            multiples.append(self.context.EvalAdd(multiples[-1], multiples[0]))
        return multiples[factor - 1]

    def weighted_sum(self, inputs, terms, bias):
        """Returns Σ w·x + bias; `inputs` are lists of multiples and slots, `terms` pairs of index and w."""
        # A positive weight comes first if there is one: there is nothing yet to subtract from.
        terms = sorted(terms, key=lambda term: term[1] < 0)
        total, slots = None, bias
        for index, w in terms:
            multiples, own = inputs[index]
            slots = slots + w * own
            term = self.multiple(multiples, abs(w))
            if total is None:
                total = term.Clone()
                if w < 0:
                    self.context.EvalNegateInPlace(total)
            elif w > 0:
                self.context.EvalAddInPlace(total, term)
            else:
                self.context.EvalSubInPlace(total, term)
        if bias:
            constant = self.plaintext([bias] * (1 << LOG_N))
            total = self.context.EvalAdd(total, constant)
        return total, slots

    def check(self, value):
        ciphertext, slots = value
        decrypted = self.context.Decrypt(ciphertext, self.keys.secretKey)
        decrypted.SetLength(CHECKED)
        expected = [int(x) % measuring.PLAINTEXT_MODULUS for x in slots]
        measuring.check_integers("a result", decrypted.GetPackedValue(), np.array(expected))


def layers(path):
    """Returns the linear layers as lists of (terms, bias), one for each output, and the largest input."""
    graph = onnx.load(path).graph
    arrays = {i.name: numpy_helper.to_array(i).astype(int) for i in graph.initializer}
    shape, result = (1, 28, 28), []
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        name = node.output[0] if node.op_type == "Conv" else node.input[1].removesuffix("_weight")
        weight = arrays[f"{name}_weight_integer"]
        bias = arrays.get(f"{name}_bias_integer", np.zeros(len(weight), int))
        if node.op_type == "Conv":
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            layer, shape = convolution(weight, bias, shape, attributes["strides"][0])
        else:
            layer = [(nonzero(enumerate(row)), int(b)) for row, b in zip(weight, bias)]
        result.append(layer)
    return result, int(arrays["x_max"].max())


def nonzero(terms):
    return [(index, int(w)) for index, w in terms if w != 0]


def convolution(weight, bias, shape, stride):
    """Returns the outputs of a convolution without padding, and their shape."""
    _, height, width = shape
    places = np.arange(np.prod(shape)).reshape(shape)
    k = weight.shape[2]
    size = (height - k) // stride + 1
    outputs = []
    for kernel, b in zip(weight, bias):
        for y in range(size):
            for x in range(size):
                window = places[:, y * stride : y * stride + k, x * stride : x * stride + k]
                outputs.append((nonzero(zip(window.ravel(), kernel.ravel())), int(b)))
    return outputs, (len(weight), size, size)


def evaluate(batch, network, pixels):
    """Returns the results and the seconds of each step."""
    values, seconds = pixels, {}
    for number, layer in enumerate(network):
        start = time.perf_counter()
        inputs = [value and ([value[0]], value[1]) for value in values]
        # What is zero for every input has no ciphertext, and no term reads it.
        zero = {i for i, value in enumerate(values) if value is None}
        outputs = [([term for term in terms if term[0] not in zero], bias) for terms, bias in layer]
        values = [batch.weighted_sum(inputs, terms, b) if terms else None for terms, b in outputs]
        seconds[f"linear {number + 1}"] = time.perf_counter() - start
        if number + 1 < len(network):
            start = time.perf_counter()
            values = [value and batch.square(value) for value in values]
            seconds[f"square {number + 1}"] = time.perf_counter() - start
    return values, seconds


def main():
    parser = measuring.parser(__doc__, log_n=LOG_N)
    parser.add_argument("--model", required=True, help="a QDQ file of examples/qat")
    parser.add_argument("--depth", type=int, default=2)
    options = parser.parse_args()
    measuring.use_threads(options.threads)
    batch = Batch(options.depth)
    network, largest = layers(options.model)
    results, seconds = evaluate(batch, network, [batch.pixel(largest) for _ in range(28 * 28)])
    for result in results:
        batch.check(result)
    report = {
        "system": "openfhe",
        "log_n": LOG_N,
        "log_q": math.log2(batch.context.GetElementParams().GetModulus()),
        "plaintext_modulus": measuring.PLAINTEXT_MODULUS,
        "images": 1 << LOG_N,
        "threads": options.threads,
        "seconds": sum(seconds.values()),
        "steps": seconds,
        "peak_memory_bytes": measuring.peak_memory(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
