"""Trains networks on MNIST, prunes them by plaintexts with hecc, trains what is left, and says what their plans take.

    python train.py --mnist DIR

One core, one to two minutes for a network as it is and 15 to 30 s for each that is pruned; see README.md.
"""

import argparse
import dataclasses
import json
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from networks import NETWORKS
from plans import Hecc
from table import table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mnist"))
import idx  # noqa: E402

BATCH = 128
OPSET = 17
# Passes over the images before and after pruning; a network that is not pruned gets both.
EPOCHS, MORE_EPOCHS = 12, 8
RATE, MORE_RATE = 2e-3, 1.5e-3
# Images that hecc sees.
CALIBRATION = 2000


def train(network, task, data, epochs, rate, seed, masks=None):
    """Trains in place with Adam and one cycle of the learning rate. Where a mask is false a weight stays zero."""
    x, y = data
    generator = torch.Generator().manual_seed(seed)
    steps = len(x) // BATCH
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * steps, pct_start=0.1)
    masked = [(p, masks[name]) for name, p in network.named_parameters() if name in (masks or {})]
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            result = network(task.inputs(x[rows], generator))
            loss = task.loss(result, x[rows], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for weights, mask in masked:
                    weights.mul_(mask)


def score(network, task, data):
    """How good a network is on images that it was not trained with; noise is the same for all networks."""
    x, y = data
    with torch.no_grad():
        return task.score(network(task.inputs(x, torch.Generator().manual_seed(0))), x, y)


def export(network, task, path):
    """Writes ONNX whose weights are called as in PyTorch."""
    torch.onnx.export(
        network, (torch.zeros(1, *task.input_shape),), str(path), dynamo=False, opset_version=OPSET,
        input_names=["x"], output_names=["y"], do_constant_folding=False,
    )  # fmt: skip


def load(network, path):
    """Reads the weights of an ONNX file that came from such a network."""
    stored = {t.name: numpy_helper.to_array(t).copy() for t in onnx.load(path).graph.initializer}
    network.load_state_dict({n: torch.from_numpy(stored[n]) for n in network.state_dict()})


def calibration(task, x, path):
    inputs = task.inputs(x[:CALIBRATION], torch.Generator().manual_seed(1))
    np.savez(path, x=inputs.reshape(CALIBRATION, 1, *task.input_shape[-3:]).numpy())


class Study:
    """One network with one seed."""

    def __init__(self, name, seed, data, test, hecc, folder):
        self.make, self.task = NETWORKS[name]
        self.name, self.seed, self.data, self.test = name, seed, data, test
        self.hecc, self.folder = hecc, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.inputs = folder / "calibration.npz"

    def dense(self):
        """Trains the network as it is and writes `dense.onnx`; returns how good it would be with as much training as the others."""
        torch.manual_seed(self.seed)
        network = self.make()
        train(network, self.task, self.data, EPOCHS, RATE, self.seed)
        export(network, self.task, self.folder / "dense.onnx")
        calibration(self.task, self.data[0], self.inputs)
        plan = self.hecc.compile(self.folder / "dense.onnx", self.inputs)
        before = score(network, self.task, self.test)
        train(network, self.task, self.data, MORE_EPOCHS, MORE_RATE, self.seed + 1000)
        return self.row("dense", 1.0, before, score(network, self.task, self.test), plan)

    def pruned(self, method, keep):
        """Prunes `dense.onnx` and trains what is left."""
        files = [self.folder / f"{method}_{keep}{end}" for end in ("_pruned.onnx", "_mask.npz", ".onnx")]
        pruned, mask, tuned = files
        self.hecc.prune(self.folder / "dense.onnx", pruned, mask, self.inputs, keep, method)
        network = self.make()
        load(network, pruned)
        before = score(network, self.task, self.test)
        masks = {name: torch.from_numpy(array) for name, array in np.load(mask).items()}
        train(network, self.task, self.data, MORE_EPOCHS, MORE_RATE, self.seed + 1000, masks)
        export(network, self.task, tuned)
        plan = self.hecc.compile(tuned, self.inputs)
        return self.row(method, keep, before, score(network, self.task, self.test), plan)

    def row(self, method, keep, before, after, plan):
        row = {"network": self.name, "seed": self.seed, "method": method, "keep": keep}
        row |= {"untrained": before, "score": after, **dataclasses.asdict(plan)}
        print(json.dumps(row), flush=True)
        return row


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", required=True, help="folder of MNIST's four files, plain or .gz")
    parser.add_argument("--out", default="out", type=pathlib.Path, help="folder for what is made")
    parser.add_argument("--hecc", default="hecc", help="the command")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--methods", nargs="+", default=["hecc", "p2t", "p2t-by-layer", "p3e", "p4e"])
    parser.add_argument("--keep", nargs="+", type=float, help="parts of the plaintexts")
    parser.add_argument("--tiles", help="the shape of tiles, as for `hecc compile`: HE-PEx's are 4x8x512")
    parser.add_argument("--seeds", default=3, type=int, help="how many")
    return parser.parse_args()


def main():
    args = parse()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data, test = (tuple(map(torch.from_numpy, idx.load(args.mnist, p))) for p in ("train", "t10k"))
    slots = ["--tiles", args.tiles] if args.tiles else []
    rows = []
    for name in args.networks:
        for seed in range(1, args.seeds + 1):
            study = Study(name, seed, data, test, Hecc(args.hecc, slots), args.out / name / str(seed))
            rows.append(study.dense())
            keeps = args.keep or study.task.keep
            rows += [study.pruned(method, keep) for method in args.methods for keep in keeps]
        (args.out / f"{name}.json").write_text(json.dumps([r for r in rows if r["network"] == name]))
    print(table(rows))


if __name__ == "__main__":
    main()
