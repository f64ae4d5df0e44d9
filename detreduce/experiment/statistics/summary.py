"""Means and spread of each method at each keep, beside the full data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCURACY = ("mAP50", "mAP50_95")
METERED = ("Wh", "g_co2", "minutes")
"""What a cell beside it on the same machine changes."""
COUNTED = ("TFLOPs",)
MEASURES = (*ACCURACY, *METERED, *COUNTED)


@dataclass(frozen=True, slots=True)
class Summary:
    """One method at one keep: means over its seeds, spread, and the difference to `full`.

    `mean` and `spread` (standard deviation with n - 1, NaN for one cell) hold the MEASURES. `against_full` holds
    differences for mAP, paired by training seed where `full` has that seed, and ratios of the means for the others.
    `overlapped` cells shared their machine with another training: energy, CO2 and time are of the other cells alone.
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


def summarise_cells(rows: Iterable[Mapping[str, Any]]) -> list[Summary]:
    """Group rows by method, parameters and keep; controls first, then by keep from large to small, then by name.

    Each row needs: label, control, keep, images, training_seed and the MEASURES; a missing measure counts as NaN.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["label"], f"{type(row['keep']).__name__}{row['keep']}"), []).append(row)
    full = [row for row in _flatten(groups) if row["control"] == "full"]
    summaries = [_summarise(group, full) for group in groups.values()]
    return sorted(summaries, key=lambda item: (not item.is_control, -item.images, item.method))


def _flatten(groups: Mapping[Any, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return [row for group in groups.values() for row in group]


def _summarise(group: Sequence[Mapping[str, Any]], full: Sequence[Mapping[str, Any]]) -> Summary:
    mean = {name: _mean(_values(group, name)) for name in MEASURES}
    spread = {name: _spread(_values(group, name)) for name in MEASURES}
    against: dict[str, float] = {}
    if full and group[0]["control"] != "full":
        for name in ACCURACY:
            against[name] = _mean(_paired_differences(group, full, name))
        for name in (*METERED, *COUNTED):
            reference = _mean(_values(full, name))
            against[name] = mean[name] / reference if reference else math.nan
    first = group[0]
    overlapped = sum(bool(row.get("overlapped")) for row in group)
    control = first["control"] is not None
    return Summary(
        first["label"], first["keep"], first["images"], len(group), control, mean, spread, against, overlapped
    )


def _paired_differences(
    group: Sequence[Mapping[str, Any]], full: Sequence[Mapping[str, Any]], name: str
) -> list[float]:
    """Each row's value less that of the full cell with its training seed, or less the mean of all full cells."""
    by_seed = {row["training_seed"]: _value(row, name) for row in full}
    overall = _mean(list(by_seed.values()))
    return [_value(row, name) - by_seed.get(row["training_seed"], overall) for row in group]


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """What there is to average: of energy, CO2 and time not those of cells that overlapped another."""
    return [_value(row, name) for row in rows if name not in METERED or not row.get("overlapped")]


def _value(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return math.nan if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _spread(values: Sequence[float]) -> float:
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
