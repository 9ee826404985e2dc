"""Runs the small CNN with hecc and with each installed peer, one after the other, and prints one table.

    python run.py --hecc target/release/hecc --peer orion2=VENV --peer tenseal_im2col=VENV \\
                  --peer helayers:seal-hwc=VENV

`--peer SCRIPT[:BACKEND]=VENV` names a script next to this one and the virtual environment in which that peer is
installed. README.md says what to install and how each column is measured. Needs NumPy only.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent
# Above this the output is not the network's: the reference's largest output is 7.8.
WRONG = 1.0


def spawn(command, threads):
    """Runs a process to its end; returns its standard output, wall and CPU seconds and peak memory in bytes."""
    limits = {"OMP_NUM_THREADS": str(threads), "GOMAXPROCS": str(threads)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **limits})
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            tail = err.read().decode(errors="replace").strip()[-600:]
            raise RuntimeError(
                f"`{' '.join(map(str, command))}` ended with {child.returncode}: {tail}"
            )
        cpu = usage.ru_utime + usage.ru_stime
        # Linux gives kilobytes.
        return out.read().decode(errors="replace"), wall, cpu, usage.ru_maxrss * 1024


def run_peer(name, venv, work, args):
    """Returns the row of one peer script."""
    script, _, backend = name.partition(":")
    memory, report = {}, {}
    for stage in ["prepare", "serve", "finish"]:
        command = [pathlib.Path(venv) / "bin" / "python", FOLDER / f"{script}.py", stage, work]
        command += ["--threads", str(args.threads), "--reps", str(args.reps), "--backend", backend]
        _, _, _, memory[stage] = spawn(command, args.threads)
        report.update(json.loads((work / f"{stage}.json").read_text()))
    return {"name": name, **report, "client_memory": memory["prepare"], "memory": memory["serve"]}


def run_hecc(work, args):
    """Returns the row of hecc: the commands that a user types."""
    hecc, plan = str(args.hecc), work / "plan.bin"
    # The first run also encodes the weights, which the peers do before they are timed.
    n_inputs = args.reps + 1
    np.save(work / "x.npy", np.repeat(np.load(FOLDER / "small_cnn.npz")["x"], n_inputs, axis=0))
    calibration = FOLDER / "small_cnn_calibration.npz"
    compile_command = [
        hecc,
        "compile",
        FOLDER / "small_cnn.onnx",
        "-o",
        plan,
        "--calibration",
        calibration,
        "--precision",
        "18",
    ]
    sheet, compile_s, _, compile_memory = spawn([*compile_command, "--json"], args.threads)
    _, keygen_s, _, keygen_memory = spawn([hecc, "keygen", plan], args.threads)
    spawn([hecc, "encrypt", plan, "--input", work / "x.npy", "-o", work / "x.ct"], args.threads)
    run_command = [hecc, "run", plan, "--input", work / "x.ct", "-o", work / "x.out.ct"]
    run_command += ["--threads", str(args.threads), "--json"]
    text, _, cpu_s, memory = spawn(run_command, args.threads)
    seconds = json.loads(text)["input_seconds"]
    row = {"wall_s": seconds[1:], "first_s": seconds[0], "cpu_s": [cpu_s / n_inputs], "memory": memory}
    decrypt_command = [hecc, "decrypt", plan, "--input", work / "x.out.ct", "-o", work / "y.npy"]
    spawn(decrypt_command, args.threads)
    return {
        "name": "hecc",
        **row,
        "parameters": sheet.strip()[:2000],
        "compile_s": compile_s,
        "keygen_s": keygen_s,
        "key_bytes": (work / "plan.ek").stat().st_size,
        "input_bytes": (work / "x.ct").stat().st_size // n_inputs,
        "client_memory": max(compile_memory, keygen_memory),
        "y": np.load(work / "y.npy").ravel()[:10].astype(float).tolist(),
    }


def finish(row, reference):
    """Adds medians and the error against the reference to a row."""
    error = float(np.abs(np.array(row["y"]) - reference).max())
    row["latency_s"] = statistics.median(row["wall_s"])
    row["median_cpu_s"] = statistics.median(row["cpu_s"])
    row["max_error"] = error
    row["bits"] = -np.log2(error) if error > 0 else float("inf")
    row["class_right"] = int(np.argmax(row["y"])) == int(np.argmax(reference))
    return row


def table(rows):
    head = [
        "system",
        "latency s",
        "CPU s",
        "max error",
        "bits",
        "keys MB",
        "input MB",
        "server MB",
        "client MB",
        "compile s",
        "keygen s",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    for r in rows:
        note = " (wrong)" if r["max_error"] > WRONG else ""
        cells = [
            r["name"], f"{r['latency_s']:.3f}", f"{r['median_cpu_s']:.3f}", f"{r['max_error']:.1e}{note}", f"{r['bits']:.1f}",
            f"{r['key_bytes'] / 1e6:.1f}", f"{r['input_bytes'] / 1e6:.2f}", f"{r['memory'] / 1e6:.0f}",
            f"{r['client_memory'] / 1e6:.0f}", f"{r['compile_s']:.2f}", f"{r['keygen_s']:.2f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--hecc", type=pathlib.Path, help="the release binary; without it only the peers run"
    )
    parser.add_argument("--peer", action="append", default=[], metavar="SCRIPT[:BACKEND]=VENV")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument(
        "--json", type=pathlib.Path, help="also write every measurement to this file"
    )
    args = parser.parse_args()
    reference = np.load(FOLDER / "small_cnn.npz")["y_ref"].ravel()

    jobs = [("hecc", lambda work: run_hecc(work, args))] if args.hecc else []
    for peer in args.peer:
        name, _, venv = peer.partition("=")
        jobs.append((name, lambda work, name=name, venv=venv: run_peer(name, venv, work, args)))
    rows, failed = [], False
    for name, job in jobs:
        print(f"running {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as work:
            try:
                rows.append(finish(job(pathlib.Path(work)), reference))
            except (RuntimeError, OSError, ValueError) as error:
                print(f"{name} failed: {error}", file=sys.stderr)
                failed = True
    print(f"{args.threads} thread(s), median of {args.reps}; MB = 10^6 bytes\n")
    print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    sys.exit(failed)


if __name__ == "__main__":
    main()
