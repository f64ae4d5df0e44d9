"""Reduce tables with every method that needs only features, train two classifiers on the rest, and keep the scores.

    python scripts/benchmarks/tables.py run --log build/tables.jsonl          # train; the same command resumes
    python scripts/benchmarks/tables.py collect --log build/tables.jsonl      # write docs/results/tables.json

The design is that of arXiv 2403.15150 for tables: columns scaled to 0..1, a quarter of the rows for the test, keeps
from 0.1 to 0.9, ten seeds, macro-F1 and accuracy of a neural network, epsilon within the classes, and the time. The
tables come with scikit-learn. A seed decides the split, the choice and the start of the classifiers. The under-samplers
of imbalanced-learn get the same number of rows for each class as the methods. They and the FPS of scikit-matter are
left out if these packages are not installed.

The networks of the paper have 9 hidden layers with dropout, and train for 600 epochs on about 80,000 rows. On a hundred
rows such a network does not learn, so this script uses a smaller one. Times are CPU seconds of one thread, which other
programs on the machine hardly change. The energy of such short trainings cannot be measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from detreduce.reducers import make_reducer
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.budget import allot_seats, resolve_keep
from detreduce.representativeness import epsilon

RESULT = Path(__file__).resolve().parents[2] / "docs" / "results" / "tables.json"
TABLES: dict[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}
METHODS = ("srs", "clc", "mms", "des", "phl", "nrmd", "prd", "fes", "rkm", "facility", "moderate")
OTHERS = ("RandomUnderSampler", "NearMiss", "ClusterCentroids", "InstanceHardnessThreshold", "FPS")
KEEPS = tuple(round(0.1 * step, 1) for step in range(1, 10))
SEEDS = 10
COLUMNS = ("table", "method", "keep", "seed", "rows", "epsilon", "choose_s")
MODELS = ("mlp", "boosting")
MEASURES = ("f1", "accuracy", "train_s")
Row = dict[str, Any]
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def split(table: str, seed: int) -> Split:
    """Return X and y for training, then X and y for the test. All columns are scaled to 0..1 by the training rows."""
    X, y = TABLES[table](return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    scale = MinMaxScaler().fit(X)
    return scale.transform(X), y, scale.transform(X_test), y_test


def chosen_rows(
    method: str, X: np.ndarray, y: np.ndarray, seed: int, keeps: Sequence[float]
) -> Iterator[tuple[float, np.ndarray, float]]:
    """Yield each keep, the rows that the method chooses at this keep, and the CPU seconds of the choice."""
    ranking: np.ndarray | None = None
    for keep in keeps:
        start = time.process_time()
        k = resolve_keep(keep, len(X))
        if method in METHODS:
            reducer = make_reducer(method, keep=keep, random_state=seed)
            if isinstance(reducer, ScoringReducer):
                # one fit ranks all rows, and costs the same at every keep
                if ranking is None:
                    ranking = reducer.fit(X, y).ranking_
                    seconds = time.process_time() - start
                yield keep, ranking[:k], seconds
                continue
            rows = reducer.fit(X, y).selected_idx_
        else:
            rows = rows_of_other(method, X, y, k, seed)
        yield keep, rows, time.process_time() - start


def rows_of_other(method: str, X: np.ndarray, y: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the rows that a method of imbalanced-learn or scikit-matter chooses."""
    if method == "FPS":
        from skmatter.sample_selection import FPS

        return np.asarray(FPS(n_to_select=k, initialize="random", random_state=seed).fit(X).selected_idx_)
    from imblearn import under_sampling

    seats = dict(enumerate(allot_seats(np.bincount(y), k).tolist()))
    options: dict[str, Any] = {"sampling_strategy": seats}
    if method != "NearMiss":
        options["random_state"] = seed
    if method == "ClusterCentroids":
        options["voting"] = "hard"
    if method == "InstanceHardnessThreshold":
        options["estimator"] = RandomForestClassifier(25, random_state=seed)
    sampler = getattr(under_sampling, method)(**options)
    reduced, _ = sampler.fit_resample(X, y)
    if hasattr(sampler, "sample_indices_"):
        return np.asarray(sampler.sample_indices_)
    places = {row.tobytes(): number for number, row in enumerate(X)}
    return np.unique([places[row.tobytes()] for row in np.ascontiguousarray(reduced)])


def models(rows: int, seed: int) -> Mapping[str, Any]:
    """Return the classifiers, untrained."""
    return {
        "mlp": MLPClassifier(
            (50, 25),
            batch_size=min(64, rows),
            max_iter=100,
            n_iter_no_change=100,
            learning_rate_init=3e-3,
            random_state=seed,
        ),
        # by default, a leaf has 20 rows or more, so that nothing could be learned from 15 rows
        "boosting": HistGradientBoostingClassifier(
            max_iter=50, min_samples_leaf=3, early_stopping=False, random_state=seed
        ),
    }


