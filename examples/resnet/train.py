"""Trains ResNet-20 for CIFAR-10 with squares in place of ReLU and exports it to ONNX.

    python train.py --data DIR --relu resnet20_bn.onnx [--out FILE] [--epochs 15]

starts from a network with ReLU and writes `resnet20_quadratic.onnx` next to this script, and a
checkpoint after every epoch. One core, about 155 seconds of it an epoch, seeded. Needs PyTorch
(2.6.0 was used), a C++ compiler, onnx, onnxruntime and NumPy. See README.md for DIR and the network.

Squares of squares run away on images that are only a little out of the ordinary. So the loss adds,
for each image and channel, how far its worst pixel is beyond what `network.CALM` allows, and images
are shown with more or less contrast than they have.

Choices were made on the last 5,000 training images; the test images are read for the last line.
"""

import argparse
import pathlib
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

import export
from network import ResNet20, Rectifier, Square

# The reader of images is that of the measurements, ../../bench/resnet.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "resnet"))
import prepare

VALIDATION = 5000
BATCH = 128
SEED = 1
RATE = 0.02
# Of the loss: the part that imitates the logits of the network with ReLU, and its temperature.
SOFT, TEMPERATURE = 0.7, 4.0
# Of the loss, for what is out of range; see `network.Square`.
PENALTY = 1e-3
# Images are multiplied by up to this much more or less, after normalization.
CONTRAST = 0.2
# Shifts of up to so many pixels.
SHIFT = 4
# A channel's square is at least this curved, in terms of its slope and by itself.
LEAST_CURVATURE = 0.1, 0.02


def read_weights(network, path):
    """Takes the weights of the ReLU network in an ONNX file, batch normalizations folded."""
    tensors = onnx.load(path).graph.initializer
    tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in tensors}

    def read(conv, name, norm):
        factor = tensors[f"{norm}.weight"] / (tensors[f"{norm}.running_var"] + 1e-5).sqrt()
        conv.weight.copy_(tensors[f"{name}.weight"] * factor[:, None, None, None])
        conv.bias.copy_(tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * factor)

    with torch.no_grad():
        read(network.conv, "conv1", "bn1")
        for number, block in enumerate(network.blocks):
            name = f"layer{number // 3 + 1}.{number % 3}"
            read(block.conv1, f"{name}.conv1", f"{name}.bn1")
            read(block.conv2, f"{name}.conv2", f"{name}.bn2")
        network.linear.weight.copy_(tensors["linear.weight"])
        network.linear.bias.copy_(tensors["linear.bias"])


def fit_squares(network, teacher, x):
    """Makes every square the least-squares fit, but for a constant, of the ReLU in its place."""

    def fit(square, z):
        z = z.transpose(0, 1).flatten(1).double()
        mean, std = z.mean(1, keepdim=True), z.std(1, keepdim=True) + 1e-3
        t = ((z - mean) / std).clamp(-3, 3)
        powers = torch.stack([torch.ones_like(t), t, t * t], 2)
        # A channel that is always the same has no unique fit.
        ridge = 1e-3 * t.shape[1] * torch.eye(3, dtype=t.dtype)
        target = powers.mT @ F.relu(mean + std * t)[:, :, None]
        _, c1, c2 = torch.linalg.solve(powers.mT @ powers + ridge, target).unbind(1)
        c2 = torch.maximum(c2, LEAST_CURVATURE[0] * c1.abs()).clamp(min=LEAST_CURVATURE[1])
        square.gain.copy_(c2.sqrt()[:, :, None])
        square.shift.copy_((c1 / (2 * c2.sqrt()))[:, :, None])

    hooks = [
        relu.register_forward_pre_hook(lambda _, z, square=square: fit(square, *z))
        for relu, square in zip(teacher.activations(), network.activations(), strict=True)
    ]
    with torch.no_grad():
        teacher(x)
    for hook in hooks:
        hook.remove()


