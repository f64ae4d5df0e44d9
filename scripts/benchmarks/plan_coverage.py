"""Measure how often the intervals that `detreduce plan` predicts contain the results of cells that it has not seen.

    python scripts/benchmarks/plan_coverage.py runs/aquarium

A configuration is a method at a keep, or a control. The script leaves out each configuration of a finished experiment
in turn, and fits the surface to the other cells. Then it compares the predicted interval for one training with the
results of the cells that were left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from detreduce.experiment.advice.comparable import comparable_rows
from detreduce.experiment.advice.surface import RANDOM, configurations, fit_surface
from detreduce.experiment.ledger.ledger import Ledger

LEVELS = (0.5, 0.8, 0.9)


def main() -> None:
    """Print the share of left-out cells that lie inside the intervals, and the share that should lie inside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path, help="the folder of a ledger, or the rows of a ledger as JSON")
    parser.add_argument("--measure", default="mAP50_95")
    arguments = parser.parse_args()
    if arguments.ledger.is_dir():
        rows = comparable_rows(Ledger(arguments.ledger))
    else:
        content = json.loads(arguments.ledger.read_text(encoding="utf-8"))
        rows = content["cells"] if isinstance(content, dict) else content
    found = configurations(rows, arguments.measure)
    total = max(item.images for item in found)
    inside, errors, held = dict.fromkeys(LEVELS, 0), [], 0
    for place, item in enumerate(found):
        rest = found[:place] + found[place + 1 :]
        if item.method not in RANDOM and not any(other.method == item.method for other in rest):
            continue
        surface = fit_surface(rest, total, seed=place)
        runs = surface.runs(item.method, item.images, item.images_seen, seed=place)
        held += len(item.values)
        errors += [value - float(runs.mean()) for value in item.values]
        for level in LEVELS:
            low, high = np.quantile(runs, [(1 - level) / 2, (1 + level) / 2])
            inside[level] += sum(bool(low <= value <= high) for value in item.values)
    print(f"{arguments.ledger}: {held} cells of {len(found)} configurations left out, {arguments.measure}")
    if held:
        print(f"error: mean {np.mean(errors):+.3f}, root mean square {np.sqrt(np.mean(np.square(errors))):.3f}")
    for level in LEVELS if held else ():
        print(f"{level:.0%} intervals contain {inside[level] / held:.0%}")


if __name__ == "__main__":
    main()
