"""Times CKKS operations and bootstraps of hecc and of its peers, one after the other, and prints tables.

    python primitives.py --hecc target/release/hecc --openfhe VENV --lattigo VENV --threads 1

README.md says what the environments hold. `--only ops` or `--only bootstrap` leaves out the other half. Every command is
a process of its own; its standard output is one JSON object, and all of them go to `--save` if that is given.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
# log2 of the ring degree, limbs.
OPERATIONS_AT = [(16, 24), (16, 12), (16, 6), (15, 14), (15, 7)]
# log2 of the ring degree, real values, levels, bits of precision asked of hecc.
BOOTSTRAPS = [(16, 32768, 6, 15), (16, 16384, 6, 15), (16, 4096, 6, 15), (15, 16384, 3, 15)]
OPERATIONS = ["ntt", "mul_relin_rescale", "rotate", "rotate_hoisted_8", "rescale"]


def run(command, threads):
    """Returns the JSON object that a process prints, or None if it fails."""
    limits = {"OMP_NUM_THREADS": str(threads), "GOMAXPROCS": str(threads)}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={**os.environ, **limits}
    )
    if done.returncode != 0:
        print(f"{' '.join(map(str, command))}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def systems(args, what):
    """Returns the name and the first words of the command of each system that is there."""
    found = [("hecc", [args.hecc, "bench", what, "--json"])]
    for name in ["openfhe", "lattigo"]:
        if venv := getattr(args, name):
            python = pathlib.Path(venv) / "bin" / "python"
            found.append((name, [python, FOLDER / f"{name}_{what}.py"]))
    return found


def operations(args):
    """Yields a report for each ring, number of limbs and system."""
    for log_n, limbs in OPERATIONS_AT:
        for name, command in systems(args, "ops"):
            reps = "--repeats" if name == "hecc" else "--reps"
            size = ["--log-n", log_n, "--limbs", limbs, "--threads", args.threads, reps, args.reps]
            yield name, (log_n, limbs), run([*command, *size], args.threads)


def bootstraps(args):
    """Yields a report for each ring, number of values and system."""
    for log_n, values, levels, bits in BOOTSTRAPS:
        for name, command in systems(args, "bootstrap"):
            size = ["--log-n", log_n, "--values", values, "--threads", args.threads]
            if name == "hecc":
                size += ["--levels", levels, "--bits", bits]
            yield name, (log_n, values), run([*command, *size], args.threads)


def show_operations(reports):
    """Prints milliseconds, and how many times as long as hecc the peers take."""
    print("| N, limbs | system |" + "".join(f" {name} |" for name in OPERATIONS))
    print("|---|---|" + "--:|" * len(OPERATIONS))
    ours = {}
    for name, (log_n, limbs), report in reports:
        times = (report or {}).get("ops", {})
        if name == "hecc":
            ours = times
        cells = []
        for operation in OPERATIONS:
            seconds = times.get(operation)
            ratio = f" ({seconds / ours[operation]:.1f}x)" if seconds and name != "hecc" else ""
            cells.append(f"{1e3 * seconds:.2f}{ratio}" if seconds else "")
        print(f"| 2^{log_n}, {limbs} | {name} | " + " | ".join(cells) + " |", flush=True)


def show_bootstraps(reports):
    """Prints what a bootstrap takes and gives."""
    print("| N, values | system | seconds | levels | bits | keys MB | peak MB | log2 QP | bits restored a second |")
    print("|---|---|" + "--:|" * 7)
    for name, (log_n, values), report in reports:
        report = report or {}
        cells = [f"{report['seconds']:.2f}" if "seconds" in report else ""]
        cells += [str(report.get("levels", "")), f"{report.get('bits', 0):.1f}"]
        for size in ["key_bytes", "peak_memory_bytes"]:
            cells.append(f"{report[size] / 1e6:.0f}" if report.get(size) else "")
        cells.append(f"{report.get('log_qp') or 0:.0f}")
        rate = values * report["bits"] * report["levels"] / report["seconds"] if "seconds" in report else 0
        cells.append(f"{rate:.3g}")
        print(f"| 2^{log_n}, {values} | {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    """Runs everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hecc", type=pathlib.Path, required=True)
    parser.add_argument("--openfhe", type=pathlib.Path)
    parser.add_argument("--lattigo", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--only", choices=["ops", "bootstrap"])
    parser.add_argument("--save", type=pathlib.Path)
    args = parser.parse_args()
    kept = []

    def keep(reports):
        for name, size, report in reports:
            kept.append({"system": name, "size": size, "report": report})
            yield name, size, report

    if args.only != "bootstrap":
        show_operations(keep(operations(args)))
    if args.only != "ops":
        show_bootstraps(keep(bootstraps(args)))
    if args.save:
        args.save.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
