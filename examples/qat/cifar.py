"""Trains HCNN's CIFAR-10 network quantization-aware and exports it to ONNX.

    python cifar.py --cifar DIR --out OUT [--only NAME ...] [--workers 2]

The variant of Legiest et al. (eprint 2023/503), no padding: three times conv 3x3 (32, 64, 128),
square, average pool 2x2; then FC 256 and FC 10 with nothing between them.

Outputs of every layer but the last are divided by what makes their mean square 1: per channel in
`float`, whose weights take it in, and per tensor in the others, where it goes into the step. conv1
alone has a bias. Choices were made on the last 5,000 training images.
"""

import argparse
import copy
import dataclasses
import gzip
import os
import pathlib
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import distributed, nn

import export
from networks import CLASSES, straight_through_round
from widths import bits

VALIDATION = 5000
# Of each worker.
BATCH = 64
# Of the loss, per bit that a width exceeds its target.
WIDTH_PENALTY = 0.2
LAYERS = ["conv1", "conv2", "conv3", "fc1", "fc2"]
CONVS = 3
# Of the running mean squares.
MOMENTUM = 0.02


@dataclasses.dataclass(frozen=True)
class Config:
    """One network to train. Without `bits` its weights and input stay floats."""

    # Bits of the weights of the five layers.
    bits: tuple = None
    # The input is round(pixel * levels).
    levels: int = 255
    # The largest weight fixes each scale; otherwise they are learned.
    max_scale: bool = False
    # Bits that the logits should take over the training images.
    calibrated: float = None
    rate: float = 2e-3
    epochs: int = 10
    seed: int = 1
    # The network whose weights it starts from, instead of float's.
    start: str = None


CONFIGS = {
    "float": Config(epochs=24, rate=3e-3),
    "w8": Config(bits=(8,) * 5, max_scale=True, epochs=1, rate=1e-4),
    "small": Config(
        bits=(4, 3, 3, 3, 4), levels=10, calibrated=96, epochs=44, rate=1.5e-3,
    ),
    "tiny": Config(
        bits=(3, 3, 3, 3, 4), levels=4, calibrated=73, epochs=24, rate=1.5e-3,
    ),
    "narrow": Config(
        bits=(3, 3, 3, 3, 4), levels=4, calibrated=63, epochs=5, rate=5e-4, start="tiny",
    ),
}


