"""Measure what `partitions` costs and saves: the loss of the objective, and the ratio of the times.

    python scripts/benchmarks/partitions.py [--data FOLDER …] [--images 50000] [--keep 0.1 0.25] [--partitions 8 32]

Each dataset is a folder in $DETREDUCE_DATA, by default aquarium and highway5. Its features are those of the default
backbone, and they are cached. The last dataset is simulated: clusters of different sizes in 256 dimensions. All images
are in one category. The objective of `facility` is the sum of similarities of its exact graph, and that of `prd` is its
own. With --refused, the methods that refuse `partitions` are measured too. The objective of `mms` is then its largest
gap, and that of `clc` the mean squared distance to the nearest kept image. A time is the processor time of all threads,
because other programs change it less than the wall time, which is also shown.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import detreduce as dr
from detreduce.arrays.distances import CentredPoints
from detreduce.machine.parallel import in_threads, slices
from detreduce.machine.processors import processors
from detreduce.reducers import make_reducer
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.methods.facility import similarity_graph

CLUSTERS, DIMENSIONS, SPREAD = 200, 256, 8
LARGER_IS_BETTER = ("facility", "prd")
Array = np.ndarray


def simulated(n: int, seed: int = 0) -> Array:
    """Return (n, 256) float32 features in clusters of different sizes, each with 8 directions of large variance."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CLUSTERS, DIMENSIONS), np.float32)
    directions = 0.5 * rng.standard_normal((CLUSTERS, SPREAD, DIMENSIONS), np.float32)
    labels = rng.choice(CLUSTERS, n, p=rng.dirichlet(np.full(CLUSTERS, 0.5)))
    X = 0.1 * rng.standard_normal((n, DIMENSIONS), np.float32)
    for number in range(CLUSTERS):
        rows = np.flatnonzero(labels == number)
        X[rows] += centres[number] + rng.standard_normal((len(rows), SPREAD), np.float32) @ directions[number]
    return X


def squared_gaps(X: Array, rows: Array) -> Array:
    """Return (n,) the squared distance of each image to the nearest kept image."""
    points = CentredPoints.of(X)

    def work(part: slice) -> Array:
        squared = points.Z[part] @ points.Z[rows].T
        return (points.squares[part] + (points.squares[rows] - 2.0 * squared).min(axis=1)).clip(0.0)

    return np.concatenate(list(in_threads(work, slices(len(X), 1024)))) * points.scale**2


def objectives(X: Array, methods: list[str]) -> dict[str, Callable[[BaseReducer], float]]:
    """Return a function for each method that returns the objective of the fitted method."""
    graph = similarity_graph(CentredPoints.of(X), 10) if "facility" in methods else None
    return {
        "facility": lambda fitted: float(graph[fitted.selected_idx_].max(axis=0).sum()),  # type: ignore[index]
        "prd": lambda fitted: float(fitted.objectives_[0][-1]),  # type: ignore[attr-defined]
        "mms": lambda fitted: float(np.sqrt(squared_gaps(X, fitted.selected_idx_).max())),
        "clc": lambda fitted: float(squared_gaps(X, fitted.selected_idx_).mean()),
    }


def fit(X: Array, method: str, keep: float, partitions: int | None) -> tuple[BaseReducer, float, float]:
    """Return the fitted method, its processor seconds and its wall seconds."""
    reducer = make_reducer(method, keep=keep)
    # measure the refused methods too, to show why they are refused
    type(reducer).no_partitions = ""
    wall, cpu = time.perf_counter(), time.process_time()
    reducer.fit(X, partitions=partitions)
    return reducer, time.process_time() - cpu, time.perf_counter() - wall


def compare(name: str, X: Array, options: argparse.Namespace) -> None:
    """Print one row for each method, keep and number of parts."""
    methods = ["facility", "prd", *["mms", "clc"] * options.refused]
    objective = objectives(X, methods)
    for method in methods:
        for keep in options.keep:
            exact, cpu, wall = fit(X, method, keep, None)
            best = objective[method](exact)
            row = f"{name:12}{len(X):>7}{method:>10}{keep:>6}"
            print(f"{row}{'-':>6}{best:>12.5g}{'':>8}{cpu:>9.1f}{wall:>9.1f}", flush=True)
            for partitions in options.partitions:
                parts, parts_cpu, parts_wall = fit(X, method, keep, partitions)
                found = objective[method](parts)
                loss = 1 - found / best if method in LARGER_IS_BETTER else found / best - 1
                print(
                    f"{row}{partitions:>6}{found:>12.5g}{100 * loss:>7.2f}%{parts_cpu:>9.1f}{parts_wall:>9.1f}"
                    f"   time ratio {parts_cpu / cpu:.2f} (wall {parts_wall / wall:.2f})",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", default=["aquarium", "highway5"], metavar="FOLDER")
    parser.add_argument("--images", type=int, default=50_000, help="images of the simulated dataset; 0 leaves it out")
    parser.add_argument("--keep", type=float, nargs="+", default=[0.1, 0.25])
    parser.add_argument("--partitions", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--refused", action="store_true", help="also measure mms and clc, which refuse partitions")
    parser.add_argument("--cache", help="folder of cached features")
    options = parser.parse_args()
    print(f"{processors()} processors, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'data':12}{'images':>7}{'method':>10}{'keep':>6}{'parts':>6}{'objective':>12}{'loss':>8}{'CPU s':>9}{'s':>9}"
    )
    folder = Path(os.environ.get("DETREDUCE_DATA", "../shared/data"))
    for name in options.data:
        dataset = dr.load_dataset(folder / name, split="train")
        features = dr.extract_features(dataset, blocks=("image", "objects", "annotations"), cache=options.cache)
        compare(name, features.X, options)
    if options.images:
        compare("simulated", simulated(options.images), options)


if __name__ == "__main__":
    main()
