"""The three stages that every peer script has, run by `run.py` as a process each.

`prepare` compiles, makes keys, encrypts and writes everything into the work folder; `serve` reads it back and
runs the network on the encrypted input; `finish` decrypts. Each prints one line of JSON. As separate processes,
the memory of `serve` is that of a server, and no object survives from one stage to the next unless it is a file.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import onnx
from onnx import numpy_helper

FOLDER = pathlib.Path(__file__).parent


def timed(function):
    """Returns the result of `function` and its seconds."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def repeat(function, count):
    """Returns the last result of `function` and the wall and CPU seconds of each of `count` calls."""
    wall, cpu = [], []
    for _ in range(count):
        started = time.process_time()
        result, seconds = timed(function)
        wall.append(seconds)
        cpu.append(time.process_time() - started)
    return result, {"wall_s": wall, "cpu_s": cpu}


def image():
    """Returns the input, f32 [1, 1, 28, 28]."""
    return np.load(FOLDER / "small_cnn.npz")["x"]


def weights():
    """Returns the initializers of the network by name (`conv.weight`, `fc1.bias`, ...)."""
    graph = onnx.load(FOLDER / "small_cnn.onnx").graph
    return {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in graph.initializer}


def main(prepare, serve, finish):
    """Runs the stage named on the command line; `prepare(work, options)` and so on return a dictionary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=["prepare", "serve", "finish"])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--backend", default="")
    options = parser.parse_args()
    stage = {"prepare": prepare, "serve": serve, "finish": finish}[options.stage]
    report = stage(options.work, options)
    (options.work / f"{options.stage}.json").write_text(json.dumps(report))
