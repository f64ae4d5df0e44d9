"""Means and standard deviations of each method at each keep, and their differences to the control `full`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detreduce.experiment.statistics.pairs import group_by_seed, paired_differences
from detreduce.vocabulary.controls import FULL, is_recipe
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import ACCURACIES, COSTS, METERED

MEASURES = (*ACCURACIES, *COSTS)


@dataclass(frozen=True, slots=True)
class Summary:
    """The cells of one method at one keep, summarised over their seeds.

    Attributes
    ----------
    method, keep
        The label of the method, and its keep.
    images, cells
        Number of images that each cell trained on, and number of cells.
    is_control, is_recipe
        Whether the cells belong to a control, and whether they were trained by a recipe.
    mean
        The mean of each measure in MEASURES.
    spread
        The standard deviation (n - 1) of each measure in MEASURES. NaN if there is only one cell.
    against_full
        Measure -> its comparison with the control `full`. For mAP, this is the difference, as in `compare_methods`. For
        costs, it is the ratio (mean of these cells) / (mean of `full`).
    overlapped
        Number of cells that shared their machine with another training. Energy, CO2 and time exclude these cells.
    paired
        Whether the cells have a training seed in common with `full`. If not, the difference in mAP is the difference
        between the two means.
    """

    method: str
    keep: float | int
    images: int
    cells: int
    is_control: bool
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    against_full: Mapping[str, float]
    overlapped: int = 0
    paired: bool = True
    is_recipe: bool = False


def summarise_cells(rows: Iterable[Mapping[str, Any]]) -> list[Summary]:
    """Summarise tidy rows by label (method with parameters) and keep.

    Controls come first. Within controls and within methods, the summaries are sorted by number of images (largest
    first) and by label. Each row needs label, control, keep, images and training_seed. A missing measure counts as NaN.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    full = [row for row in _flatten(groups) if row["control"] == FULL]
    summaries = [_summarise(group, full) for group in groups.values()]
    return sorted(summaries, key=lambda item: (not item.is_control, -item.images, item.method))


def _flatten(groups: Mapping[Any, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return the rows of all groups as one flat list."""
    return [row for group in groups.values() for row in group]


def _summarise(group: Sequence[Mapping[str, Any]], full: Sequence[Mapping[str, Any]]) -> Summary:
    """Summarise `group`, the rows of one method at one keep. `full` contains the rows of the control `full`."""
    mean = {name: _mean(_values(group, name)) for name in MEASURES}
    spread = {name: _spread(_values(group, name)) for name in MEASURES}
    against: dict[str, float] = {}
    paired = True
    if full and group[0]["control"] != FULL:
        for name in ACCURACIES:
            _, differences = paired_differences(group, full, name)
            against[name] = _mean(differences) if differences else mean[name] - _mean(_values(full, name))
        paired = bool(group_by_seed(group, full))
        for name in COSTS:
            reference = _mean(_values(full, name))
            against[name] = mean[name] / reference if reference else math.nan
    first = group[0]
    overlapped = sum(bool(row.get("overlapped")) for row in group)
    control = first["control"] is not None
    label, keep, images = first["label"], first["keep"], first["images"]
    return Summary(
        label, keep, images, len(group), control, mean, spread, against, overlapped, paired, is_recipe(first)
    )


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return the values of one measure. For energy, CO2 and time, overlapped cells are left out."""
    return [_value(row, name) for row in rows if name not in METERED or not row.get("overlapped")]


def _value(row: Mapping[str, Any], name: str) -> float:
    """Return a measure from a row, or NaN if it is missing."""
    value = row.get(name)
    return math.nan if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values, or NaN if there are none."""
    return math.fsum(values) / len(values) if values else math.nan


def _spread(values: Sequence[float]) -> float:
    """Return the standard deviation of the values (n - 1), or NaN if there are fewer than two."""
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
