"""The expected cost of training and of choosing, derived from finished cells: energy, operations and time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.statistics.break_even import CHOOSING_PHASES, choosing_wh
from detreduce.vocabulary.controls import FULL, RANDOM_METHODS

WH, TFLOPS, MINUTES = "Wh", "TFLOPs", "minutes"
"""Names of the costs, which are also columns of tidy rows."""
ALL_OVERLAPPED = (
    "Every finished cell overlapped another training on its machine, so its Wh include energy of the other training."
)

Row = Mapping[str, Any]
Line = tuple[float, float]
"""The cost of a training as (constant part, part for each image seen)."""


@dataclass(frozen=True)
class Costs:
    """The expected cost of training and of choosing.

    Attributes
    ----------
    lines
        The cost of a training, as (constant part, part for each image seen): ``lines[cost][setting]``. `cost` is ``Wh``
        or ``minutes``. The setting is None if all cells have the same setting.
    operations
        TFLOPs for each image seen, keyed by (image size, frozen layers). The key is None if all cells have the same
        setting.
    choosing
        The cost of choosing images: ``choosing[cost][method][number of images]``.
    note
        Why the energy is not exact or not complete. Empty if it is exact and complete.
    overlapped
        Whether all cells with a known energy overlapped another training on their machine.
    """

    lines: Mapping[str, Mapping[Setting | None, Line]]
    operations: Mapping[tuple[int, int] | None, float]
    choosing: Mapping[str, Mapping[str, Mapping[int, float]]]
    note: str = ""
    overlapped: bool = False

    @classmethod
    def of(cls, rows: Sequence[Row], reference: Setting | None = None) -> Costs:
        """Fit the costs to tidy rows. `reference` is the setting of the trainings without a recipe."""
        choosing = {WH: _choosing(rows, choosing_wh), MINUTES: _choosing(rows, _choosing_minutes)}
        return cls(
            {name: _lines(rows, name, reference) for name in (WH, MINUTES)},
            _operations(rows),
            choosing,
            _note(rows, choosing[WH]),
            _overlapped(rows),
        )

    def of_training(self, name: str, images_seen: float, setting: Setting | None = None) -> float | None:
        """Return the expected cost of one training, or None if no finished cell with this setting shows it.

        `name` is ``Wh``, ``TFLOPs`` or ``minutes``.
        """
        if name == TFLOPS:
            each = self.operations.get(_size(setting))
            return None if each is None else each * images_seen
        line = self.lines[name].get(setting)
        return None if line is None else line[0] + line[1] * images_seen

    def of_choosing(self, method: str, images: int, name: str = WH) -> float | None:
        """Return the expected cost of choosing `images` images with a method, or None if it is not known.

        Costs between two known numbers of images are interpolated. The number of operations is always 0.
        """
        if name == TFLOPS:
            return 0.0
        costs = self.choosing[name].get(method)
        if costs is None and method in (FULL, *RANDOM_METHODS):
            # a training on all images needs no choosing, and drawing random images takes too little energy to matter
            return 0.0
        if not costs:
            return None
        known = sorted(costs)
        return float(np.interp(images, known, [costs[count] for count in known]))


def _size(setting: Setting | None) -> tuple[int, int] | None:
    """Return the values on which the number of operations per image depends: the image size and the frozen layers."""
    return None if setting is None else (setting.imgsz, setting.freeze)


def _known(rows: Iterable[Row], name: str) -> tuple[list[Row], bool]:
    """Return the rows whose cost `name` is known, and whether their cells ran alone on their machine.

    Rows of overlapped cells are left out. If all these cells are overlapped, they are returned with False.
    """
    known = [row for row in rows if row.get(name) is not None and row.get("images_seen")]
    # the measured cost of an overlapped cell includes part of the cost of the other training
    alone = [row for row in known if not row.get("overlapped")]
    return alone or known, bool(alone)


def _lines(rows: Sequence[Row], name: str, reference: Setting | None) -> dict[Setting | None, Line]:
    """Return the cost of a training for each setting, as two numbers: a constant part, and a part per image seen."""
    from scipy.optimize import nnls

    groups: dict[Setting | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get("setting"), []).append(row)
    found: dict[Setting | None, Line] = {}
    # fit the reference first, because other settings may use its constant part
    for setting in sorted(groups, key=lambda item: item != reference):
        known, _ = _known(groups[setting], name)
        if not known:
            continue
        seen = np.array([float(row["images_seen"]) for row in known])
        cost = np.array([float(row[name]) for row in known])
        if setting != reference and np.ptp(seen) < 0.1 * seen.max():
            # Trainings of equal length cannot separate the two parts. The constant part (start and evaluation) is about
            # the same in all settings.
            constant = min(found.get(reference, (0.0, 0.0))[0], float(cost.min()))
            found[setting] = constant, float((cost.mean() - constant) / seen.mean())
        else:
            constant, each = nnls(np.column_stack([np.ones(len(seen)), seen]), cost)[0]
            found[setting] = float(constant), float(each)
    return found


def _operations(rows: Sequence[Row]) -> dict[tuple[int, int] | None, float]:
    """Return the mean TFLOPs for each image seen, by image size and frozen layers."""
    groups: dict[tuple[int, int] | None, list[float]] = {}
    for row in rows:
        if row.get(TFLOPS) is not None and row.get("images_seen"):
            groups.setdefault(_size(row.get("setting")), []).append(float(row[TFLOPS]) / float(row["images_seen"]))
    return {size: math.fsum(each) / len(each) for size, each in groups.items()}


def _choosing(rows: Sequence[Row], cost_of: Any) -> dict[str, dict[int, float]]:
    """Return method -> number of images -> mean cost of choosing them. `cost_of` returns the mean cost of a group of
    rows.
    """
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((str(row["label"]), int(row["images"])), []).append(row)
    found: dict[str, dict[int, float]] = {}
    for (name, images), group in groups.items():
        cost = cost_of(group)
        found.setdefault(name, {}).update({} if cost is None else {images: cost})
    return found


def _choosing_minutes(rows: Sequence[Row]) -> float | None:
    """Return the mean time of choosing the images once, summed over all phases, in minutes."""
    alone = [row for row in rows if not row.get("overlapped")] or list(rows)
    sums = [math.fsum(float(row.get(f"{phase}_seconds") or 0.0) for phase in CHOOSING_PHASES) for row in alone]
    return math.fsum(sums) / len(sums) / 60 if sums else None


def _overlapped(rows: Sequence[Row]) -> bool:
    """Return whether all rows with a known energy belong to overlapped cells."""
    known, alone = _known(rows, WH)
    return bool(known) and not alone


def _note(rows: Sequence[Row], choosing: Mapping[str, Mapping[int, float]]) -> str:
    """Return a sentence that says why the energy is not exact or not complete. It is empty if there is no reason."""
    note = ALL_OVERLAPPED if _overlapped(rows) else ""
    if unknown := sorted({str(row["label"]) for row in rows} - {name for name, costs in choosing.items() if costs}):
        unmetered = (
            f"The energy of choosing by {', '.join(unknown)} is not known, so recipes with such a method come last."
        )
        note = " ".join(filter(None, [note, unmetered]))
    return note
