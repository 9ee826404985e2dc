#!/usr/bin/env python3
"""Fetches the ONNX backend node cases into target/onnx-node-tests, where tests/conformance.rs looks for them.

They ship in the Python package `onnx` up to version 1.19.1 (Apache License 2.0). Needs pip; installs nothing.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.19.1"
INSIDE = "onnx/backend/test/data/node/"
TARGET = Path(__file__).resolve().parents[2] / "target" / "onnx-node-tests"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", folder, f"onnx=={VERSION}"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(INSIDE)]
            archive.extractall(folder, names)
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(folder) / INSIDE, TARGET)
    print(f"{sum(1 for _ in TARGET.iterdir())} cases in {TARGET}")


if __name__ == "__main__":
    main()
