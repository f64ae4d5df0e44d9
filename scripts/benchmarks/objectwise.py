"""Measure the time and memory of the class-aware reducers on data like COCO, and compare them with plain code.

    python scripts/benchmarks/objectwise.py [--images 118000] [--keep 0.1 0.25] [--methods csod …] [--skip-plain]

The data have 80 classes: the most frequent class is in 54 % of the images, and the rarest class in 0.16 %. An image has
2.9 classes and 7.3 boxes on average. The vectors have 256 numbers, and the vectors of each class lie around a centre.
The features of an image are the mean of the vectors of its objects. The category of an image is its rarest class. Every
run is a separate process, which is stopped after --limit seconds. The table shows the wall and CPU seconds of `fit`,
and the peak memory of the process, including data and imports. Plain code, which is simple and not optimised, can only
handle fewer images. The reducer also runs on this smaller number of images, so that the two can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.machine.processors import processors
from detreduce.reducers import make_reducer

CLASSES, DIMENSIONS = 80, 256
MOST, NEXT, LEAST = 0.54, 0.127, 0.0016
BOXES_A_PAIR = 7.3 / 2.9
FRAMES = 100

# name of a variant -> name of the reducer, its parameters, and whether it gets the categories of the images
ARMS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "class_coverage": ("class_coverage", {}, False),
    "class_coverage by size": ("class_coverage", {"by_size": True}, False),
    "csod": ("csod", {}, False),
    "herding mmd": ("herding", {"match": "mmd"}, False),
    "herding class_means": ("herding", {"match": "class_means"}, False),
    "facility": ("facility", {}, True),
    "facility, one category": ("facility", {}, False),
    "moderate": ("moderate", {}, True),
    "stride": ("stride", {}, False),
    "srs by classes": ("srs", {"by": "classes"}, False),
}


def simulated(n: int, seed: int = 0) -> tuple[ObjectTable, np.ndarray, np.ndarray]:
    """Return the objects of n random images, the (n, 256) float32 features and the (n,) categories of these images."""
    rng = np.random.default_rng(seed)
    shares = np.concatenate([[MOST], np.geomspace(NEXT, LEAST, CLASSES - 1)])
    members = [np.flatnonzero(rng.random(n) < share) for share in shares]
    images = np.concatenate(members)
    classes = np.repeat(np.arange(CLASSES), [len(rows) for rows in members])
    order = np.lexsort((classes, images))
    images, classes = images[order].astype(np.int64), classes[order].astype(np.int64)
    sizes = rng.multinomial(rng.geometric(1 / BOXES_A_PAIR, len(images)), [0.4, 0.35, 0.25]).astype(np.int64)
    centres = rng.standard_normal((CLASSES, DIMENSIONS), np.float32)
    vectors = np.empty((len(images), DIMENSIONS), np.float32)
    for start in range(0, len(images), 8192):
        block = classes[start : start + 8192]
        vectors[start : start + 8192] = centres[block] + rng.standard_normal((len(block), DIMENSIONS), np.float32)
    X = np.zeros((n, DIMENSIONS), np.float32)
    filled, starts, counts = np.unique(images, return_index=True, return_counts=True)
    X[filled] = np.add.reduceat(vectors, starts, axis=0) / counts[:, None]
    categories = np.full(n, CLASSES)
    # the classes are ordered from frequent to rare, so the last class of an image is its rarest
    categories[filled] = classes[starts + counts - 1]
    return ObjectTable(n, CLASSES, images, classes, sizes.sum(axis=1), vectors, sizes), X, categories


def plain_class_coverage(table: ObjectTable, X: np.ndarray, k: int) -> None:
    """Choose k images as `class_coverage` does, but compute the gain of every image before each choice."""
    counts = np.zeros((len(table), CLASSES))
    counts[table.images, table.classes] = table.counts
    total, kept, free = counts.sum(axis=0), np.zeros(CLASSES), np.ones(len(table), bool)
    for _ in range(k):
        values = np.where(free, np.sqrt((kept + counts) / total).sum(axis=1), -np.inf)
        row = int(values.argmax())
        kept += counts[row]
        free[row] = False


def plain_csod(table: ObjectTable, X: np.ndarray, k: int) -> None:
    """Choose k images as `csod` does, but with a matrix of all similarities for each class."""
    assert table.vectors is not None
    unit = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    rows = [table.images[table.classes == c] for c in range(CLASSES)]
    similar = [unit[table.classes == c] @ unit[table.classes == c].T for c in range(CLASSES)]
    kept, count = np.zeros(len(table), bool), 0
    while count < k:
        for c in np.argsort([len(members) for members in rows]):
            chosen = kept[rows[c]]
            if chosen.all() or count == k:
                continue
            values = similar[c][:, ~chosen].mean(axis=1)
            if chosen.any():
                values -= similar[c][:, chosen].mean(axis=1)
            values[chosen] = -np.inf
            kept[rows[c][values.argmax()]] = True
            count += 1


def plain_herding(table: ObjectTable, X: np.ndarray, k: int) -> None:
    """Choose k images as `herding` does, but with the exact kernel between all objects."""
    from scipy.sparse import csr_matrix
    from scipy.spatial.distance import cdist

    assert table.vectors is not None
    squared = cdist(table.vectors, table.vectors, "sqeuclidean")
    kernel = np.exp(-squared / (2 * np.median(squared)))
    weights = csr_matrix((table.counts, (table.images, np.arange(len(table.images)))), (len(table), len(table.images)))
    between = weights @ (weights @ kernel).T
    boxes = np.bincount(table.images, table.counts, len(table))
    towards = between.sum(axis=1) / boxes.sum()
    kept, inner, own, cross = 0.0, np.zeros(len(table)), 0.0, 0.0
    free = boxes > 0
    for _ in range(k):
        after = kept + boxes
        values = (own + 2 * inner + between.diagonal()) / after.clip(1) ** 2 - 2 * (cross + towards) / after.clip(1)
        row = int(np.where(free, values, np.inf).argmin())
        own += 2 * inner[row] + between[row, row]
        cross, kept, inner = cross + towards[row], kept + boxes[row], inner + between[row]
        free[row] = False


def plain_facility(table: ObjectTable, X: np.ndarray, k: int) -> None:
    """Choose k images as `facility` does, but with the matrix of all similarities between images."""
    from scipy.spatial.distance import cdist

    squared = cdist(X, X, "sqeuclidean")
    similar = np.exp(-squared / (2 * np.median(squared)))
    served, free = np.zeros(len(X)), np.ones(len(X), bool)
    for _ in range(k):
        gains = np.where(free, np.maximum(similar, served).sum(axis=1), -np.inf)
        row = int(gains.argmax())
        served = np.maximum(served, similar[row])
        free[row] = False


# name of a variant -> plain code that does the same, and the number of images that it can handle
PLAIN = {
    "class_coverage": (plain_class_coverage, 20_000),
    "csod": (plain_csod, 10_000),
    "herding mmd": (plain_herding, 4000),
    "facility, one category": (plain_facility, 4000),
}


def fit(arm: str, table: ObjectTable, X: np.ndarray, categories: np.ndarray, keep: float) -> int:
    """Fit the reducer of the variant `arm`, and return the number of images that it chose."""
    method, params, by_category = ARMS[arm]
    reducer = make_reducer(method, keep=keep, **params)
    extras: dict[str, Any] = {"objects": table} if "objects" in reducer.needs else {}
    if "groups" in reducer.uses:
        extras["groups"] = np.arange(len(X)) // FRAMES
    return len(reducer.fit(X, categories if by_category else None, **extras).selected_idx_)


def run_one(arm: str, n: int, keep: float, plain: bool) -> None:
    """Run one variant in this process, and print its time and memory as JSON."""
    fit(arm, *simulated(50), keep=0.1)  # a small run first, so that the imports are not measured
    table, X, categories = simulated(n)
    k = int(keep * n + 0.5)
    wall, cpu = time.perf_counter(), time.process_time()
    if plain:
        PLAIN[arm][0](table, X, k)
    else:
        assert fit(arm, table, X, categories, keep) == k
    cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    cost["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**cost, "boxes": int(table.counts.sum()), "pairs": len(table.images)}))


def measure(arm: str, n: int, keep: float, plain: bool, limit: float) -> dict[str, Any] | None:
    """Run one variant in its own process, and return its costs, or None if it takes longer than `limit` seconds."""
    command = [sys.executable, __file__, "--one", arm, str(n), str(keep), "plain" if plain else "ours"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{arm} {n}: {error.stderr}") from error
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--keep", type=float, nargs="+", default=[0.1, 0.25])
    parser.add_argument("--methods", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="NAME")
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--limit", type=float, default=600.0, help="stop a run after this many seconds")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        arm, n, keep, which = options.one
        return run_one(arm, int(n), float(keep), which == "plain")
    print(f"{processors()} processors, load {os.getloadavg()[0]:.1f}")
    print(f"{'method':24}{'images':>8}{'keep':>6}{'wall s':>9}{'CPU s':>9}{'MiB':>7}  plain: wall s, MiB, ratio")
    for arm in options.methods:
        if not options.skip_plain and arm in PLAIN:
            n, keep = PLAIN[arm][1], options.keep[0]
            ours, plain = (measure(arm, n, keep, which, options.limit) for which in (False, True))
            plain_cells = "-"
            if ours and plain:
                plain_cells = f"{plain['wall']:.1f}, {plain['mib']:.0f}, {plain['wall'] / ours['wall']:.0f}"
            print(line(arm, n, keep, ours) + "  " + plain_cells, flush=True)
        for keep in options.keep:
            print(line(arm, options.images, keep, measure(arm, options.images, keep, False, options.limit)), flush=True)


def line(arm: str, n: int, keep: float, cost: dict[str, Any] | None) -> str:
    """Return a row of the table: the name of the variant, the number of images, the keep, and the costs."""
    figures = [f"{cost['wall']:.1f}", f"{cost['cpu']:.1f}", f"{cost['mib']:.0f}"] if cost else ["-"] * 3
    return f"{arm:24}{n:>8}{keep:>6}{figures[0]:>9}{figures[1]:>9}{figures[2]:>7}"


if __name__ == "__main__":
    main()