class Network(nn.Module):
    """The network of one `Config`; logits are floats, `logits / units()[-1]` the integers."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList([
            nn.Conv2d(3, 32, 3, bias=False),
            nn.Conv2d(32, 64, 3, bias=False),
            nn.Conv2d(64, 128, 3, bias=False),
            nn.Linear(512, 256, bias=False),
            nn.Linear(256, CLASSES, bias=False),
        ])  # fmt: skip
        # Of conv1, if its input is taken to be centered at 1/2.
        self.bias = nn.Parameter(torch.zeros(32))
        learned = config.bits is not None and not config.max_scale
        self.log_scales = nn.Parameter(torch.zeros(5), requires_grad=learned)
        # Mean squares of the outputs of all layers but the last.
        shapes = [32, 64, 128, 1] if config.bits is None else [1] * 4
        for number, shape in enumerate(shapes):
            self.register_buffer(f"power{number}", torch.ones(shape))

    def start(self, teacher=None):
        """Sets the weights, those of the folded `teacher` if there is one, and the scales."""
        with torch.no_grad():
            if teacher is None:
                for layer in self.layers:
                    # Inputs are squares: without a common part the differences count.
                    layer.weight -= layer.weight.flatten(1).mean(1).reshape(
                        -1, *[1] * (layer.weight.dim() - 1)
                    )
                return
            self.load_state_dict(teacher.state_dict(), strict=False)
            for number, layer in enumerate(self.layers):
                top = self._top(number)
                if self.config.max_scale:
                    scale = layer.weight.abs().max() / top
                else:
                    scale = 2 * layer.weight.abs().mean() / top**0.5
                self.log_scales[number] = scale.log()

    def fold(self):
        """Moves the mean squares into the weights of a float network."""
        with torch.no_grad():
            for number, layer in enumerate(self.layers[:-1]):
                power = self.power(number)
                root = power.sqrt()
                layer.weight /= root.reshape(-1, *[1] * (layer.weight.dim() - 1))
                if number == 0:
                    self.bias /= root
                setattr(self, f"power{number}", torch.ones(1))

    def power(self, number):
        return getattr(self, f"power{number}")

    def _top(self, number):
        return 2 ** (self.config.bits[number] - 1) - 1

    def weights(self):
        """Returns the weights that the layers use, before any division by a mean square."""
        if self.config.bits is None:
            return [layer.weight for layer in self.layers]
        return [w * scale for w, scale in zip(self.integers(), self.log_scales.exp())]

    def conv1_bias(self, weight):
        """Returns the bias of conv1, before any division, for its weights `weight`."""
        bias = self.bias - weight.sum((1, 2, 3)) / 2
        if self.config.bits is None:
            return bias
        unit = self.log_scales[0].exp() / self.config.levels
        return straight_through_round(bias / unit) * unit

    def integers(self):
        """Returns the integer weights of the layers, in float tensors."""
        result = []
        for number, (layer, scale) in enumerate(zip(self.layers, self.log_scales.exp())):
            top = self._top(number)
            result.append(straight_through_round((layer.weight / scale).clamp(-top, top)))
        return result

    def scales(self):
        """Returns the scales of the weights, the roots of the mean squares in them."""
        roots = [self.power(number).sqrt() for number in range(4)] + [torch.ones(1)]
        return [scale / root for scale, root in zip(self.log_scales.exp(), roots)]

    def units(self):
        """Returns what the integer 1 stands for at the output of each layer."""
        unit, units = 1 / self.config.levels, []
        for number, scale in enumerate(self.scales()):
            # Too small for a float in the end.
            units.append(unit * scale.double())
            # A pool is a sum of four integers, and of a quarter of their unit.
            unit = units[-1] ** 2 / 4 if number < CONVS else units[-1]
        return units

    def quantize_input(self, x):
        return (x * self.config.levels).round()

    def forward(self, x):
        """Returns the logits [n, 10] of images [n, 3, 32, 32] in [0, 1]."""
        if self.config.bits is not None:
            x = self.quantize_input(x) / self.config.levels
        for number, weight in enumerate(self.weights()):
            if number < CONVS:
                bias = self.conv1_bias(weight) if number == 0 else None
                x = F.avg_pool2d(F.conv2d(x, weight, bias).square(), 2)
                x = x / self._power_of(number, x)
            else:
                x = F.linear(torch.flatten(x, 1), weight)
                if number == CONVS:
                    x = x / self._power_of(number, x.square()).sqrt()
        return x

    def _power_of(self, number, squares):
        """Returns the mean square of an output: the batch's in training, else the running one."""
        running = self.power(number)
        if self.training:
            every = [0, 2, 3] if len(running) > 1 else list(range(squares.dim()))
            power = squares.mean(every).reshape(-1)
            running.lerp_(power.detach(), MOMENTUM)
        else:
            power = running
        return power.reshape(1, -1, *[1] * (squares.dim() - 2))

    def calibrated_width(self, logits):
        """Returns the bits of the largest logits of a batch."""
        largest = (logits / self.units()[-1]).abs().amax(1).topk(4).values.mean()
        return (2 * largest + 1).log2()


def load(folder, names):
    """Returns images [n, 3, 32, 32] (bytes) and labels of CIFAR-10's binary files."""
    folder = pathlib.Path(folder)
    data = b"".join(gzip.decompress((folder / name).read_bytes()) for name in names)
    records = np.frombuffer(data, np.uint8).reshape(-1, 3073)
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return images, torch.from_numpy(records[:, 0].astype(np.int64))


def augment(x, generator):
    """Flips half of the images, shifts all by up to 3 pixels; the border is repeated."""
    n, place = len(x), torch.arange(32)
    shift = torch.randint(-3, 4, (2, n, 1), generator=generator)
    flip = torch.randint(2, (n, 1), generator=generator).bool()
    rows = (place + shift[0]).clamp(0, 31)
    columns = (torch.where(flip, 31 - place, place) + shift[1]).clamp(0, 31)
    image = torch.arange(n)[:, None, None, None]
    plane = torch.arange(3)[None, :, None, None]
    return to_float(x[image, plane, rows[:, None, :, None], columns[:, None, None, :]])


def to_float(x):
    return (x.float() / 255).contiguous(memory_format=torch.channels_last)


def rank():
    return distributed.get_rank(), distributed.get_world_size()


def say(text):
    if rank()[0] == 0:
        print(text, flush=True)


def accuracy(network, x, y):
    """Returns the share of right answers; every worker does its part."""
    network.eval()
    worker, workers = rank()
    x, y = x[worker::workers], y[worker::workers]
    with torch.no_grad():
        parts = zip(x.split(100), y.split(100))
        right = sum((network(to_float(a)).argmax(1) == b).sum() for a, b in parts)
        total = torch.tensor([float(right), len(y)])
        distributed.all_reduce(total)
    return (total[0] / total[1]).item()


