"""Trains HCNN's MNIST network quantization-aware and exports it to ONNX.

    python train.py --mnist DIR [--only NAME ...]

writes the ONNX files of README.md next to this script. One core, about 20 minutes, seeded. Needs
PyTorch (2.6.0 was used), onnx, onnxruntime and NumPy. See ../mnist/README.md for DIR.

The encrypted network computes on integers that grow from layer to layer, and the plaintext modulus
has to hold the logits. `small`, `tiny` and `proven` are therefore trained for few bits: the loss
adds the bits of the logits, measured on the batch or promised by interval arithmetic, as far as
they exceed what `Config` asks for.

Choices were made on the last 5,000 training images; the test images are read for the last lines.
"""

import argparse
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

# Reader, augmentation and accuracy are those of the MNIST example, ../mnist.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mnist"))
import idx
import train as mnist

import check
import export
import widths
from networks import Config, Network

BATCH = 256
# Of the loss, per bit that a width exceeds its target.
WIDTH_PENALTY = 0.5
# The targets start this many bits higher and fall during the first half of the training.
WIDTH_RAMP = 4
CONFIGS = {
    "float": Config(epochs=30),
    "w8": Config(bits=(8, 8, 8)),
    "w4": Config(bits=(4, 4, 4)),
    "w3": Config(bits=(3, 3, 3)),
    "w2": Config(bits=(2, 2, 2), epochs=30),
    "small": Config(
        bits=(3, 2, 3), levels=1, input_scale=0.6, calibrated=24, rate=3e-3, epochs=30,
    ),
    "tiny": Config(
        bits=(2, 2, 3), levels=1, input_scale=0.6, bias=True, edges=True, calibrated=14.8,
        rate=3e-3, augment=0.5, epochs=24,
    ),
    "proven": Config(
        bits=(2, 2, 3), levels=1, input_scale=0.6, bias=True, edges=True, certified=15.6,
        rate=3e-3, augment=0.5, epochs=12,
    ),
}
WITH_QONNX = ["w4", "tiny"]


def train(network, data, teacher):
    """Trains in place: AdamW, one cycle; `teacher` adds distillation (Hinton et al. 2015)."""
    config, (x, y, val_x, val_y) = network.config, data
    generator = torch.Generator().manual_seed(config.seed)
    steps = len(x) // BATCH
    optimizer = torch.optim.AdamW(groups(network), lr=config.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.rate, config.epochs * steps, pct_start=0.1
    )
    start = time.time()
    for epoch in range(config.epochs):
        order, total = torch.randperm(len(x), generator=generator), 0.0
        # The last quarter sees almost unchanged images, as the test set is.
        strength = config.augment if epoch < config.epochs * 3 // 4 else 0.3
        for batch in order[: steps * BATCH].split(BATCH):
            a = mnist.augment(x[batch], generator, strength)
            progress = schedule.last_epoch / (config.epochs * steps)
            slack = WIDTH_RAMP * max(0, 1 - 2 * progress)
            value = loss(network, a, y[batch], teacher, slack)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += value.item()
        val = mnist.accuracy(network, val_x, val_y)
        print(
            f"  epoch {epoch + 1:2}: loss {total / steps:.4f}, validation {val:.4f}, "
            f"{time.time() - start:.0f} s",
            flush=True,
        )


def groups(network):
    """Returns the parameters in two groups: only weights decay."""
    weights = [layer.weight for layer in network.layers]
    others = [p for p in network.parameters() if all(p is not w for w in weights)]
    return [{"params": weights, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]


def loss(network, x, y, teacher, slack):
    """Returns the loss; `slack` bits are added to the widths that `Config` asks for."""
    logits, config = network(x), network.config
    total = F.cross_entropy(logits, y)
    if teacher is not None:
        with torch.no_grad():
            target = F.softmax(teacher(x) / 2, 1)
        soft = F.kl_div(F.log_softmax(logits / 2, 1), target, reduction="batchmean") * 4
        total = 0.7 * soft + 0.3 * total
    if config.calibrated is not None:
        excess = network.calibrated_width(logits) - config.calibrated - slack
        total = total + WIDTH_PENALTY * F.relu(excess)
    if config.certified is not None:
        excess = network.certified_width() - config.certified - slack
        total = total + WIDTH_PENALTY * F.relu(excess)
    return total


def save(name, network, out, x):
    """Writes and checks the files of one configuration."""
    if network.config.bits is None:
        export.save_float(out / f"hcnn_mnist_{name}.onnx", network)
        return
    export.save_qdq(out / f"hcnn_mnist_{name}.onnx", network)
    check.check_qdq(out / f"hcnn_mnist_{name}.onnx", network, x[:200])
    if name in WITH_QONNX:
        export.save_qonnx(out / f"hcnn_mnist_{name}.qonnx.onnx", network)
        check.check_qonnx(out / f"hcnn_mnist_{name}.qonnx.onnx", network, x[:20])


def describe(network, x):
    """Returns the certified and calibrated bits of the logits over the images x."""
    if network.config.bits is None:
        return "float"
    parameters = widths.to_numpy(network.integers())
    certified = widths.bits(widths.certified(network.config.levels, parameters))
    largest = widths.calibrated(network.quantize_input(x), parameters)
    return f"certified {certified:.1f}, calibrated {widths.bits(largest):.1f} ({largest:.0f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", required=True, help="folder of the four MNIST files, plain or .gz"
    )
    parser.add_argument("--out", default=pathlib.Path(__file__).parent, type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x, y = (torch.from_numpy(a) for a in idx.load(args.mnist, "train"))
    n = len(x) - mnist.VALIDATION
    data = x[:n], y[:n], x[n:], y[n:]

    networks = {}
    for name, config in CONFIGS.items():
        # The float network teaches the others and gives them their first weights.
        if name not in args.only and name != "float":
            continue
        print(name)
        torch.manual_seed(config.seed)
        network = networks[name] = Network(config)
        teacher = networks["float"] if name != "float" else None
        network.start(x[:1000], teacher)
        train(network, data, teacher)
        print(f"  {describe(network, x)}")
        save(name, network, args.out, x)

    test_x, test_y = (torch.from_numpy(a) for a in idx.load(args.mnist, "t10k"))
    for name, network in networks.items():
        print(f"{name}: test {mnist.accuracy(network, test_x, test_y):.4f}, {describe(network, x)}")


if __name__ == "__main__":
    main()
