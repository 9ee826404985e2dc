"""Times HCNN's MNIST network in batch packing on OpenFHE BFV (package openfhe, Python 3.10) and prints one JSON object.

    python openfhe_batch.py --threads 2 --reps 5

28x28 - conv 5x5 stride 2 (1 to 5 channels, no padding) - square - conv 5x5 stride 2 (5 to 50) - square - FC 800 to 10,
without biases, which cost next to nothing here. One ciphertext holds one pixel of 8192 images, so nothing rotates.
Weights are random integers of -7 to 7 without 0. Plaintext modulus 65537: outputs wrap around it, and a network whose
outputs are larger needs a few such moduli, each a run of its own that takes as long.

N = 2^13 and three primes of 60 bits with OpenFHE's default key switching, which has no special primes: two primes are
not enough for the noise, and three primes of 52 bits with a special one have less room and take longer.

OpenFHE's BFV has no product with a number (`EvalMult` and `EvalLinearWSum` say "not implemented"), so there are two
ways to weigh, and the network is given for both:

- products: `EvalMult` with a plaintext that holds the weight in every slot, encoded once for each of the 14 weights,
  then `EvalAddInPlace`.
- tables: 2 to 7 times each input, once, by `EvalAdd`; then `EvalAddInPlace` or `EvalSubInPlace` of a multiple.

The whole network takes long, so only parts are timed, medians of wall seconds; their names say which. `seconds` adds
them up as often as the network has them (LAYERS). FC's tables would fill the memory, so its terms count as the second
convolution's do. `spare_bits` is how often the result of all layers can be doubled before it decrypts wrongly; slots of
it are checked. FC's 800 inputs are copies of the 50 that one position of the second convolution gives.

OpenFHE divides single operations among threads; two processes of one thread each, an output each, are the alternative.
"""

import json
import math

import numpy as np

import measuring
import openfhe_bfv

LOG_N, DEPTH, PRIME_BITS = 13, 3, 60
LARGEST_WEIGHT = 7
WEIGHTS = [w for w in range(-LARGEST_WEIGHT, LARGEST_WEIGHT + 1) if w != 0]
# Inputs, outputs and terms of an output.
LAYERS = {
    "conv 1": (28 * 28, 5 * 12 * 12, 25),
    "conv 2": (5 * 12 * 12, 50 * 4 * 4, 125),
    "fc": (50 * 4 * 4, 10, 800),
}
# Outputs of the second convolution at one position.
MAPS = 50
# Slots that the checks compute in the clear.
CHECKED = 64


class Batch:
    """A context with its keys. Values are pairs of a ciphertext and its first CHECKED slots."""

    def __init__(self):
        self.context = openfhe_bfv.make_context(LOG_N, DEPTH, PRIME_BITS)
        self.keys = self.context.KeyGen()
        self.context.EvalMultKeyGen(self.keys.secretKey)
        self.random = np.random.default_rng(1)
        self.constants = {w: self.plaintext([w] * (1 << LOG_N)) for w in [*WEIGHTS, 2]}

    def plaintext(self, slots):
        return self.context.MakePackedPlaintext(slots)

    def pixel(self):
        slots = self.random.integers(0, 256, 1 << LOG_N)
        ciphertext = self.context.Encrypt(self.keys.publicKey, self.plaintext(slots.tolist()))
        return ciphertext, slots[:CHECKED]

    def weights(self, count):
        return self.random.choice(WEIGHTS, count).tolist()

    def sum_of_products(self, ciphertexts, weights):
        pairs = zip(ciphertexts, weights)
        products = (self.context.EvalMult(c, self.constants[w]) for c, w in pairs)
        total = next(products)
        for product in products:
            self.context.EvalAddInPlace(total, product)
        return total

    def table(self, ciphertext):
        """Returns 1 to LARGEST_WEIGHT times a ciphertext."""
        multiples = [ciphertext]
        while len(multiples) < LARGEST_WEIGHT:
            multiples.append(self.context.EvalAdd(multiples[-1], ciphertext))
        return multiples

    def sum_of_multiples(self, tables, weights):
        # The first is negated if need be: there is nothing yet to subtract from.
        total = tables[0][abs(weights[0]) - 1].Clone()
        if weights[0] < 0:
            self.context.EvalNegateInPlace(total)
        for multiples, w in zip(tables[1:], weights[1:]):
            accumulate = self.context.EvalAddInPlace if w > 0 else self.context.EvalSubInPlace
            accumulate(total, multiples[abs(w) - 1])
        return total

    def output(self, values, weights):
        """Returns a weighted sum of values."""
        ciphertext = self.sum_of_products([c for c, _ in values], weights)
        slots = sum(w * slots for w, (_, slots) in zip(weights, values))
        return ciphertext, slots % measuring.PLAINTEXT_MODULUS

    def square(self, value):
        ciphertext, slots = value
        return self.context.EvalSquare(ciphertext), slots**2 % measuring.PLAINTEXT_MODULUS

    def check(self, name, ciphertext, slots):
        decrypted = self.context.Decrypt(ciphertext, self.keys.secretKey)
        decrypted.SetLength(CHECKED)
        measuring.check_integers(name, decrypted.GetPackedValue(), slots)


