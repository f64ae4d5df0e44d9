"""Predict how much mAP a selection gains from at most three of its measures, and try the predictor on another dataset.

    python scripts/studies/three_terms.py

The measures and gains come from scripts/studies/predictors.py. Within each dataset and keep, they are replaced by their
ranks. A predictor is a weighted sum of at most three measures, whose weights are fitted by least squares. Each dataset
is left out in turn. The predictor with the highest mean rank correlation on the other datasets is then tried on the
dataset that was left out. The result is stored in docs/results/studies/three_terms.json. scripts/docs/results.py writes
the table in docs/results.md from this file.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from predictors import CORRELATIONS, LEAST, MEASURES, _result, correlate, dataset_of, gains, key_of
from scipy.stats import rankdata, spearmanr

from detreduce.vocabulary.keeps import keep_in_words

KEPT = CORRELATIONS.with_name("three_terms.json")
TERMS = 3
NEARLY_CONSTANT = {"classes", "classes_without_objects"}
"""Measures that are not used, because nearly all selections have the same value."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """The selections from one dataset at one keep.

    Attributes
    ----------
    dataset
        Name of the dataset.
    keep
        The keep in words, for example 10 %.
    labels
        The method of each of the n selections.
    measures
        Name of a measure -> (n,) ranks of its values, scaled to -1..1.
    gain
        (n,) ranks of the mAP of the selections, scaled to -1..1.
    repeated
        How well the mAP with one training seed predicts the mAP with another seed; see `repeatability`.
    """

    dataset: str
    keep: str
    labels: tuple[str, ...]
    measures: Mapping[str, Values]
    gain: Values
    repeated: float | None


def ranks(values: Sequence[float]) -> Values:
    """Return the ranks of the values, scaled to -1..1. Equal values have equal ranks, and NaN has the middle rank 0."""
    given = np.asarray(values, np.float64)
    known = ~np.isnan(given)
    found = np.zeros(len(given))
    if known.sum() > 1:
        found[known] = 2 * (rankdata(given[known]) - 1) / (known.sum() - 1) - 1
    return found


def groups() -> Iterator[Group]:
    """Yield a group for each dataset and keep whose selections have been measured."""
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURES.glob("*.json"))]
    for dataset in dict.fromkeys(dataset_of(one["result"]) for one in kept):
        own = [one for one in kept if dataset_of(one["result"]) == dataset]
        cells = [cell for one in own for cell in _result(one["result"])["cells"]]
        words = {key_of(cell)[1]: keep_in_words(cell["keep"]) for cell in cells if cell["selection_seed"] is not None}
        measured = {key_of(row): row["measures"] for one in own for row in one["selections"]}
        for keep, of_keep in sorted(gains(cells).items()):
            keys = [key for key in of_keep if key in measured]
            names = {name for key in keys for name in measured[key]} - NEARLY_CONSTANT
            columns = {
                name: ranks([float(measured[key].get(name, math.nan)) for key in keys]) for name in sorted(names)
            }
            labels, gain = tuple(key[0] for key in keys), ranks([of_keep[key] for key in keys])
            rows = [row for row in cells if row["label"] in labels and key_of(row)[1] == keep]
            yield Group(dataset, words[keep], labels, columns, gain, repeatability(rows))


def repeatability(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how well the mAP of the methods with one training seed predicts their mAP with another seed.

    This is the mean rank correlation over all pairs of seeds that have at least five methods in common. Return None if
    no pair has.
    """
    by_seed: dict[int, dict[str, float]] = {}
    for row in rows:
        by_seed.setdefault(row["training_seed"], {})[row["label"]] = row["mAP50"]
    found = []
    for first, second in itertools.combinations(by_seed.values(), 2):
        names = sorted(first.keys() & second.keys())
        if len(names) >= LEAST:
            found.append(spearmanr([first[name] for name in names], [second[name] for name in names]).statistic)
    return float(np.mean(found)) if found else None


def build(given: Sequence[Group], terms: int = TERMS) -> dict[str, float]:
    """Return the predictor with the highest mean rank correlation over the groups, as measure -> weight.

    A longer predictor must be better in the third decimal than a shorter one. Every group has the same influence on the
    weights.
    """
    shared = sorted(set.intersection(*(set(group.measures) for group in given)))
    best: tuple[float, dict[str, float]] = (-math.inf, {})
    for count in range(1, terms + 1):
        for names in itertools.combinations(shared, count):
            weights = _weights(given, names)
            found = round(float(np.mean([rho_of(group, weights) for group in given])), 3)
            if found > best[0]:
                best = (found, weights)
    return best[1]


def _weights(given: Sequence[Group], names: Sequence[str]) -> dict[str, float]:
    """Return the weights that predict the ranks of the gain from the ranks of these measures, by least squares."""
    shares = [1 / math.sqrt(len(group.gain)) for group in given]
    table = np.vstack(
        [
            share * np.column_stack([group.measures[name] for name in names])
            for share, group in zip(shares, given, strict=True)
        ]
    )
    gain = np.concatenate([share * group.gain for share, group in zip(shares, given, strict=True)])
    return dict(zip(names, np.linalg.lstsq(table, gain, rcond=None)[0].tolist(), strict=True))


def predict(group: Group, weights: Mapping[str, float]) -> Values:
    """Return the (n,) predictions for the selections of a group. A measure that the group does not have counts as 0."""
    nothing = np.zeros(len(group.gain))
    return np.sum([weight * group.measures.get(name, nothing) for name, weight in weights.items()], axis=0) + nothing


def rho_of(group: Group, weights: Mapping[str, float]) -> float:
    """Return Spearman's rho between predictions and gains in a group. It is 0 if all predictions are equal."""
    predicted = predict(group, weights)
    return float(spearmanr(predicted, group.gain).statistic) if np.ptp(predicted) > 0 else 0.0


def study(found: Sequence[Group]) -> list[dict[str, Any]]:
    """Return a row for each dataset: the predictor that was built on the other datasets, and how well it does on this
    one.
    """
    rows = []
    for dataset in dict.fromkeys(group.dataset for group in found):
        built_on = [group for group in found if group.dataset != dataset]
        weights = build(built_on)
        tried = []
        for group in (group for group in found if group.dataset == dataset):
            result = correlate(predict(group, weights), group.gain, group.labels)
            if result is not None:
                count = {"selections": len(group.labels), "methods": len(set(group.labels))}
                rho = dict(zip(("rho", "low", "high"), result, strict=True))
                tried.append({"keep": group.keep, **rho, **count, "repeated": group.repeated})
        own = float(np.mean([rho_of(group, weights) for group in built_on]))
        others = sorted({group.dataset for group in built_on})
        rows.append({"tried_on": dataset, "built_on": others, "weights": weights, "rho_built": own, "tried": tried})
    return rows


def main() -> None:
    content = {"command": "python scripts/studies/three_terms.py", "terms": TERMS, "datasets": study(list(groups()))}
    KEPT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for row in content["datasets"]:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
