"""Estimates the security of every ring and secret that grammar/src/security.rs allows.

    sage -python estimate.py > new.csv

Needs Sage and the lattice-estimator (https://github.com/malb/lattice-estimator) on PYTHONPATH. Takes some minutes; CI does not
run it: tests/estimates.rs holds the parameters in the code to estimates.csv, whose numbers are compared with the output of this
script by hand when either changes. What the estimator has no attack for (`hybrid-42`, `hybrid-30`) is not printed.
"""

import csv
import math
import sys
from pathlib import Path

from estimator import LWE, ND, RC

DEVIATION = 3.19
WEIGHT = 32


def parameters(secret: str, n: int, log_qp: int):
    """An instance of LWE with as many samples as the attack likes."""
    half = WEIGHT // 2
    of_secret = {"ternary": ND.Uniform(-1, 1), "sparse-32": ND.SparseTernary(half, half, n)}[secret]
    return LWE.Parameters(n=n, q=2**log_qp, Xs=of_secret, Xe=ND.DiscreteGaussian(DEVIATION))


def estimate(secret: str, log_n: int, log_qp: int, how: str) -> float:
    """log2 of the operations of one attack."""
    instance = parameters(secret, 2**log_n, log_qp)
    if how == "usvp":
        cost = LWE.primal_usvp(instance, red_cost_model=RC.MATZOV)
    else:
        cost = LWE.primal_hybrid(instance, red_cost_model=RC.MATZOV, mitm=True, babai=True)
    return math.log2(cost["rop"])


def main() -> None:
    """The lines of estimates.csv, estimated again."""
    pinned = (Path(__file__).parent / "estimates.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in pinned if not line.startswith("#"))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(rows.fieldnames)
    for row in rows:
        if row["how"] in ("usvp", "hybrid"):
            bits = estimate(row["secret"], int(row["log_n"]), int(row["log_qp"]), row["how"])
            out.writerow([*(row[name] for name in list(row)[:-1]), f"{bits:.1f}"])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
