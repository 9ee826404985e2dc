"""Times CKKS operations of Lattigo 6.2 (package orion-fhe, see lattigo_library.py) and prints one JSON object.

    python lattigo_ops.py --log-n 16 --limbs 24 --threads 1 --reps 5

The chain is a prime of 60 bits and primes of 50 bits, with a third as many special primes of 60 bits, so three digits.
These are parameters for timing. Seconds are wall time, medians.

- mul_relin_rescale: product of two ciphertexts, relinearized and rescaled.
- rotate: one rotation.
- rescale: in place, of a product.
- linear_map_8: eight rotations that share one decomposition, each times a plaintext, summed and brought down from the
  special primes once.
- ntt, rotate_hoisted_8: null. The library exports neither; linear_map_8 does less than eight hoisted rotations.
"""

import json

import numpy as np

import lattigo_library
import measuring

STEPS = list(range(1, 9))
# The library takes the logarithm; negative means no baby and giant steps, only hoisting.
ONLY_HOISTING = 0.1


def make_scheme(options):
    special = -(-options.chain // options.digits)
    log_q = [60] + [50] * (options.chain - 1)
    scheme = lattigo_library.Scheme(options.log_n, log_q, [60] * special, 50)
    # Also makes the keys of all rotations by powers of two.
    scheme.library.NewEvaluator()
    return scheme


def make_linear_map(scheme, level):
    """Returns the number of a linear map with eight diagonals of 0.125, its keys made."""
    library = scheme.library
    diagonals = np.full(len(STEPS) << (scheme.log_n - 1), 0.125, dtype=np.float32)
    number = library.GenerateLinearTransform(
        *lattigo_library.ints(STEPS),
        *lattigo_library.floats(diagonals),
        level,
        ONLY_HOISTING,
        b"none",
    )
    elements = library.GetLinearTransformRotationKeys(number)
    for i in range(elements.length):
        library.GenerateLinearTransformRotationKey(elements.data[i])
    return number


def checked(scheme, ciphertext, name, expected, level):
    """Checks values and level of a result and frees it."""
    measuring.check(name, scheme.decrypt(ciphertext), expected)
    if scheme.level(ciphertext) != level:
        raise ValueError(f"{name} has level {scheme.level(ciphertext)}, not {level}")
    scheme.delete(ciphertext)


def measure(options):
    """Returns the seconds of each operation."""
    scheme, level = make_scheme(options), options.limbs - 1
    library = scheme.library
    x = measuring.test_values(1 << (options.log_n - 1))
    a, b = scheme.encrypt(x, level), scheme.encrypt(x, level)
    linear_map = make_linear_map(scheme, level)

    def product():
        return (library.MulRelinCiphertextNew(a, b),)

    operations = {
        "mul_relin_rescale": lambda: library.Rescale(*product()),
        "rotate": lambda: library.RotateNew(a, 1),
        "linear_map_8": lambda: library.EvaluateLinearTransform(linear_map, a),
    }
    mean = np.mean([np.roll(x, -step) for step in STEPS], axis=0)
    checked(scheme, operations["mul_relin_rescale"](), "the product", x * x, level - 1)
    checked(scheme, operations["rotate"](), "the rotation", np.roll(x, -1), level)
    checked(scheme, operations["linear_map_8"](), "the linear map", mean, level)

    seconds = {"ntt": None, "rotate_hoisted_8": None}
    for name, operation in operations.items():
        seconds[name] = measuring.median_seconds(operation, options.reps, discard=scheme.delete)
    seconds["rescale"] = measuring.median_seconds(
        library.Rescale, options.reps, product, scheme.delete
    )
    return seconds


def main():
    options = measuring.parse_ops(__doc__)
    measuring.use_threads(options.threads)
    ops = measure(options)
    sizes = {"log_n": options.log_n, "limbs": options.limbs, "chain": options.chain}
    report = {"system": "lattigo", **sizes, "digits": options.digits, "threads": options.threads}
    print(json.dumps({**report, "ops": ops, "peak_memory_bytes": measuring.peak_memory()}))


if __name__ == "__main__":
    main()
