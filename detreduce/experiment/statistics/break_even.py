"""Break-even: the number of trainings after which a subset has saved as much energy as choosing it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detreduce.vocabulary.controls import FULL, RANDOM_METHODS, RECIPE
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import CHOOSING_PHASES


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The break-even of one method at one keep.

    Attributes
    ----------
    method, keep
        The label of the method, and its keep.
    choosing_wh
        Energy of choosing the images once, in Wh. It is NaN if it is not known.
    saved_wh
        Energy that each training on the subset saves, in Wh, compared with a training on all images.
    """

    method: str
    keep: float | int
    choosing_wh: float
    saved_wh: float

    @property
    def trainings(self) -> float:
        """Number of trainings after which choosing has paid off. It is infinite if nothing is saved, and NaN if not
        known.
        """
        if math.isnan(self.choosing_wh) or math.isnan(self.saved_wh):
            return math.nan
        return self.choosing_wh / self.saved_wh if self.saved_wh > 0 else math.inf

    @property
    def after(self) -> str:
        """The value of `trainings` as text: a whole number (rounded up), ``never`` or ``not known``."""
        if math.isnan(self.trainings):
            return "not known"
        return "never" if math.isinf(self.trainings) else str(math.ceil(self.trainings))


def choosing_wh(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the energy of choosing the images once, summed over all phases, in Wh.

    `rows` are the cells of one method at one keep, and the result is their mean. If some cells ran alone on their
    machine, only these are used. Cells with a phase of unknown energy are left out. If no cell remains, return None.
    """
    alone = [row for row in rows if not row.get("overlapped")]
    known = [wh for row in alone or rows if (wh := _choosing_wh_of(row)) is not None]
    return _mean(known) if known else None


def _choosing_wh_of(row: Mapping[str, Any]) -> float | None:
    """Return the energy of choosing the images of one cell, in Wh, or None if the energy of a phase is not known."""
    # drawing a random subset takes too little energy to matter, so its energy need not be known
    parts = [
        (row.get(f"{phase}_Wh"), row.get(f"{phase}_seconds"))
        for phase in CHOOSING_PHASES
        if phase != "selection" or row.get("method") not in RANDOM_METHODS or row.get("selection_Wh") is not None
    ]
    if any(wh is None and seconds is not None for wh, seconds in parts):
        return None
    return math.fsum(float(wh or 0.0) for wh, _ in parts)


def break_even(rows: Iterable[Mapping[str, Any]]) -> list[BreakEven]:
    """Return the break-even of each method at each keep, with the largest keep first.

    Cells whose energy is not known are left out, and so are cells that overlapped another training on their machine. If
    no cell of the control `full` remains, return an empty list.
    """
    known = [row for row in rows if row.get("Wh") is not None and not row.get("overlapped")]
    full = [float(row["Wh"]) for row in known if row["control"] == FULL]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in known:
        if row["control"] is None and row.get("method") != RECIPE:
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
