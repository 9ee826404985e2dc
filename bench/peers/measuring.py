"""What the scripts that time single operations and bootstraps share. Needs NumPy only."""

import argparse
import os
import resource
import statistics
import sys
import time

import numpy as np

# Slots hold integers modulo this prime, which is 1 modulo 2N for every ring here.
PLAINTEXT_MODULUS = 65537


def parser(doc, log_n=16, reps=5):
    """Returns the arguments that every script takes; `doc` is its docstring."""
    arguments = argparse.ArgumentParser(description=doc.splitlines()[0])
    arguments.add_argument("--log-n", type=int, default=log_n)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--reps", type=int, default=reps)
    return arguments


def parse_ops(doc):
    """Returns the options of a script that times CKKS operations."""
    arguments = parser(doc)
    arguments.add_argument("--limbs", type=int, default=24, help="primes of the ciphertexts")
    arguments.add_argument(
        "--chain", type=int, help="primes of the scheme and its keys; --limbs if not given"
    )
    arguments.add_argument("--digits", type=int, default=3)
    options = arguments.parse_args()
    options.chain = options.chain or options.limbs
    return options


def bootstrap_parser(doc):
    """Returns the arguments of a script that times a CKKS bootstrap."""
    arguments = parser(doc, reps=1)
    arguments.add_argument("--values", type=int, default=16384)
    arguments.add_argument("--levels", type=int, default=6)
    arguments.add_argument("--digits", type=int, default=3)
    return arguments


def use_threads(threads, extra=None):
    """Starts this script again with the thread limits of OpenMP and Go in its environment, if it lacks them.

    Go reads its limits when the process starts, so setting them here would be too late.
    """
    wanted = {"OMP_NUM_THREADS": str(threads), "GOMAXPROCS": str(threads), **(extra or {})}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


def seconds_of(function, *arguments):
    """Returns the result of one call and its wall seconds."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def median_seconds(function, reps, prepare=lambda: (), discard=lambda result: None):
    """Returns the median wall seconds of `reps` calls, after one that is not counted.

    `prepare` makes the arguments of each call and `discard` frees its result; neither is timed.
    """
    times = []
    for _ in range(reps + 1):
        arguments = prepare()
        result, seconds = seconds_of(function, *arguments)
        times.append(seconds)
        discard(result)
    return statistics.median(times[1:])


def test_values(count):
    """Returns `count` reals, uniform in -1 to 1, the same in every run."""
    return np.random.default_rng(1).uniform(-1, 1, count)


def test_integers(count):
    """Returns `count` integers below the plaintext modulus, the same in every run."""
    return np.random.default_rng(1).integers(0, PLAINTEXT_MODULUS, count)


def rotated_rows(integers):
    """Returns BFV slots, two rows, after a rotation of both by one step to the left."""
    return np.roll(integers.reshape(2, -1), -1, axis=1).ravel()


def precision(values, expected):
    """Returns the bits of the largest and of the mean error."""
    error = np.abs(np.asarray(values) - expected)
    return {"bits": float(-np.log2(error.max())), "mean_bits": float(-np.log2(error.mean()))}


def check(name, values, expected):
    """Raises an error if an operation that was timed computed something else."""
    bits = precision(values, expected)["bits"]
    if not bits > 12:
        raise ValueError(f"{name} is right to {bits:.1f} bits only")


def check_integers(name, values, expected):
    """Raises an error if an operation on integers that was timed computed something else."""
    wrong = np.count_nonzero((np.asarray(values) - expected) % PLAINTEXT_MODULUS)
    if wrong:
        raise ValueError(f"{name} is wrong in {wrong} of {len(expected)} slots")


def peak_memory():
    """Returns the peak resident memory of this process in bytes; Linux counts it in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