def average_gradients(parameters):
    """Averages the gradients of the workers."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    distributed.all_reduce(flat)
    flat /= rank()[1]
    for p, part in zip(parameters, flat.split([p.numel() for p in parameters])):
        p.grad.copy_(part.view_as(p))


def train(network, data, teacher):
    """Trains in place: AdamW, one cycle; `teacher` adds distillation (Hinton et al. 2015)."""
    config, (x, y, val_x, val_y) = network.config, data
    worker, workers = rank()
    orders = torch.Generator().manual_seed(config.seed)
    generator = torch.Generator().manual_seed(1000 * config.seed + worker)
    network.to(memory_format=torch.channels_last)
    parameters = [p for p in network.parameters() if p.requires_grad]
    steps = len(x) // (BATCH * workers)
    optimizer = torch.optim.AdamW(groups(network), lr=config.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.rate, config.epochs * steps, pct_start=0.15
    )
    start = time.time()
    for epoch in range(config.epochs):
        network.train()
        order, total = torch.randperm(len(x), generator=orders)[worker::workers], 0.0
        for batch in order[: steps * BATCH].split(BATCH):
            value = loss(network, augment(x[batch], generator), y[batch], teacher)
            optimizer.zero_grad()
            value.backward()
            average_gradients(parameters)
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            total += value.item()
        val = accuracy(network, val_x, val_y)
        say(
            f"  epoch {epoch + 1:2}: loss {total / steps:.4f}, validation {val:.4f}, "
            f"{time.time() - start:.0f} s"
        )
    share_powers(network)


def share_powers(network):
    """Gives every worker the mean squares of the first."""
    for number in range(4):
        distributed.broadcast(network.power(number), 0)


def groups(network):
    """Returns the parameters in two groups: only weights decay."""
    weights = [layer.weight for layer in network.layers]
    others = [network.bias] + [network.log_scales] * network.log_scales.requires_grad
    return [{"params": weights, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]


def loss(network, x, y, teacher):
    logits, target = network(x), network.config.calibrated
    total = F.cross_entropy(logits, y)
    if teacher is not None:
        with torch.no_grad():
            soft = F.softmax(teacher(x) / 2, 1)
        soft = F.kl_div(F.log_softmax(logits / 2, 1), soft, reduction="batchmean") * 4
        total = 0.7 * soft + 0.3 * total
    if target is not None:
        total = total + WIDTH_PENALTY * F.relu(network.calibrated_width(logits) - target)
    return total


def integer_parameters(network):
    """Returns the integer weights, and the integer bias of conv1, as i64 arrays."""
    weights = network.integers()
    unit = network.log_scales[0].exp() / network.config.levels
    bias = (network.conv1_bias(weights[0] * network.log_scales[0].exp()) / unit).round()
    return [w.detach().numpy().astype(np.int64) for w in weights], (
        bias.detach().numpy().astype(np.int64)
    )


def integer_logits(x, weights, bias):
    """Returns the logits of the integers x, to the 15 digits of a double; pools are sums."""
    weights, bias = [torch.from_numpy(w).double() for w in weights], torch.from_numpy(bias)
    x = x.double()
    for number, weight in enumerate(weights[:CONVS]):
        x = F.conv2d(x, weight, bias.double() if number == 0 else None)
        x = F.avg_pool2d(x.square(), 2, divisor_override=1)
    return torch.flatten(x, 1) @ weights[3].T @ weights[4].T


def calibrated(network, x):
    """Returns the largest |logit| over the images x (bytes), to the digits of a float."""
    worker, workers = rank()
    with torch.no_grad():
        parts = x[worker::workers].split(100)
        largest = torch.stack([network(to_float(part)).abs().max() for part in parts]).max()
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return (largest.double() / network.units()[-1]).item()


def certified(levels, weights, bias):
    """Returns the largest |logit| that interval arithmetic allows for x in 0..levels, exactly."""
    low, high = np.zeros(3, object), np.full(3, levels, object)
    for number, weight in enumerate(weights):
        # All places of a channel share one interval.
        weight = weight.reshape(len(weight), len(low), -1)
        up = np.maximum(weight, 0).sum(2).astype(object)
        down = np.minimum(weight, 0).sum(2).astype(object)
        low, high = up @ low + down @ high, up @ high + down @ low
        if number == 0:
            low, high = low + bias, high + bias
        if number < CONVS:
            low, high = square_and_sum(low, high)
    return max(max(-low), max(high))


def square_and_sum(low, high):
    """Returns the interval of a sum of four squares of numbers in [low, high]."""
    least = [0 if l <= 0 <= h else min(l * l, h * h) for l, h in zip(low, high)]
    return 4 * np.array(least, object), 4 * np.maximum(low * low, high * high)


def save(path, network):
    """Writes the network: float, or QDQ if it is quantized."""
    graph, quantized = export.Graph(), network.config.bits is not None
    weights = [w.detach() for w in network.weights()]
    bias = network.conv1_bias(weights[0]).detach()
    if quantized:
        x = graph.quantized_input(1 / network.config.levels, network.config.levels)
        integers, integer_bias = integer_parameters(network)
        parts = zip(LAYERS, integers, network.scales())
        names = [graph.dequantized(f"{n}_weight", w, s.item(), np.int8) for n, w, s in parts]
        unit = network.units()[0].item()
        bias = graph.dequantized("conv1_bias", integer_bias, unit, np.int32)
    else:
        x = "x"
        names = [graph.constant(f"{n}_weight", w, np.float32) for n, w in zip(LAYERS, weights)]
        bias = graph.constant("conv1_bias", bias, np.float32)
    add_layers(graph, x, names, bias)
    graph.save(path, [onnx.helper.make_opsetid("", export.OPSET)], [1, 3, 32, 32])


def add_layers(graph, x, weights, bias):
    """Adds the layers; `weights` are names of tensors, `bias` that of conv1's."""
    for number, (layer, weight) in enumerate(zip(LAYERS[:CONVS], weights)):
        inputs = [x, weight] + ([bias] if number == 0 else [])
        x = graph.node("Conv", inputs, layer, kernel_shape=[3, 3], pads=[0, 0, 0, 0])
        x = graph.node("Mul", [x, x], f"{layer}_square")
        x = graph.node(
            "AveragePool", [x], f"{layer}_pool", kernel_shape=[2, 2], strides=[2, 2]
        )
    x = graph.node("Flatten", [x], "flat", axis=1)
    x = graph.node("Gemm", [x, weights[3]], "fc1", transB=1)
    graph.node("Gemm", [x, weights[4]], "logits", transB=1)


