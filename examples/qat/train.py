"""Trains HCNN's MNIST network quantisation-aware and exports it to ONNX.

    python train.py --mnist DIR [--only NAME ...]

writes the files of README.md beside this script. One core, seeded. Needs PyTorch (2.6.0 was used), onnx,
onnxruntime and NumPy. See ../mnist/README.md for where DIR comes from.

The encrypted network computes on integers that grow from layer to layer, and the plaintext modulus has to
hold the logits. `small` and `tiny` are therefore trained for few bits: the loss adds the bits of the logits
of each batch and those that interval arithmetic promises, as far as they exceed what `Config` asks for.

Choices were made on the last 5,000 training images; the test images are read for the last lines printed.
"""

import argparse
import copy
import pathlib
import sys
import time

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

# The reader of MNIST, augmentation and accuracy are those of the MNIST example, ../mnist.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mnist"))
import idx
import importlib.util

import export
import widths
from networks import Config, Network
