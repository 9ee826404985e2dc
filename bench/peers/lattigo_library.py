"""Lattigo 6.2 through the shared library of the package orion-fhe, without Orion itself or PyTorch.

The library keeps one scheme and hands out numbers for plaintexts and ciphertexts. Values cross it as 32-bit floats.
"""

import ctypes
import importlib.util
import pathlib
from ctypes import POINTER, c_char_p, c_float, c_int, c_int64, c_ulong, c_void_p

import numpy as np


class FloatArray(ctypes.Structure):
    _fields_ = [("data", POINTER(c_float)), ("length", c_ulong)]


class IntArray(ctypes.Structure):
    _fields_ = [("data", POINTER(c_int)), ("length", c_ulong)]


class ModulusArray(ctypes.Structure):
    _fields_ = [("data", POINTER(c_ulong)), ("length", c_ulong)]


INTS, FLOATS = [POINTER(c_int), c_int], [POINTER(c_float), c_int]
SIGNATURES = {
    "NewScheme": ([c_int, *INTS, *INTS, c_int, c_int, c_char_p, c_char_p, c_char_p], None),
    "NewBootstrapper": ([*INTS, c_int], None),
    "Bootstrap": ([c_int, c_int], c_int),
    "Encode": ([*FLOATS, c_int, c_ulong], c_int),
    "Decode": ([c_int], FloatArray),
    "Encrypt": ([c_int], c_int),
    "Decrypt": ([c_int], c_int),
    "MulRelinCiphertextNew": ([c_int, c_int], c_int),
    "Rescale": ([c_int], c_int),
    "RotateNew": ([c_int, c_int], c_int),
    "GenerateLinearTransform": ([*INTS, *FLOATS, c_int, c_float, c_char_p], c_int),
    "GetLinearTransformRotationKeys": ([c_int], IntArray),
    "GenerateLinearTransformRotationKey": ([c_int], None),
    "EvaluateLinearTransform": ([c_int, c_int], c_int),
    "GetCiphertextLevel": ([c_int64], c_int),
    "GetModuliChain": ([], ModulusArray),
    "DeleteCiphertext": ([c_int], None),
    "DeletePlaintext": ([c_int], None),
    "FreeCArray": ([c_void_p], None),
}
# Called once, in this order, after the scheme is there.
SETUP = [
    "NewKeyGenerator",
    "GenerateSecretKey",
    "GeneratePublicKey",
    "GenerateRelinearizationKey",
    "GenerateEvaluationKeys",
    "NewEncoder",
    "NewEncryptor",
    "NewDecryptor",
]


def load():
    """Returns the shared library with its signatures."""
    package = importlib.util.find_spec("orion")
    if package is None:
        raise SystemExit("install orion-fhe: pip install --no-deps orion-fhe==1.0.2")
    folder = pathlib.Path(package.origin).parent / "backend" / "lattigo"
    library = ctypes.CDLL(str(folder / "lattigo-linux.so"))
    for name, (arguments, result) in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    for name in [*SETUP, "NewEvaluator"]:
        getattr(library, name).argtypes, getattr(library, name).restype = [], None
    return library


def ints(values):
    """Returns a pointer to 32-bit integers and their number, as the library takes lists."""
    return (c_int * len(values))(*values), len(values)


def floats(values):
    """Returns a pointer to 32-bit floats and their number."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    return array.ctypes.data_as(POINTER(c_float)), array.size


class Scheme:
    """Keys, encoder and encryptor for a standard ring and a secret with half of its coefficients nonzero."""

    def __init__(self, log_n, log_q, log_p, log_scale):
        self.library = load()
        self.log_n, self.log_scale = log_n, log_scale
        nonzero = 1 << (log_n - 1)
        primes = *ints(log_q), *ints(log_p)
        self.library.NewScheme(log_n, *primes, log_scale, nonzero, b"standard", b"", b"none")
        for name in SETUP:
            getattr(self.library, name)()

    def encrypt(self, values, level):
        """Returns the number of a fresh ciphertext at a level."""
        plaintext = self.library.Encode(*floats(values), level, 1 << self.log_scale)
        ciphertext = self.library.Encrypt(plaintext)
        self.library.DeletePlaintext(plaintext)
        return ciphertext

    def decrypt(self, ciphertext):
        """Returns all slots of a ciphertext."""
        plaintext = self.library.Decrypt(ciphertext)
        result = self.library.Decode(plaintext)
        values = np.ctypeslib.as_array(result.data, (result.length,)).astype(float)
        self.library.FreeCArray(ctypes.cast(result.data, c_void_p))
        self.library.DeletePlaintext(plaintext)
        return values

    def level(self, ciphertext):
        return self.library.GetCiphertextLevel(ciphertext)

    def delete(self, ciphertext):
        self.library.DeleteCiphertext(ciphertext)
