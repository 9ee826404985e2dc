"""Exact integer evaluation of a quantized network, and the bits that its logits need.

Bits of a largest |logit| L: log2(2 L + 1). A plaintext modulus of 2 L + 1 or more holds them.
"""

import math

import numpy as np
import torch

from networks import evaluate


def integer_logits(x, parameters):
    """Returns the logits of the integers x [n, 1, 28, 28] as Python integers, object [n, 10]."""
    (w1, b1), (w2, b2), (w3, b3) = (
        (torch.from_numpy(w).long(), None if b is None else torch.from_numpy(b).long())
        for w, b in parameters
    )
    x = torch.nn.functional.conv2d(x.long(), w1, b1, stride=2).square()
    # Up to here 64 bits suffice; the second square of an 8-bit network needs more.
    x = torch.nn.functional.conv2d(x, w2, b2, stride=2).flatten(1).numpy().astype(object)
    logits = (x * x) @ w3.numpy().T.astype(object)
    return logits if b3 is None else logits + b3.numpy().astype(object)


def calibrated(x, parameters):
    """Returns the largest |logit| of the integers x; exact below 2^53, to 15 digits above."""
    double = [
        tuple(None if a is None else torch.from_numpy(a).double() for a in pair)
        for pair in parameters
    ]
    return max(evaluate(part.double(), double).abs().max().item() for part in x.split(1000))


def certified(levels, parameters):
    """Returns the largest |logit| that interval arithmetic allows for x in 0..levels, exactly."""
    low, high = [0], [levels]
    for weight, bias in parameters:
        rows = weight.reshape(len(weight), len(low), -1)
        intervals = []
        for number, row in enumerate(rows):
            offset = 0 if bias is None else int(bias[number])
            # All places of a channel share one interval.
            ups = [int(w[w > 0].sum()) for w in row]
            downs = [int(w[w < 0].sum()) for w in row]
            intervals.append((
                offset + sum(u * l + d * h for u, d, l, h in zip(ups, downs, low, high)),
                offset + sum(u * h + d * l for u, d, l, h in zip(ups, downs, low, high)),
            ))  # fmt: skip
        low = [0 if l <= 0 <= h else min(l * l, h * h) for l, h in intervals]
        high = [max(l * l, h * h) for l, h in intervals]
    return max(max(abs(l), abs(h)) for l, h in intervals)


def bits(largest):
    """Returns log2(2 L + 1)."""
    return math.log2(2 * largest + 1)


def to_numpy(parameters):
    """Returns the (weight, bias) pairs of `Network.integers` as i64 arrays."""
    return [
        tuple(None if a is None else a.detach().numpy().astype(np.int64) for a in pair)
        for pair in parameters
    ]
