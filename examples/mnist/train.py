"""Trains the two example networks on MNIST and exports them to ONNX.

    python train.py --mnist DIR

writes `lenet_relu.onnx` and `square.onnx` next to this script. One core, about 10 minutes, seeded.
Needs PyTorch (2.6.0 was used), onnx and NumPy. See README.md for where DIR comes from.

Both networks read plain pixels, value / 255, in [0, 1]. Choices (epochs, penalties) were made on the
last 5,000 training images; this script reads the test images for the last line it prints.

Encrypted inference replaces each activation by a polynomial on the range that its input takes, so a
few far outliers cost accuracy everywhere else. Batch normalization, weight decay and `tail_penalty`
keep the inputs of the activations inside a narrow range.
"""

import argparse
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

import idx

VALIDATION = 5000
BATCH = 128
OPSET = 17
# Inputs of activations beyond this many standard deviations are penalized.
TAIL_START = 2.5


class LeNetRelu(nn.Module):
    """conv 5x5 (8), ReLU, average pool, conv 5x5 (16), ReLU, average pool, FC 64, ReLU, FC 10."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 5, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 5, bias=False), nn.BatchNorm2d(16)
        self.fc1, self.bn3 = nn.Linear(256, 64, bias=False), nn.BatchNorm1d(64)
        self.fc2 = nn.Linear(64, 10)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x, inputs=None):
        """Returns the logits [n, 10]; appends the inputs of the activations to `inputs`."""
        x = self.pool(F.relu(record(self.bn1(self.conv1(x)), inputs)))
        x = self.pool(F.relu(record(self.bn2(self.conv2(x)), inputs)))
        x = F.relu(record(self.bn3(self.fc1(torch.flatten(x, 1))), inputs))
        return self.fc2(x)


class Square(nn.Module):
    """conv 5x5 stride 2 (5), square, FC 100, square, FC 10: CryptoNets (ICML 2016), HCNN (eprint 2018/1056)."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn1 = nn.Conv2d(1, 5, 5, stride=2, padding=1), nn.BatchNorm2d(5)
        self.fc1, self.bn2 = nn.Linear(5 * 13 * 13, 100), nn.BatchNorm1d(100)
        self.fc2 = nn.Linear(100, 10)

    def forward(self, x, inputs=None):
        """Returns the logits [n, 10]; appends the inputs of the activations to `inputs`."""
        x = record(self.bn1(self.conv(x)), inputs)
        x = torch.flatten(x * x, 1)
        x = record(self.bn2(self.fc1(x)), inputs)
        return self.fc2(x * x)

    def fold(self):
        """Moves both batch normalizations into the layers before them."""
        self.conv, self.bn1 = fuse_conv_bn_eval(self.conv, self.bn1), nn.Identity()
        self.fc1, self.bn2 = fuse_linear_bn_eval(self.fc1, self.bn2), nn.Identity()
        return self


def record(x, inputs):
    if inputs is not None:
        inputs.append(x)
    return x


def tail_penalty(inputs):
    """Returns the mean squared excess of activation inputs over `TAIL_START` standard deviations."""
    total = 0.0
    for x in inputs:
        total = total + F.relu(x.abs() / x.std() - TAIL_START).square().mean()
    return total


def augment(x, generator, strength):
    """Rotates (12 degrees), scales and shears (12 %), and shifts (2 pixels) each image at random."""
    n = x.shape[0]
    r = (torch.rand(n, 6, generator=generator) * 2 - 1) * strength
    angle = r[:, 0] * 12 * math.pi / 180
    sx, sy, shear = 1 + 0.12 * r[:, 1], 1 + 0.12 * r[:, 2], 0.12 * r[:, 3]
    shift = r[:, 4:6] * (2 / 14)
    c, s = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([c * sx, -s + shear, shift[:, 0]], 1),
        torch.stack([s, c * sy, shift[:, 1]], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", align_corners=False)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(a).argmax(1) == b).sum().item() for a, b in zip(x.split(1000), y.split(1000))
        )
    return right / len(y)


