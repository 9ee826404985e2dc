"""What the scripts that time single operations and bootstraps share. Needs NumPy only."""

import os
import resource
import statistics
import sys
import time

import numpy as np


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


def precision(values, expected):
    """Returns the bits of the largest and of the mean error."""
    error = np.abs(np.asarray(values) - expected)
    return {"bits": float(-np.log2(error.max())), "mean_bits": float(-np.log2(error.mean()))}


def check(name, values, expected):
    """Raises an error if an operation that was timed computed something else."""
    bits = precision(values, expected)["bits"]
    if not bits > 12:
        raise ValueError(f"{name} is right to {bits:.1f} bits only")


def peak_memory():
    """Returns the peak resident memory of this process in bytes; Linux counts it in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
