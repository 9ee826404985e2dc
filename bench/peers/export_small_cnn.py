"""Writes the peer comparison's network and data: `small_cnn.onnx`, `.npz` and `_calibration.npz`.

    python export_small_cnn.py

28x28 -> conv 5x5 stride 2 (1 to 5 channels, no padding) -> square -> FC 720 to 100 -> square -> FC 100 to 10,
PyTorch's default random weights with seed 42 and both FC weights times 4, so that the outputs reach about 8
and a lost bit shows. Needs PyTorch (2.6.0 was used), onnx, onnxruntime and NumPy.
"""

import pathlib

import numpy as np
import onnxruntime
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent
CALIBRATION = 64


class SmallCnn(nn.Module):
    def __init__(self):
        super().__init__()
        # The order of construction fixes which random numbers each layer gets.
        self.conv = nn.Conv2d(1, 5, 5, stride=2)
        self.fc1 = nn.Linear(720, 100)
        self.fc2 = nn.Linear(100, 10)

    def forward(self, x):
        x = self.conv(x)
        x = self.fc1(torch.flatten(x * x, 1))
        return self.fc2(x * x)


def main():
    torch.manual_seed(42)
    model = SmallCnn().eval()
    with torch.no_grad():
        model.fc1.weight.mul_(4)
        model.fc2.weight.mul_(4)
    x = torch.rand(1, 1, 28, 28)

    path = FOLDER / "small_cnn.onnx"
    torch.onnx.export(
        model,
        (x,),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        output_names=["y"],
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path.read_bytes(), options)
    y = session.run(None, {"x": x.numpy()})[0]
    with torch.no_grad():
        difference = np.abs(y - model(x).numpy()).max()
    if difference > 1e-5:
        raise SystemExit(f"onnxruntime and PyTorch differ by {difference}")
    np.savez_compressed(FOLDER / "small_cnn.npz", x=x.numpy(), y_ref=y)

    # Whole 255ths, as pixels are, compress to a quarter of the size of free f32 values.
    levels = np.random.default_rng(43).integers(0, 256, (CALIBRATION, 1, 28, 28))
    np.savez_compressed(FOLDER / "small_cnn_calibration.npz", x=(levels / 255).astype(np.float32))
    print(f"outputs {np.round(y.ravel(), 3)}, onnxruntime - PyTorch {difference:.1e}")


if __name__ == "__main__":
    main()
