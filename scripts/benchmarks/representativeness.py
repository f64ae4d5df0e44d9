"""Compare the time and memory of the distance measures with plain SciPy distances, and measure all measures together.

    python scripts/benchmarks/representativeness.py [--sizes 20000 40000 118000] [--measures epsilon …] [--skip-plain]

Each image has 512 features. The images form 50 clusters, and 5 categories with 50, 25, 13, 7 and 5 % of the images. A
random 10 % of the images is kept. Every run is a separate process. The memory is the peak minus the memory of data and
imports. The CPU seconds are the sum over all threads; on a busy machine, compare these and not the wall-clock seconds.
The row `all` is a call of `measure_representativeness`, and the value in this row is the covering radius.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.features.table import FeatureTable
from detreduce.representativeness import coverage, covering_radius, epsilon, measure_representativeness

SHARES = (0.5, 0.25, 0.13, 0.07, 0.05)
DIMENSIONS, CLUSTERS, SPREAD = 512, 50, 0.5
NEIGHBOURS, COVERAGE_IMAGES = 5, 500
MEASURES = ("epsilon", "covering_radius", "coverage", "all")
BLOCK = 256


def clustered(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, 512) float32 features of random images in 50 clusters, and their (n,) categories.

    The categories do not depend on the clusters.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(CLUSTERS, DIMENSIONS)).astype(np.float32)[rng.integers(CLUSTERS, size=n)]
    for start in range(0, n, 4096):
        block = X[start : start + 4096]
        block += SPREAD * rng.standard_normal(block.shape, np.float32)
    return X, rng.choice(len(SHARES), size=n, p=SHARES)


def unlabelled(n: int) -> DetectionDataset:
    """Return a dataset of n images whose files do not exist, without boxes and classes."""
    boxes, none = np.empty((0, 4)), np.empty(0, np.int64)
    names = [str(row) for row in range(n)]
    records = tuple(ImageRecord(name, name, Path(name), boxes, none, none.astype(bool)) for name in names)
    return DetectionDataset(records, (), (), "cxcywhn", "train", Source("images", Path(), Path()), (), False)


def plain_gap(X: np.ndarray, y: np.ndarray, chosen: np.ndarray, metric: str) -> float:
    """Return the largest distance between an image and the nearest kept image of the same category.

    The distances are computed by SciPy, for 256 images at a time. `metric` is the name of a distance in SciPy.
    """
    largest = 0.0
    for code in range(len(SHARES)):
        kept = X[chosen[y[chosen] == code]]
        rows = np.flatnonzero(y == code)
        for start in range(0, len(rows), BLOCK):
            largest = max(largest, cdist(X[rows[start : start + BLOCK]], kept, metric).min(axis=1).max())
    return float(largest)


def plain_coverage(X: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> float:
    """Return the share of the images that are kept or have a kept image among their 5 nearest images of the same
    category.

    The distances are computed by SciPy, for 256 images at a time.
    """
    covered = 0.0
    for code in range(len(SHARES)):
        rows = np.flatnonzero(y == code)
        kept = np.isin(rows, chosen)
        left = rows[~kept]
        drawn = np.random.default_rng(0).choice(left, min(len(left), COVERAGE_IMAGES), replace=False)
        hits = [
            kept[np.argpartition(cdist(X[drawn[start : start + BLOCK]], X[rows]), NEIGHBOURS)[:, :NEIGHBOURS]].any(1)
            for start in range(0, len(drawn), BLOCK)
        ]
        covered += kept.sum() + np.concatenate(hits).mean() * len(left)
    return float(covered / len(X))


def measure(name: str, plain: bool, X: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> float:
    """Return the value of the measure `name`, computed by plain SciPy distances or by detreduce."""
    if name == "coverage":
        if plain:
            return plain_coverage(X, y, chosen)
        return coverage(X, y, chosen, neighbours=NEIGHBOURS, max_images=COVERAGE_IMAGES).value
    if name == "all":
        table = FeatureTable(unlabelled(len(X)), np.arange(len(X)), {"image": X})
        measured = measure_representativeness(table, [str(row) for row in chosen], y.astype(str).tolist())
        return measured.covering_radius.value if measured.covering_radius else float("nan")
    if plain:
        return plain_gap(X, y, chosen, "chebyshev" if name == "epsilon" else "euclidean")
    return (epsilon if name == "epsilon" else covering_radius)(X, y, chosen)


def run_one(name: str, n: int, plain: bool) -> dict[str, Any]:
    """Return the seconds, the memory in MiB and the value of one measure, which runs in this process."""
    X, y = clustered(n)
    chosen = np.random.default_rng(1).permutation(n)[: n // 10]
    small = slice(0, 200)
    measure(name, plain, X[small], y[small], np.arange(100))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, start_cpu = time.perf_counter(), time.process_time()
    value = measure(name, plain, X, y, chosen)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "cpu": cpu, "MiB": (peak - before) / 1024, "value": value}


def main() -> None:
    """Print a line for each measure and each number of images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000])
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--skip-plain", action="store_true", help="leave out SciPy's distances, which are slow")
    parser.add_argument("--one", nargs=3, metavar=("MEASURE", "N", "PLAIN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one[0], int(options.one[1]), options.one[2] == "plain")))
        return
    for n in options.sizes:
        for name in options.measures:
            for kind in ("detreduce",) if options.skip_plain or name == "all" else ("detreduce", "plain"):
                command = [sys.executable, __file__, "--one", name, str(n), kind]
                took = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                times = f"{took['seconds']:8.2f} s {took['cpu']:8.2f} s CPU"
                print(f"{name:16} {n:7} {kind:10} {times} {took['MiB']:7.0f} MiB  {took['value']:.6g}", flush=True)


if __name__ == "__main__":
    main()
