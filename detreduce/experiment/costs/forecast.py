"""Forecast the time and energy that a cell will take, based on the finished cells in the same ledger."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from detreduce.experiment.cells import Cell
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.work import PlannedWork, finished_work
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.reducers import reducer_class
from detreduce.training.energy import PhaseEnergy
from detreduce.training.run.reading.plan_stream import PHASE as STREAM

# training arguments that change the cost per image
COSTLY = ("imgsz", "batch", "freeze", "device", "workers", "amp", "multi_scale", "rect", "cache")

Line = tuple[float, float]
"""The cost of a training as (constant part, part for each image of its work)."""


@dataclass(frozen=True)
class Estimate:
    """The expected time (seconds) and energy (Wh) of a cell, or of choosing its images. A field is None if unknown."""

    seconds: float | None = None
    wh: float | None = None

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(_sum(self.seconds, other.seconds), _sum(self.wh, other.wh))


@dataclass(frozen=True)
class Forecast:
    """The expected cost of a cell: a constant part, plus a part for each image of its work (see `PlannedWork`).

    Attributes
    ----------
    cells
        Number of finished cells that the forecast is fitted to.
    images
        Number of images in the train split.
    work
        The expected work of cells that are not finished.
    seconds, wh
        The time and the energy, each as (constant part, part for each image of work). None if it is not known.
    choosing
        The mean cost of choosing once from `images` images, as label of a cell -> keep -> cost.
    of_recipes
        Separate fits for recipes that change the cost per image. The key is the settings in `COSTLY` that the recipe
        sets, as JSON text. The value is a pair like (`seconds`, `wh`), fitted to the finished cells with these
        settings.
    """

    cells: int
    images: int
    work: PlannedWork
    seconds: tuple[float, float] | None
    wh: tuple[float, float] | None
    choosing: dict[str, dict[str, Estimate]]
    of_recipes: dict[str, tuple[Line | None, Line | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, finished: Iterable[FinishedCell], config: ExperimentConfig, images: int) -> Forecast:
        """Fit a forecast to the finished cells that should cost as much per image as the cells of `config`.

        These cells have the same model and the same arguments in `COSTLY`, such as the image size.

        Cells that ran on other machines are used only if no cell ran on this machine. Overlapped cells are used only if
        no cell ran alone. `images` is the number of images in the train split.
        """
        finished = list(finished)
        here = _preferred(finished, _ran_here)
        alike = _preferred([cell for cell in finished if _alike(cell, config)], _ran_here)
        alike = _preferred(alike, lambda cell: not cell.ran.get("overlapped"))
        # the time of a cell with a stream includes the computation of the stream
        alike = _preferred(alike, lambda cell: STREAM not in cell.training.energy)
        work = [finished_work(cell) for cell in alike]
        return cls(
            len(alike),
            images,
            PlannedWork.of(here, config.train.arguments, images),
            _fit(work, [_seconds(cell) for cell in alike]),
            _fit(work, [_wh(cell) for cell in alike]),
            _choosing(cell for cell in here if cell.selection.get("of", images) == images),
            _lines_of_recipes([cell for cell in here if _alike(cell, config, cell.cell.get("recipe"))]),
        )

    def training(self, cell: Cell) -> Estimate:
        """Return the expected cost of a cell, not including the cost of choosing its images."""
        work = self.work.of_cell(cell)
        lines = self.of_recipes.get(_costly(cell.recipe), (self.seconds, self.wh))
        return Estimate(*(None if line is None else line[0] + line[1] * work for line in lines))

    def selection(self, cell: Cell) -> Estimate | None:
        """Return the expected cost of choosing the images of a cell, or None if no finished cell shows the cost.

        The cost comes from finished cells with the same keep. A nested method costs the same at every keep, so cells
        with other keeps are used if necessary.
        """
        known = self.choosing.get(cell.label, {})
        if repr(cell.chosen_keep) in known:
            return known[repr(cell.chosen_keep)]
        shared = reducer_class(cell.chooser).nested and "partitions" not in cell.composition
        return _mean(list(known.values())) if known and shared else None


def _costly(recipe: Mapping[str, Any] | None) -> str:
    """Return the settings in `COSTLY` that a recipe sets, as JSON text. The text is empty if there are none."""
    found = {name: (recipe or {})[name] for name in COSTLY if name in (recipe or {})}
    return json.dumps(found, sort_keys=True) if found else ""


def _lines_of_recipes(cells: Sequence[FinishedCell]) -> dict[str, tuple[Line | None, Line | None]]:
    """Return the value of `Forecast.of_recipes` for these finished cells."""
    groups: dict[str, list[FinishedCell]] = {}
    for cell in cells:
        if costly := _costly(cell.cell.get("recipe")):
            groups.setdefault(costly, []).append(cell)
    found = {}
    for costly, group in groups.items():
        alone = _preferred(group, lambda cell: not cell.ran.get("overlapped"))
        work = [finished_work(cell) for cell in alone]
        found[costly] = _fit(work, [_seconds(cell) for cell in alone]), _fit(work, [_wh(cell) for cell in alone])
    return found


def _alike(cell: FinishedCell, config: ExperimentConfig, recipe: Mapping[str, Any] | None = None) -> bool:
    """Return whether a cell has the model of the configuration, and the same arguments in `COSTLY`.

    Arguments that are set by `recipe`, the recipe of the cell, are not compared.
    """
    wanted, had = config.train.arguments, cell.training.arguments
    same_model = cell.training.model.name == Path(config.train.model).name
    return same_model and all(had.get(name) == wanted.get(name) for name in COSTLY if name not in (recipe or {}))


def _preferred(cells: list[FinishedCell], good: Callable[[FinishedCell], bool]) -> list[FinishedCell]:
    """Return the cells for which `good` returns True, or all cells if there are none."""
    return [cell for cell in cells if good(cell)] or cells


def _ran_here(cell: FinishedCell) -> bool:
    return bool(cell.ran.get("host") == socket.gethostname())


def _seconds(cell: FinishedCell) -> float:
    """Return the seconds from the start to the end of a cell, not including choosing.

    If they were not recorded, return the sum of the seconds of its phases.
    """
    measured = cell.ran.get("training_seconds")
    return float(measured) if measured else sum(phase.seconds for phase in _phases(cell))


def _wh(cell: FinishedCell) -> float | None:
    """Return the energy of a cell in Wh, not including choosing, or None if the energy of a phase is not known."""
    parts = [phase.wh for phase in _phases(cell)]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _phases(cell: FinishedCell) -> list[PhaseEnergy]:
    """Return the phases of a training, without the computation of its stream.

    Later cells find the stream in the cache, so its cost does not show what they will cost.
    """
    return [phase for name, phase in cell.training.energy.items() if name != STREAM]


def _fit(seen: Sequence[float], costs: Sequence[float | None]) -> tuple[float, float] | None:
    """Return a constant cost and a cost per image, fitted to costs by least squares. Both are at least 0.

    If no cost is known, return None. If all cells saw the same number of images, the constant cost is 0.
    """
    pairs = [(images, cost) for images, cost in zip(seen, costs, strict=True) if cost is not None]
    if not pairs:
        return None
    x, y = np.array(pairs).T
    scale = max(float(x.max()), 1.0)
    if np.ptp(x) < 1e-9 * scale:
        return (0.0, float(y.mean() / scale)) if x.max() > 0 else (float(y.mean()), 0.0)
    (constant, slope), _ = nnls(np.column_stack([np.ones_like(x), x / scale]), y)
    return float(constant), float(slope / scale)


def _choosing(cells: Iterable[FinishedCell]) -> dict[str, dict[str, Estimate]]:
    """Return the mean cost of choosing the images once, as label of a cell -> keep -> cost."""
    costs: dict[str, dict[str, list[Estimate]]] = {}
    for cell in cells:
        if energy := cell.choosing.get("selection"):
            of_label = costs.setdefault(cell.cell["label"], {})
            of_label.setdefault(repr(cell.cell.get("keep")), []).append(Estimate(energy.seconds, energy.wh))
    return {label: {keep: _mean(known) for keep, known in by_keep.items()} for label, by_keep in costs.items()}


def _mean(costs: Sequence[Estimate]) -> Estimate:
    """Return the mean of the known times and the mean of the known energies."""
    parts = ([cost.seconds for cost in costs], [cost.wh for cost in costs])
    known = [[value for value in part if value is not None] for part in parts]
    return Estimate(*(sum(part) / len(part) if part else None for part in known))


def _sum(one: float | None, other: float | None) -> float | None:
    """Return the sum of two values, or None if one of them is None."""
    return None if one is None or other is None else one + other