def augment(x, generator):
    """Flips half of the images, shifts all within a black border, changes their contrast."""
    n, size = len(x), x.shape[-1]
    black = torch.from_numpy(prepare.normalize(np.zeros((1, 3, 1, 1), np.uint8)))
    padded = black.repeat(n, 1, size + 2 * SHIFT, size + 2 * SHIFT)
    padded[:, :, SHIFT:-SHIFT, SHIFT:-SHIFT] = x
    place = torch.arange(size)
    top, left = torch.randint(2 * SHIFT + 1, (2, n, 1), generator=generator)
    flip = torch.randint(2, (n, 1), generator=generator).bool()
    rows, columns = place + top, torch.where(flip, size - 1 - place, place) + left
    image = torch.arange(n)[:, None, None]
    x = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return x * (1 + CONTRAST * (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1))


def accuracy(network, x, y):
    """Returns the part of images that are right."""
    network.eval()
    with torch.no_grad():
        parts = zip(x.split(500), y.split(500))
        return sum((network(a)[0].argmax(1) == b).sum().item() for a, b in parts) / len(x)


def train(network, data, teacher, epochs, checkpoint):
    """Trains in place: gradient descent with momentum, one cycle."""
    x, y, val_x, val_y = data
    generator = torch.Generator().manual_seed(SEED)
    steps = len(x) // BATCH
    optimizer = torch.optim.SGD(groups(network), lr=RATE, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, epochs * steps, pct_start=0.02, div_factor=5, cycle_momentum=False
    )
    fast, fast_teacher = torch.compile(network), torch.compile(teacher)
    start = time.time()
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(x), generator=generator)
        totals = torch.zeros(3)
        for batch in order[: steps * BATCH].split(BATCH):
            a = augment(x[batch], generator)
            with torch.no_grad():
                target = fast_teacher(a)[0]
            logits, excess = fast(a)
            hard, soft = F.cross_entropy(logits, y[batch]), imitate(logits, target)
            loss = SOFT * soft + (1 - SOFT) * hard + PENALTY * excess
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            totals += torch.stack([hard, soft, excess]).detach()
        torch.save(network.state_dict(), checkpoint)
        hard, soft, excess = (totals / steps).tolist()
        print(
            f"epoch {epoch + 1:2}: labels {hard:.3f}, imitation {soft:.3f}, out of range "
            f"{excess:.2f}, validation {accuracy(network, val_x, val_y):.4f}, "
            f"{time.time() - start:.0f} s, {time.process_time():.0f} CPU-s",
            flush=True,
        )


def groups(network):
    """Returns the parameters in two groups: only weights decay."""
    weights = [p for p in network.parameters() if p.dim() in (2, 4)]
    others = [p for p in network.parameters() if p.dim() not in (2, 4)]
    return [{"params": weights, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]


def imitate(logits, target):
    """Returns how far the logits are from those of the teacher (Hinton et al. 2015)."""
    logits, target = F.log_softmax(logits / TEMPERATURE, 1), F.softmax(target / TEMPERATURE, 1)
    return F.kl_div(logits, target, reduction="batchmean") * TEMPERATURE


def load(folder, names):
    """Returns the images of all files, normalized, and their labels."""
    x, y = zip(*(prepare.load(folder, [name]) for name in names))
    x = torch.from_numpy(np.concatenate(x)).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(np.concatenate(y))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of CIFAR-10")
    parser.add_argument("--relu", required=True, help="ResNet-20 with ReLU and batch normalization")
    here = pathlib.Path(__file__).parent
    parser.add_argument("--out", default=here / "resnet20_quadratic.onnx", type=pathlib.Path)
    parser.add_argument("--epochs", default=15, type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    x, y = load(args.data, [f"data_batch_{number}.bin" for number in range(1, 6)])
    n = len(x) - VALIDATION
    data = x[:n], y[:n], x[n:], y[n:]

    network, teacher = ResNet20(Square), ResNet20(Rectifier)
    for each in [network, teacher]:
        each.to(memory_format=torch.channels_last)
        read_weights(each, args.relu)
    print(f"ReLU: validation {accuracy(teacher, *data[2:]):.4f}", flush=True)
    fit_squares(network, teacher, x[:1000])
    train(network, data, teacher, args.epochs, args.out.with_suffix(".pt"))

    network.eval()
    export.describe_ranges(network, x[:512])
    export.save(args.out, network, x[:512])
    test = prepare.load(args.data, ["test_batch.bin", "test_first5000.bin"])
    relu, square = (accuracy(each, *map(torch.from_numpy, test)) for each in [teacher, network])
    print(f"test: ReLU {relu:.4f}, squares {square:.4f}")


if __name__ == "__main__":
    main()
