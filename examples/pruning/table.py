"""Prints what `train.py` found, means over seeds: `python table.py out/*.json`."""

import json
import pathlib
import sys
from statistics import mean

from networks import NETWORKS

HEAD = "network|method, kept|plaintexts|time of a run|memory of a run|weights kept encoded|score|degradation|without training"


def degradations(rows, reference, key):
    task = NETWORKS[rows[0]["network"]][1]
    return [100 * task.degradation(row[key], reference[row["seed"]]["score"]) for row in rows]


def change(rows, reference, key):
    """The mean, and how far below that of the network that is not pruned."""
    own, whole = mean(r[key] for r in rows), mean(reference[r["seed"]][key] for r in rows)
    return own, f"{100 * (own / whole - 1):+.0f} %"


def cells(rows, reference):
    first = rows[0]
    lost = degradations(rows, reference, "score")
    count, fewer = change(rows, reference, "plaintexts")
    seconds, faster = change(rows, reference, "seconds")
    run, less = change(rows, reference, "run_bytes")
    weights, lighter = change(rows, reference, "weight_bytes")
    return [
        first["network"], f"{first['method']}, {first['keep']:g}",
        f"{count:.0f} ({fewer})", f"{1e3 * seconds:.0f} ms ({faster})",
        f"{run / 1e6:.0f} MB ({less})", f"{weights / 1e6:.0f} MB ({lighter})",
        f"{mean(r['score'] for r in rows):.5f}",
        f"{mean(lost):.2f} % ({min(lost):.2f} to {max(lost):.2f})",
        f"{mean(degradations(rows, reference, 'untrained')):.1f} %",
    ]  # fmt: skip


def table(rows):
    """In Markdown. Degradation is against the network that is not pruned with as much training."""
    lines = [HEAD.split("|"), ["---", "---"] + ["--:"] * 7]
    groups = {}
    for row in rows:
        groups.setdefault((row["network"], row["method"], row["keep"]), []).append(row)
    for (network, _, _), group in groups.items():
        whole = groups[(network, "dense", 1.0)]
        lines.append(cells(group, {row["seed"]: row for row in whole}))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table([row for path in sys.argv[1:] for row in json.loads(pathlib.Path(path).read_text())]))
