"""Compare the time and memory of each reducer with plain code that does the same, on features in clusters.

    python scripts/benchmarks/reducers.py [--sizes 1000 4000 10000] [--methods mms prd …] [--limit 120] [--json out]

Each image has 512 features. The images form 50 clusters, and 5 categories with 50, 25, 13, 7 and 5 % of the images. The
keep is 0.25. Every run is a separate process, which is stopped after --limit seconds. The memory in the table is the
peak minus the memory of data and imports. `slope` says how the time grows with the number n of images: it is the
exponent between the two largest sizes that finished.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from detreduce.machine.processors import processors
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.budget import allot_seats

SHARES = (0.5, 0.25, 0.13, 0.07, 0.05)
DIMENSIONS, CLUSTERS, SPREAD = 512, 50, 0.5
INERTIA_SEEDS = 3
Plain = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def clustered(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, 512) float32 features of random images in 50 clusters, and their (n,) categories.

    There are 5 categories of unequal size. Each of them is spread over all clusters.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(CLUSTERS, DIMENSIONS)).astype(np.float32)[rng.integers(CLUSTERS, size=n)]
    for start in range(0, n, 4096):
        block = X[start : start + 4096]
        block += SPREAD * rng.standard_normal(block.shape, np.float32)
    return X, rng.choice(len(SHARES), size=n, p=SHARES)


def plain_mms(X: np.ndarray, y: np.ndarray, seats: np.ndarray) -> None:
    """Choose images as `mms` does, with gudhi's search for the farthest points."""
    import gudhi

    for code, k in enumerate(seats):
        gudhi.choose_n_farthest_points(points=X[y == code].astype(np.float64), nb_points=int(k), starting_point=0)


def plain_prd(X: np.ndarray, y: np.ndarray, seats: np.ndarray) -> None:
    """Choose images as `prd` does, with the whole kernel and scipy's non-negative least squares at each choice."""
    from scipy.optimize import nnls
    from scipy.spatial.distance import cdist

    for code, k in enumerate(seats):
        rows = X[y == code].astype(np.float64)
        distances = cdist(rows, rows)
        K = np.exp(-(distances**2) / (2 * np.median(distances[distances > 0]) ** 2))
        mu = K.mean(axis=1)
        gradient, order = mu.copy(), []
        for _ in range(k):
            gradient[order] = -np.inf
            order.append(int(gradient.argmax()))
            L = np.linalg.cholesky(K[np.ix_(order, order)] + 1e-12 * np.eye(len(order)))
            w, _ = nnls(L.T, np.linalg.solve(L, mu[order]))
            gradient = mu - K[:, order] @ w


def plain_phl(X: np.ndarray, y: np.ndarray, seats: np.ndarray, radius: float | None = None) -> None:
    """Score images as `phl` does: gudhi builds a Rips complex for each neighbourhood, found with a new KD-tree each
    time.
    """
    import gudhi
    from scipy.spatial import cKDTree

    for code in range(len(seats)):
        rows = X[y == code].astype(np.float64)
        reach = radius or float(np.median(cKDTree(rows).query(rows, 11)[0][:, 10]))
        for i, row in enumerate(rows):
            near = [j for j in cKDTree(rows).query_ball_point(row, reach) if j != i]
            if len(near) >= 2:
                tree = gudhi.RipsComplex(points=rows[near]).create_simplex_tree(max_dimension=2)
                tree.compute_persistence()
                tree.persistence_intervals_in_dimension(1)


def plain_nrmd(X: np.ndarray, y: np.ndarray, seats: np.ndarray) -> None:
    """Score images as `nrmd` does, with numpy's SVD of whole matrices and a loop over the images."""
    joint = np.hstack([X, np.eye(len(seats))[y]])
    for matrix in [*(X[y == code] for code in range(len(seats))), joint]:
        A = matrix.T.astype(np.float64)
        U, s, _ = np.linalg.svd(A, full_matrices=False)
        weights = (1 / s) / (1 / s).sum()
        for a in A.T:
            cosines = np.abs(a / np.linalg.norm(a) @ U)
            (weights * -np.log(np.maximum(cosines, 1e-3))).sum()


