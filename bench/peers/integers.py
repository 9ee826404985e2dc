"""Times BFV operations of hecc and of its peers, one after the other, and prints a table.

    cargo build --release --manifest-path bench/peers/fhe_rs/Cargo.toml --target-dir TARGET
    python integers.py --hecc target/release/hecc --openfhe VENV --seal VENV --fhe-rs TARGET/release/fhe-rs-times

The environments hold the packages that openfhe_bfv.py and seal_bfv.py name. Plaintext modulus 65537 and a modulus
within what each system takes for 128-bit security. They divide it differently. At N = 2^13 hecc has about as much for the
message as its peers (log2 Q) in four primes of 43 bits; the second group has it with three of 50 bits, its largest, which
is a tenth less, the third with six of 30 bits. At N = 2^14 it has four digits, while its peers have one special prime or none
and so keep more for the message: the fourth group has peers with about as much as hecc, the fifth with as much as they
can. SEAL and fhe.rs have no threads within an operation: their one-core times stand next to those of two threads.

hecc has two products for the same ciphertexts, `mul`, scale-invariant as its peers' is, and `mul_bgv`, of messages in the least
significant bits. After that a prime must be dropped before the next: as many products fit one after the other as there
are primes but one. A scale-invariant product takes about 30 bits: with six primes of 30 bits both fit equally often.

Every command is a process of its own; its standard output is one JSON object, and all of them go to `--save` if that is
given. Ratios say how many times as long as hecc with as many threads a peer takes.
"""

import argparse
import json
import pathlib

from primitives import FOLDER, run

# log2 of the ring degree, primes and digits of hecc's ciphertexts, and primes, longer ones, of its peers'.
SIZES = [(13, (4, 4), 3), (13, (3, 3), 3), (13, (6, 6), 3), (14, (8, 4), 6), (14, (8, 4), 7)]
OPERATIONS = ["mul_relin", "mul_bgv_relin", "rotate"]
# What a peer's operation is compared with.
COUNTERPARTS = {"mul_relin": ["mul_relin", "mul_bgv_relin"], "rotate": ["rotate"]}


def threaded(args, size, threads):
    """Returns the name and the command of each system that has threads."""
    log_n, (limbs, digits), peer_limbs = size
    ring = ["--log-n", log_n, "--threads", threads]
    hecc = [args.hecc, "bench", "ops", "--scheme", "bfv", "--json", *ring]
    hecc += ["--limbs", limbs, "--digits", digits]
    found = [("hecc", [*hecc, "--repeats", args.reps])]
    if args.openfhe:
        script = [args.openfhe / "bin" / "python", FOLDER / "openfhe_bfv.py", *ring]
        script += ["--limbs", peer_limbs]
        for technique in ["bv", "hybrid"]:
            command = [*script, "--reps", args.reps, "--key-switch", technique]
            found.append((f"openfhe, {technique} keys", command))
    return found


def single_core(args, size):
    """Returns the name and the command of each system that has none."""
    log_n, _, limbs = size
    found = []
    if args.seal:
        script = [args.seal / "bin" / "python", FOLDER / "seal_bfv.py"]
        found.append(("seal", [*script, "--log-n", log_n, "--limbs", limbs, "--reps", args.reps]))
    if args.fhe_rs:
        for special in [0, 1]:
            name = "fhe.rs, special prime" if special else "fhe.rs"
            found.append((name, [args.fhe_rs, log_n, limbs, special, args.reps]))
    return found


def measurements(args):
    """Yields name, log N, threads and report, hecc first in each group."""
    for size in SIZES:
        alone = [(name, run(command, 1)) for name, command in single_core(args, size)]
        for threads in args.threads:
            for name, command in threaded(args, size, threads):
                yield name, size[0], threads, run(command, threads)
            for name, report in alone:
                yield name + (" (1 thread)" if threads > 1 else ""), size[0], threads, report


def show(rows):
    """Prints milliseconds, and how many times as long as hecc the peers take."""
    columns = ["N, threads", "system", "primes + special", "log2 Q", "log2 QP", *OPERATIONS]
    print("| " + " | ".join(columns) + " |")
    print("|---|---|--:|--:|--:|" + "--:|" * len(OPERATIONS))
    ours = {}
    for name, log_n, threads, report in rows:
        report = report or {}
        times = report.get("ops", {})
        if name == "hecc":
            ours = times
        cells = [f"{report['limbs']} + {report['special_primes']}" if report else ""]
        cells.append(f"{log_q(report):.0f}" if report else "")
        cells.append(f"{report['log_qp']:.0f}" if report else "")
        for operation in OPERATIONS:
            seconds = times.get(operation)
            cell = f"{1e3 * seconds:.2f}" if seconds else ""
            if seconds and ours and name != "hecc":
                ratios = [seconds / ours[other] for other in COUNTERPARTS[operation]]
                cell += " (" + ", ".join(f"{ratio:.1f}x" for ratio in ratios) + ")"
            cells.append(cell)
        print(f"| 2^{log_n}, {threads} | {name} | " + " | ".join(cells) + " |", flush=True)


def log_q(report):
    """Returns the bits of the ciphertext primes; where a system does not say, its primes are equally long."""
    limbs = report["limbs"]
    equal = report["log_qp"] * limbs / (limbs + report["special_primes"])
    return report.get("log_q", equal)


def main():
    """Runs everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hecc", type=pathlib.Path, required=True)
    parser.add_argument("--openfhe", type=pathlib.Path)
    parser.add_argument("--seal", type=pathlib.Path)
    parser.add_argument("--fhe-rs", type=pathlib.Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--reps", type=int, default=21)
    parser.add_argument("--save", type=pathlib.Path)
    args = parser.parse_args()
    kept = []

    def keep(rows):
        for name, log_n, threads, report in rows:
            kept.append({"system": name, "log_n": log_n, "threads": threads, "report": report})
            yield name, log_n, threads, report

    show(keep(measurements(args)))
    if args.save:
        args.save.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
