"""After how many trainings the choosing of images has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHOOSING = ("features_Wh", "selection_Wh", "proxy_training_Wh", "duplicates_Wh")
"""Columns of a tidy row that together are what choosing its images took."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One method at one keep, in Wh: of choosing once, and saved by a training on the reduced data.

    `trainings` is how many it takes until choosing has paid, infinite where nothing is saved.
    """

    method: str
    keep: float | int
    choosing_wh: float
    saved_wh: float

    @property
    def trainings(self) -> float:
        """Choosing over saving."""
        return self.choosing_wh / self.saved_wh if self.saved_wh > 0 else math.inf


def choosing_wh(row: Mapping[str, Any]) -> float:
    """Wh of choosing a cell's images, all phases together."""
    return math.fsum(float(row.get(name) or 0.0) for name in CHOOSING)


def break_even(rows: Iterable[Mapping[str, Any]]) -> list[BreakEven]:
    """Choosing against saving for each reduced method and keep, largest keep first; empty without `full`.

    Cells that overlapped another count for nothing, nor do those without an energy figure.
    """
    known = [row for row in rows if row.get("Wh") is not None and not row.get("overlapped")]
    full = [float(row["Wh"]) for row in known if row["control"] == "full"]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in known:
        if row["control"] is None:
            groups.setdefault((row["label"], repr(row["keep"])), []).append(row)
    if not full:
        return []
    found = [
        BreakEven(
            group[0]["label"],
            group[0]["keep"],
            _mean([choosing_wh(row) for row in group]),
            _mean(full) - _mean([float(row["Wh"]) for row in group]),
        )
        for group in sorted(groups.values(), key=lambda group: (-int(group[0]["images"]), group[0]["label"]))
    ]
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
