"""Correlate measures of selections with the mAP of trainings on them. The script itself trains nothing.

    python scripts/studies/predictors.py                               # correlate the stored results
    python scripts/studies/predictors.py --measure aquarium_methods    # choose and measure again, then correlate

The correlations are stored in docs/results/studies/predictors.json. scripts/docs/results.py writes the table in
docs/results.md from this file.

The stored results have only a hash of each selection, and not the list of its images. So `--measure NAME` chooses the
images again with configs/NAME.yaml, and prints how many selections have the same hash as before. Older versions of
detreduce computed the hash in another way, so the number of boxes is compared too. The measures are written to
docs/results/measures/NAME.json. Methods that need a proxy training are left out, because its log is not stored.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from scipy.stats import spearmanr

from detreduce.dataset.load import load_dataset, load_split
from detreduce.errors import InputError
from detreduce.experiment.config import ExperimentConfig, load_config
from detreduce.features import FeatureTable, extract_features
from detreduce.features.table import SEPARATE_BLOCKS
from detreduce.reducers import reducer_class
from detreduce.representativeness import measure_representativeness, object_similarity
from detreduce.representativeness.measurement import Measurement
from detreduce.selection.choose import select
from detreduce.selection.record import Selection
from detreduce.training.facts import selection_hash
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.labels import with_former_defaults

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "docs" / "results"
MEASURES = RESULTS / "measures"
CORRELATIONS = RESULTS / "studies" / "predictors.json"
MEASURE = "mAP50"
RANDOM = "srs"
DRAWS, LEAST = 2000, 5
"""The number of bootstrap samples, and the smallest number of selections for which a correlation is computed."""
Row = Mapping[str, Any]
Key = tuple[str, str, int]


def key_of(row: Row) -> Key:
    """Return the label, the `keep_key` and the selection seed of a row, which together identify a selection."""
    return row["label"], keep_key(row["keep"]), int(row["selection_seed"])


def gains(cells: Iterable[Row], measure: str = MEASURE) -> dict[str, dict[Key, float]]:
    """Return `keep_key` -> selection -> by how much its mAP exceeds the mean mAP of random selections at this keep.

    The mAP of a selection is the mean over its trainings. Keeps without random selections are left out.
    """
    values: dict[str, dict[Key, list[float]]] = {}
    for row in {row["key"]: row for row in cells if row["selection_seed"] is not None}.values():
        values.setdefault(keep_key(row["keep"]), {}).setdefault(key_of(row), []).append(row[measure])
    found = {}
    for keep, of_keep in values.items():
        means = {key: math.fsum(some) / len(some) for key, some in of_keep.items()}
        drawn = [mean for key, mean in means.items() if key[0] == RANDOM]
        if drawn:
            found[keep] = {key: mean - math.fsum(drawn) / len(drawn) for key, mean in means.items()}
    return found


def correlate(
    predictor: npt.ArrayLike, gain: npt.ArrayLike, labels: Sequence[str], seed: int = 0
) -> tuple[float, float, float] | None:
    """Return Spearman's rho between a measure and the gain, with the limits of its 95 % interval.

    Return None if rho is not defined. Infinite values have the largest rank. The interval comes from a percentile
    bootstrap over methods: it draws all selections of a method together, because they resemble each other.

    Parameters
    ----------
    predictor, gain
        The value of the measure, and the gain in mAP, for each selection.
    labels
        The method of each selection.
    seed
        The seed of the bootstrap.
    """
    x, y = np.asarray(predictor, float), np.asarray(gain, float)
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y, of = x[known], y[known], np.asarray(labels)[known]
    if len(x) < LEAST or not (_differ(x) and _differ(y)):
        return None
    rng, names = np.random.default_rng(seed), np.unique(of)
    places = [np.flatnonzero(of == name) for name in names]
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([places[place] for place in rng.integers(len(names), size=len(names))])
        if _differ(x[rows]) and _differ(y[rows]):
            drawn.append(spearmanr(x[rows], y[rows]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(spearmanr(x, y).statistic), float(low), float(high)


def _differ(values: npt.NDArray[np.float64]) -> bool:
    return bool((values != values[0]).any())


def table(cells: Sequence[Row], measured: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a row for each keep and measure: rho, its interval, and the numbers of selections and methods.

    `cells` are the cells of a dataset's experiments, and `measured` are the measures of their selections.
    """
    values = {key_of(row): row["measures"] for row in measured}
    names = list(dict.fromkeys(name for row in measured for name in row["measures"]))
    found = []
    for keep, of_keep in sorted(gains(cells).items()):
        keys = [key for key in of_keep if key in values]
        for name in names:
            # JSON has no infinity, so an infinite value is the text inf in the file
            predictor = [float(values[key].get(name, math.nan)) for key in keys]
            result = correlate(predictor, [of_keep[key] for key in keys], [key[0] for key in keys])
            if result is not None:
                rho, low, high = result
                methods = len({key[0] for key in keys})
                row = {"keep": keep, "measure": name, "rho": rho, "low": low, "high": high}
                found.append({**row, "selections": len(keys), "methods": methods})
    return found


