"""Holds exported files to the exact integers of the network that they were written from."""

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import export
import widths

TOLERANCE = 1e-4


def check_qdq(path, network, x):
    """Compares onnxruntime's logits of the images x with the integers times their scale."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    _compare(path, session, network, x)


def check_qonnx(path, network, x):
    """Compares the logits that onnx's reference evaluator gives with the `Quant` below."""
    _compare(path, ReferenceEvaluator(onnx.load(str(path)), new_ops=[Quant]), network, x)


def _compare(path, session, network, x):
    integers = widths.integer_logits(
        network.quantize_input(x), widths.to_numpy(network.integers())
    )
    exact = integers.astype(float) * network.units()[-1].item()
    for image, expected in zip(x, exact):
        found = session.run(None, {"x": image[None].numpy()})[0][0]
        error = np.abs(found - expected).max() / np.abs(expected).max()
        if error > TOLERANCE:
            raise ValueError(f"{path.name}: error {error:.1e}, expected at most {TOLERANCE:.0e}")


class Quant(OpRun):
    """QONNX `Quant`, version 2, with rounding half to even: what `export` writes."""

    op_domain = export.QONNX_DOMAIN

    def _run(self, x, scale, zero, bits, signed=None, narrow=None, rounding_mode=None):
        if rounding_mode != "ROUND":
            raise ValueError(f"rounding mode {rounding_mode}, expected ROUND")
        low = -(2.0 ** (bits - 1)) + narrow if signed else 0.0
        high = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow
        # Clamping comes before rounding.
        rounded = np.rint(np.clip(x / scale + zero, low, high))
        return (((rounded - zero) * scale).astype(np.float32),)