def trained(data: Split, rows: np.ndarray, seed: int) -> Row:
    """Train each classifier on these rows, and return its scores on the test rows and its CPU seconds."""
    X, y, X_test, y_test = data
    found: Row = {}
    for name, model in models(len(rows), seed).items():
        start = time.process_time()
        # a class without rows is never predicted, which counts as wrong
        predicted = np.full(len(y_test), y[rows][0]) if len(np.unique(y[rows])) < 2 else None
        if predicted is None:
            model.fit(X[rows], y[rows])
        seconds = time.process_time() - start
        predicted = model.predict(X_test) if predicted is None else predicted
        found[f"{name}_f1"] = f1_score(y_test, predicted, average="macro", zero_division=0)
        found[f"{name}_accuracy"] = accuracy_score(y_test, predicted)
        found[f"{name}_train_s"] = seconds
    return found


def cells(table: str, seed: int, keeps: Sequence[float], done: set[tuple[str, str, float, int]]) -> Iterator[Row]:
    """Yield the cells of a table and a seed that are not in `done`: the full table, then each method at each keep."""
    data = split(table, seed)
    if (table, "full", 1.0, seed) not in done:
        row = {"rows": len(data[0]), "epsilon": 0.0, "choose_s": 0.0}
        name = {"table": table, "method": "full", "keep": 1.0, "seed": seed}
        yield name | row | trained(data, np.arange(len(data[0])), seed)
    for method in (*METHODS, *OTHERS):
        if all((table, method, keep, seed) in done for keep in keeps):
            continue
        try:
            for keep, rows, seconds in chosen_rows(method, data[0], data[1], seed, keeps):
                if (table, method, keep, seed) in done:
                    continue
                gap = epsilon(data[0], data[1], rows)
                name = {"table": table, "method": method, "keep": keep, "seed": seed, "rows": len(rows)}
                measured = {"epsilon": gap if math.isfinite(gap) else "inf", "choose_s": seconds}
                yield name | measured | trained(data, rows, seed)
        except ImportError:
            print(f"{method} is left out, because its package is not installed.", flush=True)


def read(log: Path) -> list[Row]:
    """Return the cells of a log. A last line that was cut off is left out."""
    rows = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def run(log: Path, tables: Sequence[str], keeps: Sequence[float], seeds: Sequence[int]) -> None:
    """Train all cells that are not in the log, and add them to it."""
    warnings.simplefilter("ignore")
    log.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["table"], row["method"], row["keep"], row["seed"]) for row in read(log)}
    with threadpool_limits(1), log.open("a", encoding="utf-8") as file:
        for table, seed in ((table, seed) for seed in seeds for table in tables):
            for row in cells(table, seed, keeps, done):
                file.write(json.dumps(row) + "\n")
                file.flush()
            print(time.strftime("%H:%M:%S"), table, seed, flush=True)


def collect(logs: Sequence[Path]) -> None:
    """Write the cells of logs to docs/results/tables.json, one short line for each cell.

    A seed of a table is left out if a cell of any method or keep is missing.
    """
    columns = [*COLUMNS, *(f"{model}_{measure}" for model in MODELS for measure in MEASURES)]
    found = {(row["table"], row["method"], row["keep"], row["seed"]): row for log in logs for row in read(log)}
    cells = [name for name in found if name[1] != "full"]
    keeps = {table: sorted({name[2] for name in cells if name[0] == table}) for table, *_ in cells}
    methods = {name[1] for name in cells}
    sizes = Counter((table, seed) for table, _, _, seed in cells)
    whole = {(table, seed) for (table, seed), size in sizes.items() if size == len(methods) * len(keeps[table])}
    rows = [row for name, row in sorted(found.items()) if (name[0], name[3]) in whole]
    seeds = dict(sorted(Counter(table for table, _ in whole).items()))
    head = {"command": "python scripts/benchmarks/tables.py", "seeds": seeds, "keeps": keeps, "columns": columns}
    lines = [json.dumps([_short(row[name]) for name in columns]) for row in rows]
    text = json.dumps(head, indent=1)[:-2] + ',\n "cells": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"
    RESULT.write_text(text, encoding="utf-8")
    print(f"{len(rows)} cells are in {RESULT}")


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("run", "collect"))
    parser.add_argument(
        "--log", type=Path, nargs="+", default=[Path("build/tables.jsonl")], help="one line for each cell"
    )
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--keeps", nargs="+", type=float, default=list(KEEPS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(SEEDS)))
    options = parser.parse_args(arguments)
    if options.what == "run":
        run(options.log[0], options.tables, options.keeps, options.seeds)
    else:
        collect(options.log)


if __name__ == "__main__":
    main()
