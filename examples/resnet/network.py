"""ResNet-20 for CIFAR-10 (He et al. 2016, shortcuts without weights), with a choice of activation."""

import torch
import torch.nn.functional as F
from torch import nn

# What lies further out, in standard deviations, is penalized.
CALM = 4.0
# While it trains, values are cut off here, so that a rare image does not run away with the statistics.
CUT = 8.0


class Rectifier(nn.Module):
    """ReLU."""

    def __init__(self, _channels):
        super().__init__()

    def forward(self, x):
        return F.relu(x), 0.0


class Square(nn.Module):
    """`s*s`, where `s = gain*t + shift`, per channel, and `t` is the input normalized per channel.

    As the scale of `s` and a constant that is added to its square can be taken in by the layers around, all
    quadratic polynomials with a positive leading coefficient are of this form.
    """

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        """Returns the squares, and how far `t` is out: for each image and channel, at its worst pixel."""
        t = self.norm(x)
        if not self.training:
            return (self.gain * t + self.shift).square(), 0.0
        excess = F.relu(t.abs().amax((2, 3)) - CALM).square().sum(1).mean()
        return (self.gain * t.clamp(-CUT, CUT) + self.shift).square(), excess

    def line(self):
        """Returns the trained `s` as a function of the input: a factor and an offset per channel."""
        factor = self.gain[:, 0, 0] / (self.norm.running_var + self.norm.eps).sqrt()
        return factor, self.shift[:, 0, 0] - factor * self.norm.running_mean


class Block(nn.Module):
    """Two convolutions and a shortcut: every other pixel and channels of zeros where the shape changes."""

    def __init__(self, before, channels, activation):
        super().__init__()
        self.stride, self.pad = (1, 0) if before == channels else (2, (channels - before) // 2)
        self.conv1 = nn.Conv2d(before, channels, 3, self.stride, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.activation1, self.activation2 = activation(channels), activation(channels)

    def forward(self, x):
        y, excess1 = self.activation1(self.conv1(x))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        y, excess2 = self.activation2(self.conv2(y) + x)
        return y, excess1 + excess2


class ResNet20(nn.Module):
    """Three stages of three blocks: 16, 32 and 64 channels."""

    def __init__(self, activation):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1)
        self.activation = activation(16)
        widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
        self.blocks = nn.ModuleList(
            Block(before, after, activation) for before, after in zip(widths, widths[1:])
        )
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        """Returns the logits and the sum of what is out of range."""
        x, excess = self.activation(self.conv(x))
        for block in self.blocks:
            x, more = block(x)
            excess = excess + more
        return self.linear(x.mean((2, 3))), excess

    def activations(self):
        """Returns the activations in order."""
        return [m for m in self.modules() if isinstance(m, (Rectifier, Square))]
