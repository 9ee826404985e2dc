"""HElayers (package pyhelayers, licensed for non-commercial use): ONNX to SEAL or OpenFHE, `--backend seal|openfhe`.

HElayers flattens a convolution's output in the order H, W, C where ONNX says C, H, W, and gives wrong outputs
for this network without a warning. `--backend seal-hwc` and `openfhe-hwc` permute the columns of the first FC
layer beforehand, which undoes that.
"""

import numpy as np
import onnx
import pyhelayers as he
from onnx import numpy_helper

import stages

CONTEXTS = {"seal": he.SealCkksContext, "openfhe": he.OpenFheCkksContext}
CHANNELS, SIDE = 5, 12


def write_model(path, permute):
    """Writes the network, with the inputs of `fc1` reordered from C, H, W to H, W, C if `permute`."""
    model = onnx.load(stages.FOLDER / "small_cnn.onnx")
    for tensor in model.graph.initializer:
        if permute and tensor.name == "fc1.weight":
            w = (
                numpy_helper.to_array(tensor)
                .reshape(-1, CHANNELS, SIDE, SIDE)
                .transpose(0, 2, 3, 1)
            )
            flat = np.ascontiguousarray(w.reshape(w.shape[0], -1))
            tensor.CopyFrom(numpy_helper.from_array(flat, tensor.name))
    onnx.save(model, path)


def prepare(work, options):
    backend, _, order = options.backend.partition("-")
    write_model(work / "model.onnx", order == "hwc")
    plain = he.PlainModel.create(he.PlainModelHyperParams(), [str(work / "model.onnx")])
    requirements = he.HeRunRequirements()
    requirements.set_he_context_options([CONTEXTS[backend]()])
    requirements.optimize_for_batch_size(1)
    requirements.set_model_encrypted(False)
    profile, compile_s = stages.timed(lambda: he.HeModel.compile(plain, requirements))
    context, keygen_s = stages.timed(lambda: he.HeModel.create_context(profile))
    model = plain.get_empty_he_model(context)
    model.encode(plain, profile)
    encoder = he.ModelIoEncoder(model)
    encrypted = he.EncryptedData(context)
    encoder.encode_encrypt(encrypted, [stages.image().astype(np.float64)])
    context.save_to_file(str(work / "keys"))
    context.save_secret_key_to_file(str(work / "secret"))
    model.save_to_file(str(work / "plan"))
    encoder.save_to_file(str(work / "encoder"))
    encrypted.save_to_file(str(work / "input"))
    return {
        "parameters": str(profile.get_he_config_requirement()),
        "compile_s": compile_s,
        "keygen_s": keygen_s,
        "key_bytes": (work / "keys").stat().st_size,
        "input_bytes": (work / "input").stat().st_size,
    }


def serve(work, options):
    context = he.load_he_context_from_file(str(work / "keys"))
    model = he.load_he_model_from_file(context, str(work / "plan"))
    encrypted = he.load_encrypted_data_from_file(context, str(work / "input"))

    def infer():
        output = he.EncryptedData(context)
        model.predict(output, encrypted)
        return output

    output, times = stages.repeat(infer, options.reps)
    output.save_to_file(str(work / "output"))
    return times


def finish(work, options):
    context = he.load_he_context_from_file(str(work / "keys"))
    context.load_secret_key_from_file(str(work / "secret"))
    encoder = he.load_io_encoder_from_file(context, str(work / "encoder"))
    output = he.load_encrypted_data_from_file(context, str(work / "output"))
    return {"y": np.array(encoder.decrypt_decode_output(output)).ravel()[:10].tolist()}


if __name__ == "__main__":
    stages.main(prepare, serve, finish)