def evaluate(batch):
    """Returns what a path through the network needs: the inputs of each layer, and an output of the last."""
    pixels = [batch.pixel() for _ in range(25)]
    hidden = [batch.square(batch.output(pixels, batch.weights(25))) for _ in range(125)]
    position = [batch.square(batch.output(hidden, batch.weights(125))) for _ in range(MAPS)]
    # Copies, so that the sum reads as much memory as in the network.
    flat = [(c.Clone(), slots) for _ in range(800 // MAPS) for c, slots in position]
    return {"conv 1": pixels, "conv 2": hidden, "fc": flat}, batch.output(flat, batch.weights(800))


def spare_bits(batch, value):
    """Returns how often a value can be doubled; raises an error if it is wrong already."""
    ciphertext, slots = value
    batch.check("the network", ciphertext, slots)
    for bits in range(PRIME_BITS):
        slots = 2 * slots % measuring.PLAINTEXT_MODULUS
        ciphertext = batch.context.EvalMult(ciphertext, batch.constants[2])
        try:
            batch.check("the double", ciphertext, slots)
        except ValueError:
            return bits
    return PRIME_BITS


def time_layer(batch, values, reps):
    """Returns the seconds of a weighted sum of values, either way to weigh, and of its square."""
    ciphertexts, weights = [c for c, _ in values], batch.weights(len(values))
    tables = [batch.table(c) for c in ciphertexts]
    _, slots = batch.output(values, weights)
    batch.check("the sum by tables", batch.sum_of_multiples(tables, weights), slots)
    operations = {
        "output, products": lambda: batch.sum_of_products(ciphertexts, weights),
        "output, tables": lambda: batch.sum_of_multiples(tables, weights),
        "square": lambda: batch.context.EvalSquare(sums),
    }
    sums = operations["output, products"]()
    return {name: measuring.median_seconds(call, reps) for name, call in operations.items()}


def time_parts(batch, inputs, reps):
    """Returns the seconds of each part."""
    parts = {}
    for layer in ["conv 1", "conv 2"]:
        for name, seconds in time_layer(batch, inputs[layer], reps).items():
            parts[f"{layer} {name}"] = seconds
    flat = [c for c, _ in inputs["fc"]]
    weights = batch.weights(len(flat))
    parts["fc output, products"] = measuring.median_seconds(
        lambda: batch.sum_of_products(flat, weights), reps
    )
    terms, all_terms = LAYERS["conv 2"][2], LAYERS["fc"][2]
    parts["fc output, tables"] = parts["conv 2 output, tables"] * all_terms / terms
    parts["table"] = measuring.median_seconds(lambda: batch.table(flat[0]), reps)
    return parts


def extrapolate(parts):
    """Returns the seconds of the network for a batch, either way to weigh."""
    seconds = {}
    for way in ["products", "tables"]:
        total = 0.0
        for layer, (n_inputs, n_outputs, _) in LAYERS.items():
            total += n_outputs * (parts[f"{layer} output, {way}"] + parts.get(f"{layer} square", 0))
            total += n_inputs * parts["table"] if way == "tables" else 0
        seconds[way] = total
    return seconds


def main():
    options = measuring.parser(__doc__, log_n=LOG_N).parse_args()
    measuring.use_threads(options.threads)
    batch = Batch()
    inputs, output = evaluate(batch)
    spare = spare_bits(batch, output)
    parts = time_parts(batch, inputs, options.reps)
    log_q = math.log2(batch.context.GetElementParams().GetModulus())
    report = {
        "system": "openfhe",
        "log_n": LOG_N,
        "log_qp": log_q,
        "plaintext_modulus": measuring.PLAINTEXT_MODULUS,
        "images": 1 << LOG_N,
        "threads": options.threads,
        "spare_bits": spare,
        "parts": parts,
        "seconds": extrapolate(parts),
        "peak_memory_bytes": measuring.peak_memory(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
