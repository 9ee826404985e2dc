"""Times one CKKS bootstrap of Lattigo 6.2 (package orion-fhe, see lattigo_library.py) and prints one JSON object.

    python lattigo_bootstrap.py --log-n 16 --values 16384 --threads 1

Lattigo's default circuit: an encapsulated secret with 32 nonzero coefficients, CoeffsToSlots in four levels of 56 bits,
EvalMod in eight of 60 bits, SlotsToCoeffs in three of 39 bits. Below them, a prime of 55 bits and --levels primes of
40 bits, which is also the scale. The shared library allows no other circuit.

- levels: products in a row between one bootstrap and the next.
- bits, mean_bits: of the largest and the mean error, inputs uniform in -1 to 1.
- key_bytes: relinearization, Galois and encapsulation keys, computed from the parameters, because the library does not
  export them; null for sizes that are not in KEYS.
- log_qp: from the sizes of the primes.
- seconds: wall time, median of --reps bootstraps with no warm-up.
"""

import json
import statistics

import numpy as np

import lattigo_library
import measuring

# Go's default lets garbage grow to as much as the live data.
GARBAGE_PERCENT = {"GOGC": "25"}
CIRCUIT_BITS = 4 * 56 + 8 * 60 + 3 * 39
CIRCUIT_LIMBS = 4 + 8 + 3
# Keys of full size by log N and log of the values, counted in what the package orion-v2-lattigo serializes for the
# same circuit.
KEYS = {(14, 13): 37, (15, 13): 42, (15, 14): 45, (16, 14): 50, (16, 15): 50}


def make_bootstrapper(options, log_q, log_p):
    """Returns a scheme with its bootstrapping keys."""
    scheme = lattigo_library.Scheme(options.log_n, log_q, log_p, 40)
    scheme.library.NewEvaluator()
    scheme.library.NewBootstrapper(*lattigo_library.ints(log_p), options.values)
    return scheme


def bootstrap(scheme, options):
    """Returns the seconds of each bootstrap, the levels of its result and its precision."""
    x = measuring.test_values(options.values)
    slots = np.zeros(1 << (options.log_n - 1))
    slots[: x.size] = x
    ciphertext = scheme.encrypt(slots, 0)
    times = []
    for _ in range(options.reps):
        output, seconds = measuring.seconds_of(scheme.library.Bootstrap, ciphertext, options.values)
        times.append(seconds)
    return times, scheme.level(output), measuring.precision(scheme.decrypt(output)[: x.size], x)


def key_bytes(options, limbs, special):
    """Returns the bytes of the keys: those of full size and one that only covers a prime of each kind."""
    count = KEYS.get((options.log_n, options.values.bit_length() - 1))
    if count is None:
        return None
    limb_bytes, digits = 8 << options.log_n, -(-limbs // special)
    return (count * digits * (limbs + special) + 2) * 2 * limb_bytes


def main():
    options = measuring.bootstrap_parser(__doc__).parse_args()
    measuring.use_threads(options.threads, GARBAGE_PERCENT)
    log_q = [55] + [40] * options.levels
    limbs = len(log_q) + CIRCUIT_LIMBS
    log_p = [61] * -(-limbs // options.digits)
    scheme, setup_s = measuring.seconds_of(make_bootstrapper, options, log_q, log_p)
    times, levels, bits = bootstrap(scheme, options)
    report = {
        "system": "lattigo",
        "log_n": options.log_n,
        "values": options.values,
        "threads": options.threads,
        "seconds": statistics.median(times),
        "levels": levels,
        **bits,
        "key_bytes": key_bytes(options, limbs, len(log_p)),
        "peak_memory_bytes": measuring.peak_memory(),
        "log_qp": sum(log_q) + CIRCUIT_BITS + sum(log_p),
        "limbs": limbs,
        "digits": options.digits,
        "setup_seconds": setup_s,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
