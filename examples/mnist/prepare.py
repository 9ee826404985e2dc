"""Writes the example data, `digits.npz` and `calibration.npz`, from the MNIST files.

    python prepare.py --mnist DIR

`digits.npz` holds the first 50 test images, `calibration.npz` the first 256 training images, each as
`x`, f32 [n, 1, 28, 28] in [0, 1], and `y`, i64 [n]. See README.md for where DIR comes from.
"""

import argparse
import pathlib

import numpy as np

import idx

DIGITS, CALIBRATION = 50, 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", required=True, help="folder of the four MNIST files, plain or .gz"
    )
    parser.add_argument("--out", default=pathlib.Path(__file__).parent, type=pathlib.Path)
    args = parser.parse_args()
    for name, part, count in [
        ("digits.npz", "t10k", DIGITS),
        ("calibration.npz", "train", CALIBRATION),
    ]:
        x, y = idx.load(args.mnist, part)
        np.savez_compressed(args.out / name, x=x[:count], y=y[:count])
        print(f"{name}: {count} images, {(args.out / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
