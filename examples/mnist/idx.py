"""Reads the four IDX files of MNIST from a folder, plain or gzip-compressed."""

import gzip
import pathlib

import numpy as np

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
IMAGE_MAGIC, LABEL_MAGIC = 0x803, 0x801


def _read(path, magic):
    """Returns the u8 array of one IDX file; `magic` is its expected first word."""
    zipped = path.with_name(path.name + ".gz")
    data = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    found = int.from_bytes(data[:4], "big")
    if found != magic:
        raise ValueError(f"{path}: magic number {found:#x}, expected {magic:#x}")
    rank = magic & 0xFF
    shape = tuple(np.frombuffer(data, ">u4", rank, 4).astype(int))
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if values.size != np.prod(shape):
        raise ValueError(f"{path}: {values.size} values, expected {np.prod(shape)}")
    return values.reshape(shape)


def load(folder, part):
    """Returns the images, f32 [n, 1, 28, 28] in [0, 1], and labels, i64 [n], of `train` or `t10k`."""
    folder = pathlib.Path(folder)
    images = _read(folder / f"{part}-{IMAGES}", IMAGE_MAGIC)
    labels = _read(folder / f"{part}-{LABELS}", LABEL_MAGIC)
    x = images.astype(np.float32)[:, None] / np.float32(255)
    return x, labels.astype(np.int64)
