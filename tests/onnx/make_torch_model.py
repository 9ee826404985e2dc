#!/usr/bin/env python3
"""Makes tests/onnx/models/torch.onnx: a network with PyTorch's fake quantization, as its exporter writes it.

Needs the packages torch, onnx, onnxruntime and numpy. The weights are random; the file is tiny and checked in.
"""

import io

import onnx
import torch
from torch import nn
from torch.ao import quantization

from make_quantized_models import SHAPE, save


class Network(nn.Module):
    """A convolution, a square and a layer."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.fc = nn.Linear(27, 3)

    def forward(self, x):
        x = self.conv(self.quant(x))
        return self.dequant(self.fc(torch.flatten(x * x, 1)))


def main():
    torch.manual_seed(3)
    network = Network().train()
    activation = quantization.FakeQuantize.with_args(
        observer=quantization.MinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8
    )
    weight = quantization.default_per_channel_weight_fake_quant
    network.qconfig = quantization.QConfig(activation=activation, weight=weight)
    network = quantization.prepare_qat(network)
    for _ in range(8):
        network(torch.rand(16, *SHAPE[1:]))
    network.eval()
    network.apply(quantization.disable_observer)
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(network, torch.rand(SHAPE), file, opset_version=13, dynamo=False, **names)
    save("torch", onnx.load_from_string(file.getvalue()))


if __name__ == "__main__":
    main()
