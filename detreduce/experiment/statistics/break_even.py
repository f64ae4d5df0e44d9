"""How many trainings it takes until choosing images has paid for itself in energy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detreduce.vocabulary.controls import FULL, RANDOM_METHODS
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import CHOOSING_PHASES


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One method at one keep: Wh of choosing once, and Wh that each training on the subset saves.

    `trainings` is how many trainings it takes until choosing has paid for itself: infinite if nothing is saved, NaN if
    the cost of choosing, `choosing_wh`, is not known (NaN).
    """

    method: str
    keep: float | int
    choosing_wh: float
    saved_wh: float

    @property
    def trainings(self) -> float:
        """Wh of choosing divided by Wh saved."""
        if math.isnan(self.choosing_wh) or math.isnan(self.saved_wh):
            return math.nan
        return self.choosing_wh / self.saved_wh if self.saved_wh > 0 else math.inf

    @property
    def after(self) -> str:
        """The whole trainings in words: a count, ``never`` or ``not known``."""
        if math.isnan(self.trainings):
            return "not known"
        return "never" if math.isinf(self.trainings) else str(math.ceil(self.trainings))


def choosing_wh(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the Wh of choosing images once, all phases together: the mean over the cells of one method and keep.

    Only cells that ran alone count, if there are any. Cells with a phase of unknown energy are left out. Return None
    if no cell remains.
    """
    alone = [row for row in rows if not row.get("overlapped")]
    known = [wh for row in alone or rows if (wh := _choosing_wh_of(row)) is not None]
    return _mean(known) if known else None


def _choosing_wh_of(row: Mapping[str, Any]) -> float | None:
    # drawing a random subset takes too little energy to matter, so it may be unmetered
    parts = [
        (row.get(f"{phase}_Wh"), row.get(f"{phase}_seconds"))
        for phase in CHOOSING_PHASES
        if phase != "selection" or row.get("method") not in RANDOM_METHODS or row.get("selection_Wh") is not None
    ]
    if any(wh is None and seconds is not None for wh, seconds in parts):
        return None
    return math.fsum(float(wh or 0.0) for wh, _ in parts)


def break_even(rows: Iterable[Mapping[str, Any]]) -> list[BreakEven]:
    """Compare the cost of choosing with the saving for each method and keep, largest keep first; empty without `full`.

    Cells that overlapped another training, or have no energy figure, do not count.
    """
    known = [row for row in rows if row.get("Wh") is not None and not row.get("overlapped")]
    full = [float(row["Wh"]) for row in known if row["control"] == FULL]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in known:
        if row["control"] is None:
            groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    if not full:
        return []
    found = []
    for group in sorted(groups.values(), key=lambda group: (-int(group[0]["images"]), group[0]["label"])):
        choosing = choosing_wh(group)
        found.append(
            BreakEven(
                group[0]["label"],
                group[0]["keep"],
                math.nan if choosing is None else choosing,
                _mean(full) - _mean([float(row["Wh"]) for row in group]),
            )
        )
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
