"""HCNN's MNIST network with quantized input and weights, and bounds on its integers to train with.

Input [0, 1], 28x28 - quantize - conv 5x5 stride 2 (5) - square - conv 5x5 stride 2 (50) - square
- FC 10 (eprint 2018/1056). Nothing is requantized between the layers: every tensor is integers
times a scale known beforehand, so an exact encrypted evaluation only has to hold the integers of
the logits.

Weights are quantized symmetrically with one learned scale per layer (LSQ, ICLR 2020): rounding has
the gradient of the identity, and the scale has what rounding and clipping change.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 10

# Five filters 5x5 as (row, column, weight): four differences of pixels two steps apart, and the
# center. On a binary image the square of such a difference is an exclusive or: 0 or 1, as narrow
# as can be.
EDGES = [
    [(2, 1, 1), (2, 3, -1)],
    [(1, 2, 1), (3, 2, -1)],
    [(1, 1, 1), (3, 3, -1)],
    [(1, 3, 1), (3, 1, -1)],
    [(2, 2, 1)],
]


@dataclass(frozen=True)
class Config:
    """One network to train. Without `bits` its weights and input stay floats."""

    # Bits of the weights of conv1, conv2 and FC; integers from -(2^(b-1) - 1) to 2^(b-1) - 1.
    bits: tuple = None
    # The input is round(pixel / input_scale), at most `levels`.
    levels: int = 4
    input_scale: float = 0.25
    # Integer biases of conv2 and FC, and of conv1 unless `edges`; they can center the ranges.
    bias: bool = False
    # Fixes conv1 to `EDGES`.
    edges: bool = False
    # Bits that the logits should take over the training images, and by interval arithmetic.
    calibrated: float = None
    certified: float = None
    # Learning rate, and strength of the augmentation.
    rate: float = 5e-3
    augment: float = 1.0
    epochs: int = 12
    seed: int = 1


class Network(nn.Module):
    """The network of one `Config`; logits are floats, `logits / units()[-1]` are the integers."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList([
            nn.Conv2d(1, 5, 5, stride=2, bias=config.bias and not config.edges),
            nn.Conv2d(5, 50, 5, stride=2, bias=config.bias),
            nn.Linear(800, CLASSES, bias=config.bias),
        ])  # fmt: skip
        # Logarithms of the scales of the weights: a step of Adam then changes a scale by a ratio.
        self.log_scales = nn.Parameter(torch.zeros(3), requires_grad=config.bits is not None)

    def start(self, x, teacher=None):
        """Sets the weights, those of `teacher` if there is one, then scales that suit them.

        `x` is a batch of images.
        """
        with torch.no_grad():
            if self.config.edges:
                self._fix_edges()
            elif teacher is not None:
                self.load_state_dict(teacher.state_dict(), strict=False)
            if teacher is None or self.config.edges:
                self._normalize(x)
            if self.config.bits is not None:
                for number, layer in enumerate(self.layers):
                    mean = layer.weight.abs().mean()
                    self.log_scales[number] = torch.log(2 * mean / self._top(number) ** 0.5)
            if self.config.edges:
                self.log_scales[0] = 0

    def _fix_edges(self):
        weight = self.layers[0].weight.requires_grad_(False)
        weight.zero_()
        for number, taps in enumerate(EDGES):
            for row, column, value in taps:
                weight[number, 0, row, column] = value

    def _normalize(self, x):
        """Divides each layer's weights so that its outputs have standard deviation 1 on `x`."""
        if self.config.bits is not None:
            x = self.quantize_input(x) * self.config.input_scale
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                x = torch.flatten(x, 1)
            if layer.weight.requires_grad:
                layer.weight /= layer(x).std()
            x = layer(x).square()

    def _top(self, number):
        return 2 ** (self.config.bits[number] - 1) - 1

    def scales(self):
        """Returns the scales of the three weight tensors."""
        scales = self.log_scales.exp()
        if self.config.edges:
            scales = torch.cat([scales[:1].detach(), scales[1:]])
        return scales

    def units(self):
        """Returns what the integer 1 stands for at the output of each of the three layers."""
        unit, units = self.config.input_scale, []
        for scale in self.scales():
            units.append(unit * scale)
            unit = units[-1] ** 2
        return units

    def integers(self):
        """Returns (weight, bias) of each layer, integers in float tensors; bias may be None."""
        result = []
        for number, (layer, scale, unit) in enumerate(
            zip(self.layers, self.scales(), self.units())
        ):
            top = self._top(number)
            weight = straight_through_round((layer.weight / scale).clamp(-top, top))
            bias = None if layer.bias is None else straight_through_round(layer.bias / unit)
            result.append((weight, bias))
        return result

    def quantize_input(self, x):
        """Returns the integers that stand for the pixels `x`."""
        return (x / self.config.input_scale).round().clamp(0, self.config.levels)

    def forward(self, x):
        """Returns the logits [n, 10] of images [n, 1, 28, 28] in [0, 1]."""
        if self.config.bits is None:
            parameters = [(layer.weight, layer.bias) for layer in self.layers]
        else:
            x = self.quantize_input(x) * self.config.input_scale
            parameters = [
                (weight * scale, None if bias is None else bias * unit)
                for (weight, bias), scale, unit in zip(
                    self.integers(), self.scales(), self.units()
                )
            ]
        return evaluate(x, parameters)

    def certified_width(self):
        """Returns the bits of the logits by interval arithmetic, their mean over the classes."""
        low, high = torch.zeros(1), torch.full([1], float(self.config.levels))
        for weight, bias in self.integers():
            # All places of a channel share one interval.
            weight = weight.reshape(weight.shape[0], len(low), -1)
            up, down = weight.clamp(min=0).sum(2), weight.clamp(max=0).sum(2)
            bias = 0 if bias is None else bias
            low, high = bias + up @ low + down @ high, bias + up @ high + down @ low
            largest = torch.maximum(high, -low)
            low, high = torch.zeros_like(low), largest.square()
        return (2 * largest + 1).log2().mean()

    def calibrated_width(self, logits):
        """Returns the bits of the largest logits of a batch."""
        # A mean of few: the gradient of one maximum alone is too noisy.
        largest = (logits / self.units()[-1]).abs().amax(1).topk(8).values.mean()
        return (2 * largest + 1).log2()


def straight_through_round(x):
    return x + (x.round() - x).detach()


def evaluate(x, parameters):
    """Returns the logits; `parameters` are (weight, bias) of conv1, conv2 and FC, in any unit."""
    (w1, b1), (w2, b2), (w3, b3) = parameters
    x = F.conv2d(x, w1, b1, stride=2).square()
    x = F.conv2d(x, w2, b2, stride=2).square()
    return F.linear(torch.flatten(x, 1), w3, b3)
