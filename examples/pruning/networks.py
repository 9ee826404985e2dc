"""The networks of HE-PEx's kinds (ESORICS 2023), for MNIST: autoencoders that reconstruct and denoise, and two classifiers.

All activations are x + 0.1 x², which homomorphic encryption computes as it is.
"""

import torch
import torch.nn.functional as F
from torch import nn

# Standard deviation of the noise that the second autoencoder is to remove.
NOISE = 0.3


class Bend(nn.Module):
    """x + 0.1 x²."""

    def forward(self, x):
        return x + 0.1 * (x * x)


def chain(sizes):
    """Fully connected layers with activations between them."""
    layers = []
    for number, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        layers += [Bend()] if number else []
        layers += [nn.Linear(n_in, n_out)]
    return nn.Sequential(*layers)


def convolutions():
    """Two convolutions of 5x5 with stride 2, two fully connected layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2), Bend(),
        nn.Conv2d(8, 16, 5, stride=2, padding=2), Bend(), nn.Flatten(),
        nn.Linear(16 * 49, 64), Bend(), nn.Linear(64, 10),
    )  # fmt: skip


class Reconstruct:
    """What an autoencoder is trained for: its own input."""

    input_shape = (784,)
    # Parts of the plaintexts that are left, one pruned network for each.
    keep = (0.9, 0.8, 0.6, 0.4)

    def inputs(self, x, generator):
        return x.flatten(1)

    def loss(self, result, x, y):
        return F.mse_loss(result, x.flatten(1))

    def score(self, result, x, y):
        """The mean square error."""
        return F.mse_loss(result, x.flatten(1)).item()

    def degradation(self, score, reference):
        """How much larger the error is, as a part."""
        return score / reference - 1


class Denoise(Reconstruct):
    """The image without the noise that was added to it."""

    def inputs(self, x, generator):
        noise = torch.randn(x.flatten(1).shape, generator=generator)
        return (x.flatten(1) + NOISE * noise).clamp(0, 1)


class Classify:
    """The digit."""

    keep = (0.6, 0.4, 0.2, 0.1)

    def __init__(self, input_shape):
        self.input_shape = input_shape

    def inputs(self, x, generator):
        return x.reshape(-1, *self.input_shape)

    def loss(self, result, x, y):
        return F.cross_entropy(result, y)

    def score(self, result, x, y):
        """The accuracy."""
        return (result.argmax(1) == y).float().mean().item()

    def degradation(self, score, reference):
        """The accuracy lost."""
        return reference - score


# What each network is made by, and what it is for.
NETWORKS = {
    "reconstruct": (lambda: chain([784, 128, 32, 128, 784]), Reconstruct()),
    "denoise": (lambda: chain([784, 256, 64, 256, 784]), Denoise()),
    "mlp": (lambda: chain([784, 128, 64, 10]), Classify((784,))),
    "cnn": (convolutions, Classify((1, 28, 28))),
}