def plain_des(X: np.ndarray, y: np.ndarray, seats: np.ndarray) -> None:
    """Score images as `des` does, with scipy's softmax and entropy for one image at a time."""
    from scipy.special import softmax
    from scipy.stats import entropy

    X = (X - X.mean(axis=0)) / X.std(axis=0)
    prototypes = np.array([X[y == code][: max(1, k // 5)].mean(axis=0) for code, k in enumerate(seats)])
    for row in X:
        distances = np.array([np.linalg.norm(row - prototype) for prototype in prototypes])
        entropy(softmax(-distances), base=2)


def plain_clc(X: np.ndarray, y: np.ndarray, seats: np.ndarray, seed: int = 0) -> float:
    """Cluster the images as `clc` does, with scikit-learn's k-means, and return the inertia."""
    from sklearn.cluster import KMeans

    total = 0.0
    for code, k in enumerate(seats):
        total += KMeans(int(k), n_init=1, max_iter=50, random_state=seed).fit(X[y == code]).inertia_
    return total


def our_inertia(X: np.ndarray, y: np.ndarray, seats: np.ndarray, seed: int = 0) -> float:
    """Return the inertia of the clusters that `clc` finds, to compare it with the inertia of `plain_clc`."""
    from detreduce.reducers.engine.distances.kmeans import kmeans

    total = 0.0
    for code, k in enumerate(seats):
        rows = X[y == code].astype(np.float64)
        rows -= rows.mean(axis=0)
        centres, labels = kmeans(rows, int(k), np.random.default_rng(seed))
        total += float(((rows - centres[labels]) ** 2).sum())
    return total


def wide_radius(X: np.ndarray) -> float:
    """Return the radius within which an image of the largest category has about 80 neighbours."""
    rows = X[: int(len(X) * 0.5)].astype(np.float64)[:2000]
    squares = (rows**2).sum(axis=1)
    squared = squares[:, None] + squares - 2 * rows @ rows.T
    share = min(1.0, 80 / (len(X) * SHARES[0]))
    return float(np.sqrt(np.quantile(squared[np.triu_indices(len(rows), 1)], share)))


PLAIN: dict[str, Plain | None] = {
    "srs": None,
    "prd": plain_prd,
    "clc": plain_clc,
    "rkm": None,
    "mms": plain_mms,
    "des": plain_des,
    "phl": plain_phl,
    "phl80": lambda X, y, seats: plain_phl(X, y, seats, wide_radius(X)),
    "nrmd": plain_nrmd,
    "fes": None,
}


def run_one(method: str, arm: str, n: int, keep: float, one_category: bool) -> None:
    """Run one variant, `ours` or `plain`, in this process, and print its time and memory as JSON."""
    X, y = clustered(n)
    if one_category:
        y[:] = 0
    seats = allot_seats(np.bincount(y, minlength=len(SHARES)), int(keep * n + 0.5))
    params = {"radius": wide_radius(X)} if method == "phl80" else {}
    reducer = make_reducer(method.rstrip("0123456789"), keep=keep, **params)
    for module in ("gudhi.sklearn.rips_persistence", "scipy.linalg", "scipy.sparse", "sklearn.cluster"):
        import_module(module)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    plain = PLAIN[method]
    inertia = None
    if arm == "ours":
        reducer.fit(X, y)
    elif plain is not None:
        plain(X, y, seats)
    seconds = time.perf_counter() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if method == "clc":
        # this is not timed, and it is the mean over several seeds, because the inertia of a single seed says little
        one = our_inertia if arm == "ours" else plain_clc
        inertia = float(np.mean([one(X, y, seats, seed) for seed in range(INERTIA_SEEDS)])) if n <= 10_000 else None
    print(json.dumps({"seconds": seconds, "mib": peak, "inertia": inertia}))


def measure(
    method: str, arm: str, n: int, keep: float, limit: float, one_category: bool = False
) -> dict[str, Any] | None:
    """Run one variant in its own process, and return its costs, or None if it takes longer than `limit` seconds."""
    command = [sys.executable, __file__, "--one", method, arm, str(n), str(keep)]
    command += ["--one-category"] if one_category else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{method} {arm} {n}: {error.stderr}") from error
    return json.loads(done.stdout.splitlines()[-1])


def slope(rows: list[dict[str, Any]], arm: str) -> str:
    """Return how the time grows with the number of images: the exponent between the last two sizes that finished."""
    done = [(row["n"], row[arm]["seconds"]) for row in rows if row[arm]]
    if len(done) < 2:
        return "-"
    (n0, t0), (n1, t1) = done[-2:]
    return f"{math.log(t1 / t0) / math.log(n1 / n0):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 10_000])
    parser.add_argument("--methods", nargs="+", choices=list(PLAIN), default=list(PLAIN))
    parser.add_argument("--keep", type=float, default=0.25)
    parser.add_argument("--limit", type=float, default=120.0, help="stop a run after this many seconds")
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--one-category", action="store_true", help="put all images in one category; run only ours")
    parser.add_argument("--json", help="write all results to this file")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, arm, n, keep = arguments.one
        return run_one(method, arm, int(n), float(keep), arguments.one_category)
    print(
        f"{processors()} processors, load {os.getloadavg()[0]:.1f}, keep {arguments.keep}, d = 512, "
        + ("one category" if arguments.one_category else "5 categories")
    )
    print(f"{'method':7}{'n':>8}{'ours s':>10}{'plain s':>10}{'ratio':>8}{'ours MiB':>10}{'plain MiB':>11}  inertia")
    everything = {}
    for method in arguments.methods:
        rows: list[dict[str, Any]] = []
        everything[method] = rows
        for n in arguments.sizes:
            row: dict[str, Any] = {"n": n, "plain": None}
            row["ours"] = measure(method, "ours", n, arguments.keep, arguments.limit, arguments.one_category)
            given_up = bool(rows) and rows[-1]["plain"] is None
            skip = arguments.skip_plain or arguments.one_category or given_up
            if PLAIN[method] and not skip:
                row["plain"] = measure(method, "plain", n, arguments.keep, arguments.limit)
            rows.append(row)
            print(line(method, row), flush=True)
        print(f"{'':7}{'slope':>8}{slope(rows, 'ours'):>10}{slope(rows, 'plain'):>10}", flush=True)
    if arguments.json:
        with open(arguments.json, "w") as file:  # noqa: PTH123
            json.dump(everything, file, indent=1)


def line(method: str, row: dict[str, Any]) -> str:
    """Return a row of the table: the costs of the reducer, the costs of plain code, and their ratios."""
    ours, plain = row["ours"], row["plain"]
    ratio = f"{plain['seconds'] / ours['seconds']:.1f}" if ours and plain else "-"
    cells = [f"{arm['seconds']:.2f}" if arm else "-" for arm in (ours, plain)]
    memory = [f"{arm['mib']:.0f}" if arm else "-" for arm in (ours, plain)]
    inertia = f"{ours['inertia'] / plain['inertia']:.4f}" if ours and plain and plain["inertia"] else ""
    return f"{method:7}{row['n']:>8}{cells[0]:>10}{cells[1]:>10}{ratio:>8}{memory[0]:>10}{memory[1]:>11}  {inertia}"


if __name__ == "__main__":
    main()
