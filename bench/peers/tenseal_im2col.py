"""TenSEAL (package tenseal, on Microsoft SEAL): the network written by hand over its encrypted vectors.

The client encodes the input by im2col; every matrix product costs one plain rotation a diagonal. N = 2^14 is
the smallest ring that holds 144 windows (padded to 256) of 25 pixels.

`mm` reads its input as if it were repeated after its end, but `+ bias` adds the bias once, so a plain chain of
the two is wrong by 0.03 here, at any scale. `SHIFT` empty places before the 100 values of the hidden layer,
met by as many zero rows of the second matrix, keep the repeated part out of the sum.
"""

import numpy as np
import tenseal as ts

import stages

KERNEL, STRIDE = 5, 2
# 60 + 6 x 50 + 60 bits: 128-bit security at N = 2^14 allows 438.
LOG_N, SPECIAL_BITS, SCALE_BITS, LEVELS = 14, 60, 50, 6
SHIFT = 10


def prepare(work, options):
    bits = [SPECIAL_BITS] + [SCALE_BITS] * LEVELS + [SPECIAL_BITS]
    context = ts.context(
        ts.SCHEME_TYPE.CKKS, 1 << LOG_N, coeff_mod_bit_sizes=bits, n_threads=options.threads
    )
    context.global_scale = 2.0**SCALE_BITS
    _, keygen_s = stages.timed(context.generate_galois_keys)
    pixels = stages.image()[0, 0].tolist()
    encrypted, windows = ts.im2col_encoding(context, pixels, KERNEL, KERNEL, STRIDE)
    # TenSEAL reads a secret key only as part of a whole context.
    keys = context.serialize(save_public_key=True, save_secret_key=False)
    (work / "keys").write_bytes(keys)
    (work / "secret").write_bytes(
        context.serialize(save_secret_key=True, save_galois_keys=False, save_relin_keys=False)
    )
    (work / "input").write_bytes(encrypted.serialize())
    (work / "windows").write_text(str(windows))
    return {
        "parameters": f"N = 2^{LOG_N}, {'+'.join(map(str, bits))} bits",
        "compile_s": 0.0,
        "keygen_s": keygen_s,
        "key_bytes": len(keys),
        "input_bytes": (work / "input").stat().st_size,
    }


def serve(work, options):
    context = ts.context_from((work / "keys").read_bytes(), n_threads=options.threads)
    encrypted = ts.ckks_vector_from(context, (work / "input").read_bytes())
    windows = int((work / "windows").read_text())
    w = stages.weights()
    kernels = [(k[0].tolist(), float(b)) for k, b in zip(w["conv.weight"], w["conv.bias"])]
    before = ((SHIFT, 0),)
    fc1 = np.pad(w["fc1.weight"], before + ((0, 0),)).T.tolist()
    bias1 = np.pad(w["fc1.bias"], before).tolist()
    fc2 = np.pad(w["fc2.weight"].T, before + ((0, 0),)).tolist()
    bias2 = w["fc2.bias"].tolist()

    def infer():
        x = ts.CKKSVector.pack_vectors(
            [encrypted.conv2d_im2col(k, windows) + b for k, b in kernels]
        )
        x.square_()
        x = x.mm(fc1) + bias1
        x.square_()
        return x.mm(fc2) + bias2

    output, times = stages.repeat(infer, options.reps)
    (work / "output").write_bytes(output.serialize())
    return times


def finish(work, options):
    context = ts.context_from((work / "secret").read_bytes())
    output = ts.ckks_vector_from(context, (work / "output").read_bytes())
    return {"y": np.array(output.decrypt()[:10]).tolist()}


if __name__ == "__main__":
    stages.main(prepare, serve, finish)
