"""Orion v2 (packages orion-v2-compiler, -evaluator, -lattigo): PyTorch to Lattigo.

Parameters: N = 2^14, 55 + 5 x 40 bits, P = 2 x 61, set here; the conjugate-invariant ring and the secret of
Hamming weight 192 are its compiler's defaults.
"""

import json

import numpy as np

import stages


def network():
    """Returns the network as an Orion module with the weights of the ONNX file."""
    import orion_compiler.nn as on
    import torch

    class SmallCnn(on.Module):
        def __init__(self):
            super().__init__()
            self.conv = on.Conv2d(1, 5, kernel_size=5, stride=2, padding=0)
            self.square1, self.flatten, self.square2 = on.Quad(), on.Flatten(), on.Quad()
            self.fc1, self.fc2 = on.Linear(720, 100), on.Linear(100, 10)

        def forward(self, x):
            x = self.fc1(self.flatten(self.square1(self.conv(x))))
            return self.fc2(self.square2(x))

    model = SmallCnn()
    state = {name: torch.from_numpy(value) for name, value in stages.weights().items()}
    model.load_state_dict(state, strict=False)
    return model.eval()


def prepare(work, options):
    import torch
    from lattigo import ckks, rlwe
    from orion_compiler import CKKSParams, Compiler
    from orion_evaluator import Model

    x = stages.image()
    params = CKKSParams(logn=14, logq=[55] + [40] * 5, logp=[61, 61], log_default_scale=40)

    def compile_network():
        compiler = Compiler(network(), params)
        compiler.fit(torch.utils.data.DataLoader([(torch.from_numpy(x[0]), 0)], batch_size=1))
        return compiler.compile().to_bytes()

    plan, compile_s = stages.timed(compile_network)
    (work / "plan").write_bytes(plan)

    chosen, manifest, level = Model.load(plan).client_params()
    lattigo = ckks.Parameters.from_dict(chosen)
    generator = rlwe.KeyGenerator(lattigo)
    secret = generator.gen_secret_key()
    galois = manifest["galois_elements"]

    def make_keys():
        relin = generator.gen_relin_key(secret)
        return rlwe.MemEvaluationKeySet(
            relin, [generator.gen_galois_key(secret, element) for element in galois]
        ).marshal_binary()

    keys, keygen_s = stages.timed(make_keys)
    (work / "keys").write_bytes(keys)
    (work / "secret").write_bytes(secret.marshal_binary())
    (work / "client.json").write_text(json.dumps(chosen))

    slots = np.zeros(lattigo.max_slots())
    slots[: x.size] = x.ravel()
    plaintext = ckks.Encoder(lattigo).encode(slots.tolist(), level, lattigo.default_scale())
    public = generator.gen_public_key(secret)
    input_bytes = rlwe.Encryptor(lattigo, public).encrypt_new(plaintext).marshal_binary()
    (work / "input").write_bytes(input_bytes)
    return {
        "parameters": f"{chosen}, {len(galois)} Galois keys",
        "compile_s": compile_s,
        "keygen_s": keygen_s,
        "key_bytes": len(keys),
        "input_bytes": len(input_bytes),
    }


def serve(work, options):
    from orion_evaluator import Evaluator, Model

    model = Model.load((work / "plan").read_bytes())
    params, _, _ = model.client_params()
    evaluator = Evaluator(params, (work / "keys").read_bytes())
    encrypted = (work / "input").read_bytes()
    output, times = stages.repeat(lambda: evaluator.forward(model, [encrypted]), options.reps)
    (work / "output").write_bytes(output[0])
    return times


def finish(work, options):
    from lattigo import ckks, rlwe

    params = ckks.Parameters.from_dict(json.loads((work / "client.json").read_text()))
    secret = rlwe.SecretKey.unmarshal_binary((work / "secret").read_bytes())
    ciphertext = rlwe.Ciphertext.unmarshal_binary((work / "output").read_bytes())
    plaintext = rlwe.Decryptor(params, secret).decrypt_new(ciphertext)
    return {
        "y": [float(v) for v in ckks.Encoder(params).decode(plaintext, params.max_slots())[:10]]
    }


if __name__ == "__main__":
    stages.main(prepare, serve, finish)