def train(model, data, epochs, rate, decay, tail, seed, teacher=None):
    """Trains in place with AdamW and one learning-rate cycle; `teacher` adds distillation (Hinton et al. 2015)."""
    x, y, val_x, val_y = data
    generator = torch.Generator().manual_seed(seed)
    steps = len(x) // BATCH
    # Vectors are biases and batch-norm scales: decay would only shrink the activations' inputs.
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * steps, pct_start=0.2)
    start = time.time()
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(x), generator=generator)
        # The last eighth sees almost unchanged images, as the test set is.
        strength = 1.0 if epoch < epochs * 7 // 8 else 0.3
        total = 0.0
        for step in range(steps):
            batch = order[step * BATCH : (step + 1) * BATCH]
            a, b, inputs = augment(x[batch], generator, strength), y[batch], []
            logits = model(a, inputs)
            if teacher is None:
                loss = F.cross_entropy(logits, b, label_smoothing=0.05)
            else:
                with torch.no_grad():
                    target = F.softmax(teacher(a) / 2, 1)
                soft = F.kl_div(F.log_softmax(logits / 2, 1), target, reduction="batchmean") * 4
                loss = 0.7 * soft + 0.3 * F.cross_entropy(logits, b)
            loss = loss + tail * tail_penalty(inputs)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        val = accuracy(model, val_x, val_y)
        print(
            f"  epoch {epoch + 1:2}: loss {total / steps:.4f}, validation {val:.4f}, {time.time() - start:.0f} s",
            flush=True,
        )


def describe_inputs(model, x):
    """Prints the standard deviation, the 99.9 % quantile and the maximum of each activation's input."""
    inputs = []
    with torch.no_grad():
        model.eval()(x, inputs)
    for number, z in enumerate(inputs, 1):
        z = z.flatten().numpy()
        quantile, largest = np.quantile(abs(z), 0.999), abs(z).max()
        print(
            f"  input {number}: std {z.std():.2f}, 99.9 % |z| {quantile:.2f}, max |z| {largest:.2f}"
        )


def export(model, path):
    """Writes opset 17 ONNX; batch normalization that is still in the model stays a node of its own."""
    torch.onnx.export(
        model.eval(), (torch.zeros(1, 1, 28, 28),), str(path), dynamo=False, opset_version=OPSET,
        input_names=["x"], output_names=["logits"], do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )  # fmt: skip
    print(f"  {path.name}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", required=True, help="folder of the four MNIST files, plain or .gz"
    )
    parser.add_argument("--out", default=pathlib.Path(__file__).parent, type=pathlib.Path)
    parser.add_argument("--relu-epochs", default=20, type=int)
    parser.add_argument("--square-epochs", default=60, type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x, y = (torch.from_numpy(a) for a in idx.load(args.mnist, "train"))
    data = x[:-VALIDATION], y[:-VALIDATION], x[-VALIDATION:], y[-VALIDATION:]

    torch.manual_seed(1)
    relu = LeNetRelu()
    print("lenet_relu")
    train(relu, data, args.relu_epochs, rate=5e-3, decay=0.05, tail=3.0, seed=1)
    describe_inputs(relu, x[:4096])
    export(relu, args.out / "lenet_relu.onnx")

    torch.manual_seed(2)
    square = Square()
    print("square")
    train(square, data, args.square_epochs, rate=5e-3, decay=0.05, tail=0.1, seed=2, teacher=relu)
    square.eval().fold()
    describe_inputs(square, x[:4096])
    export(square, args.out / "square.onnx")

    test_x, test_y = (torch.from_numpy(a) for a in idx.load(args.mnist, "t10k"))
    print(
        f"test accuracy: lenet_relu {accuracy(relu, test_x, test_y):.4f}, square {accuracy(square, test_x, test_y):.4f}"
    )


if __name__ == "__main__":
    main()