def measure_again(config: ExperimentConfig, cells: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Choose the selection of each cell again. Yield its key, its measures, and whether its hash is the same as
    before.
    """
    dataset = load_dataset(config.dataset, split="train")
    features = extract_features(dataset, config.features.backbone, blocks=config.features.blocks)
    other = next(name for name in ("val", "test") if name in dataset.source.splits)
    target = extract_features(load_split(dataset.source, other), config.features.backbone, blocks=("objects",)).objects
    chosen = (cell for cell in cells if cell["selection_seed"] is not None and cell["control"] is None)
    for row in {key_of(cell): cell for cell in chosen}.values():
        if set(SEPARATE_BLOCKS) & set(reducer_class(row["method"]).needs):
            continue
        selection = _choose(row, features, config.reduce.categories)
        with tempfile.TemporaryDirectory() as folder:
            selection.save(Path(folder) / "selection.json")
            same = selection_hash(Path(folder), selection.image_ids) == row["selection"]
        measures = _measures(features, selection, config.reduce.categories)
        if features.objects is not None and target is not None:
            kept = features.objects.take(np.searchsorted(features.rows, np.sort(selection.indices)))
            similarity = object_similarity(kept, target)
            measures |= {"object_similarity": similarity.value, "classes_without_objects": len(similarity.lost)}
        name = {part: row[part] for part in ("label", "keep", "selection_seed")}
        yield {**name, "same_hash": same, "measures": measures}


def _choose(row: Row, features: FeatureTable, categories: Any) -> Selection:
    """Return the selection of a cell. If the cell used a prefix of a larger selection, return this prefix."""
    method, parameters = row["method"], with_former_defaults(row["method"], row["parameters"])
    fitted = row.get("selection_fitted_at") or row["keep"]
    steps = {**parameters, **row["composition"]}
    found = select(features, method, fitted, row["selection_seed"], categories, **steps)
    return found if keep_key(fitted) == keep_key(row["keep"]) else found.prefix(row["keep"])


def _measures(features: FeatureTable, selection: Selection, categories: Any) -> dict[str, float | str]:
    """Return the value of each measure of a selection. An infinite value is the text inf.

    For example, epsilon is infinite if no image of a category was chosen.
    """
    result = measure_representativeness(features, selection, categories)
    dataset, rows = features.dataset, np.sort(selection.indices)
    counts = dataset.class_counts[rows].sum(axis=0)
    values = {name: getattr(result, name) for name in result.__slots__}
    measures = {name: float(one.value) for name, one in values.items() if isinstance(one, Measurement)}
    shares = counts[counts > 0] / max(1, counts.sum())
    measures |= {
        "boxes": float(counts.sum()),
        "classes": float((counts > 0).sum()),
        "rarest class, boxes": float(counts.min()),
        "class entropy, bits": float(-(shares * np.log2(shares)).sum()),
        "lost categories": float(len(result.lost)),
    }
    return {name: value if math.isfinite(value) else "inf" for name, value in measures.items()}


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def dataset_of(name: str) -> str:
    """Return the name of the dataset of a stored result, for example aquarium."""
    content = yaml.safe_load((REPOSITORY / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    return Path(content["dataset"]).stem


def keep_measures(name: str) -> str:
    """Choose and measure the selections of a stored result again, write the measures to a file, and return a
    summary.
    """
    cells, config = _result(name)["cells"], load_config(REPOSITORY / "configs" / f"{name}.yaml")
    rows = list(measure_again(config, cells))
    if not rows:
        raise InputError(f"{name}: no selection can be chosen again.")
    content = {"result": name, "selections": rows}
    MEASURES.mkdir(exist_ok=True)
    (MEASURES / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    same = sum(row["same_hash"] for row in rows)
    every = len({key_of(cell) for cell in cells if cell["selection_seed"] is not None})
    return f"{name}: {len(rows)} of {every} selections measured, {same} of them with the same hash as in the training."


def correlations() -> dict[str, Any]:
    """Return the correlations for each dataset that has measures, and how many selections are the same as in the
    results.
    """
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURES.glob("*.json"))]
    datasets = []
    for dataset in dict.fromkeys(dataset_of(one["result"]) for one in kept):
        own = [one for one in kept if dataset_of(one["result"]) == dataset]
        names = [one["result"] for one in own]
        cells = [cell for name in names for cell in _result(name)["cells"]]
        measured = [row for one in own for row in one["selections"]]
        boxes = {key_of(cell): cell["boxes"] for cell in cells if cell["selection_seed"] is not None}
        same_boxes = [row["measures"]["boxes"] == boxes[key_of(row)] for row in measured]
        datasets.append(
            {
                "results": names,
                "keeps": {keep_key(cell["keep"]): keep_in_words(cell["keep"]) for cell in cells},
                "selections": len(measured),
                "same_hash": sum(row["same_hash"] for row in measured),
                "same_boxes": sum(same_boxes),
                "correlations": table(cells, measured),
            }
        )
    return {"command": "python scripts/studies/predictors.py", "with": f"{MEASURE} minus random", "datasets": datasets}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", nargs="+", default=(), metavar="NAME", help="kept results to measure again")
    options = parser.parse_args(arguments)
    for name in options.measure:
        print(keep_measures(name), flush=True)
    CORRELATIONS.write_text(json.dumps(correlations(), indent=1) + "\n", encoding="utf-8")
    print(f"{CORRELATIONS.relative_to(REPOSITORY)} is written. Next: python scripts/docs/results.py")


if __name__ == "__main__":
    main()
