"""Trains the two deep example networks on MNIST and exports them to ONNX.

    python train.py --mnist DIR

writes `deep.onnx` and `residual.onnx` next to this script. One core, about 5 minutes, seeded.
Needs PyTorch (2.6.0 was used), onnx and NumPy. See ../mnist/README.md for where DIR comes from.

Both networks read plain pixels, value / 255, in [0, 1]. They were judged (epochs, penalty) on the last
5,000 training images; this script reads the test images for the last line it prints.

Eleven activations one after another, each replaced by a polynomial of low degree: the errors of one
reach the inputs of the next. So the inputs of all activations are kept near mean 0 and standard deviation
1 with short tails, by batch normalization, weight decay and the tail penalty of the MNIST example.
"""

import argparse
import pathlib
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

# Training loop, augmentation, penalty and export are those of the MNIST example, ../mnist/train.py.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mnist"))
import idx
import train as mnist

WIDTH = 64
HIDDEN = 11
# Mean and standard deviation of the branch of a skip connection: with them x + f(x) starts at mean 0
# and standard deviation 1, as max(z, 0) of a normal z has mean 0.40 and variance 0.34.
BRANCH_MEAN, BRANCH_STD = -0.4, 0.8


class Layer(nn.Module):
    """A linear layer and its batch normalization."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear, self.bn = nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out)

    def forward(self, x):
        return self.bn(self.linear(x))

    def fold(self):
        """Moves the batch normalization into the linear layer."""
        self.linear, self.bn = fuse_linear_bn_eval(self.linear, self.bn), nn.Identity()


class Deep(nn.Module):
    """FC 64, ReLU, eleven times; FC 10. With `skips`, each two layers make x + f(x), then ReLU."""

    def __init__(self, skips):
        super().__init__()
        self.skips = skips
        self.layers = nn.ModuleList(
            Layer(28 * 28 if number == 0 else WIDTH, WIDTH) for number in range(HIDDEN)
        )
        self.last = nn.Linear(WIDTH, 10)
        for number, layer in enumerate(self.layers):
            if self.joins(number):
                nn.init.constant_(layer.bn.weight, BRANCH_STD)
                nn.init.constant_(layer.bn.bias, BRANCH_MEAN)

    def joins(self, number):
        """Whether a skip connection ends at the output of this layer."""
        return self.skips and number > 0 and number % 2 == 0

    def forward(self, x, inputs=None):
        """Returns the logits [n, 10]; appends the inputs of the activations to `inputs`."""
        x = skip = torch.flatten(x, 1)
        for number, layer in enumerate(self.layers):
            z = layer(x)
            if self.joins(number):
                z = skip + z
            x = F.relu(mnist.record(z, inputs))
            if number % 2 == 0:
                skip = x
        return self.last(x)

    def fold(self):
        """Moves all batch normalizations into the layers before them."""
        for layer in self.layers:
            layer.fold()
        return self


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", required=True, help="folder of the four MNIST files, plain or .gz"
    )
    parser.add_argument("--out", default=pathlib.Path(__file__).parent, type=pathlib.Path)
    parser.add_argument("--epochs", default=30, type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x, y = (torch.from_numpy(a) for a in idx.load(args.mnist, "train"))
    n = len(x) - mnist.VALIDATION
    data = x[:n], y[:n], x[n:], y[n:]

    models = {}
    for seed, (name, skips) in enumerate([("deep", False), ("residual", True)], 1):
        torch.manual_seed(seed)
        model = models[name] = Deep(skips)
        print(name)
        mnist.train(model, data, args.epochs, rate=5e-3, decay=0.05, tail=1.0, seed=seed)
        model.eval().fold()
        mnist.describe_inputs(model, x[:4096])
        mnist.export(model, args.out / f"{name}.onnx")

    test_x, test_y = (torch.from_numpy(a) for a in idx.load(args.mnist, "t10k"))
    accuracies = [f"{name} {mnist.accuracy(m, test_x, test_y):.4f}" for name, m in models.items()]
    print(f"test accuracy: {', '.join(accuracies)}")


if __name__ == "__main__":
    main()
