"""Writes CIFAR-10 as arrays: `calibration.npz` of training images, `test.npz` of the first test images.

    python prepare.py --cifar DIR --out DIR [--calibration 512] [--test 5000]

DIR holds the binary version of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html), files plain or `.gz`. Arrays are `x`,
f32 [n, 3, 32, 32], normalized as the networks were trained with, and `y`, i64 [n].
"""

import argparse
import gzip
import pathlib

import numpy as np

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

PIXELS = 3 * 32 * 32


def load(folder, names):
    """Images and labels of a file of records: a byte for the label, then red, green and blue."""
    path = next(p for name in names for p in [folder / name, folder / f"{name}.gz"] if p.exists())
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    with opened as file:
        records = np.frombuffer(file.read(), np.uint8).reshape(-1, 1 + PIXELS)
    return normalize(records[:, 1:].reshape(-1, 3, 32, 32)), records[:, 0].astype(np.int64)


def normalize(x):
    """Images of bytes as the networks were trained with them."""
    mean, std = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return (x.astype(np.float32) / 255 - mean) / std


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--calibration", type=int, default=512)
    parser.add_argument("--test", type=int, default=5000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, files, count in [
        ("calibration.npz", ["data_batch_1.bin"], args.calibration),
        ("test.npz", ["test_batch.bin", "test_first5000.bin"], args.test),
    ]:
        x, y = load(args.cifar, files)
        np.savez(args.out / name, x=x[:count], y=y[:count])
        print(f"{name}: {len(x[:count])} images")


if __name__ == "__main__":
    main()