def check(path, network, x):
    """Compares onnxruntime's logits of the images x (bytes) with ours, relative 1e-4."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    if network.config.bits is None:
        expected = network(to_float(x)).detach()
    else:
        integers = network.quantize_input(to_float(x))
        expected = integer_logits(integers, *integer_parameters(network))
        expected = expected * network.units()[-1].item()
    for image, row in zip(x, expected.numpy()):
        found = session.run(None, {"x": (image[None].float() / 255).numpy()})[0][0]
        error = np.abs(found - row).max() / np.abs(row).max()
        if error > 1e-4:
            raise ValueError(f"{path.name}: error {error:.1e}, expected at most 1e-4")


def finish(name, network, data, tests, out):
    """Folds, writes, checks and describes a trained network."""
    x, _, val_x, val_y = data
    network.eval()
    if network.config.bits is None:
        network.fold()
    if rank()[0] == 0:
        torch.save(network.state_dict(), out / f"hcnn_cifar_{name}.pt")
        path = out / f"hcnn_cifar_{name}.onnx"
        save(path, network)
        check(path, network, x[:50])
    validation, test = accuracy(network, val_x, val_y), accuracy(network, *tests)
    text = f"{name}: validation {validation:.4f}, test {test:.4f}"
    if network.config.bits is not None:
        bound = certified(network.config.levels, *integer_parameters(network))
        largest = calibrated(network, torch.cat([x, val_x]))
        text += f", certified {bits(bound):.2f}"
        text += f", calibrated {bits(largest):.2f} ({largest:.3e})"
    say(text)


def work(worker, workers, args, store):
    """Trains the networks that `args` name, as one of `workers` processes."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=worker, world_size=workers
    )
    torch.set_num_threads(1)
    x, y = load(args.cifar, [f"data_batch_{i}.bin.gz" for i in range(1, 6)])
    tests = load(args.cifar, ["test_first5000.bin.gz"])
    data = x[:-VALIDATION], y[:-VALIDATION], x[-VALIDATION:], y[-VALIDATION:]
    teacher = None
    for name, config in CONFIGS.items():
        torch.manual_seed(config.seed)
        network, stored = Network(config), args.out / f"hcnn_cifar_{name}.pt"
        if name == "float" and name not in args.only:
            network.fold()
            network.load_state_dict(torch.load(stored))
        elif name in args.only:
            say(name)
            network.start(teacher)
            if config.start is not None:
                start = args.out / f"hcnn_cifar_{config.start}.pt"
                network.load_state_dict(torch.load(start))
            train(network, data, teacher)
            finish(name, network, data, tests, args.out)
        if name == "float":
            teacher = copy.deepcopy(network).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", required=True, help="folder of CIFAR-10's binary files, .gz")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    parser.add_argument("--workers", default=2, type=int)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        torch.multiprocessing.spawn(work, (args.workers, args, store), args.workers)


if __name__ == "__main__":
    main()
