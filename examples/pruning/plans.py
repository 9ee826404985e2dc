"""Calls hecc: prunes networks and reads what their plans take."""

import json
import subprocess
from dataclasses import dataclass


@dataclass
class Plan:
    """What a run of a plan takes."""

    plaintexts: int
    seconds: float
    # Of evaluation keys and ciphertexts.
    run_bytes: int
    # Of weights, if they are kept encoded between runs.
    weight_bytes: int


# Bits of precision of all plans: pruned networks would ask for others.
PRECISION = 10


class Hecc:
    def __init__(self, command, slots=()):
        """`slots`: options that say what slots are of, such as `--tiles`."""
        self.command, self.slots = command, slots

    def _call(self, *arguments):
        result = subprocess.run(
            [self.command, *map(str, arguments), "--json"], capture_output=True, text=True
        )
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return json.loads(result.stdout)

    def prune(self, network, output, mask, calibration, keep, method):
        """Prunes a network."""
        self._call(
            "prune", network, "-o", output, "--mask", mask, "--calibration", calibration,
            "--keep", keep, "--method", method, "--precision", PRECISION, *self.slots,
        )  # fmt: skip

    def compile(self, network, calibration):
        """What the plan of a network takes."""
        plan = network.with_suffix(".bin")
        sheet = self._call(
            "compile", network, "-o", plan, "--calibration", calibration, "--precision", PRECISION,
            *self.slots,
        )
        layers = self._call("inspect", plan)["layers"]
        plan.unlink()
        memory = sheet["memory_bytes"]
        return Plan(
            plaintexts=sum(layer["plaintext_products"] for layer in layers),
            seconds=sheet["predicted_seconds"]["run"],
            run_bytes=memory["keys"] + memory["values"],
            weight_bytes=memory["encoded_weights"],
        )
