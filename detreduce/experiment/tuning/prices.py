"""The expected cost of a training in a tuning: first from its number of operations, then from finished trainings."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.training.planned_flops import Speed

UNITS = {"budget_wh": WH, "budget_tflops": TFLOPS, "minutes": MINUTES}
"""Name of the argument that sets a budget -> unit of this budget."""
START_SECONDS = 3.0
"""Seconds from the start of a training to its first batch."""


@dataclass(frozen=True)
class Budget:
    """What a whole tuning may cost. `unit` is ``Wh``, ``TFLOPs`` or ``minutes``."""

    amount: float
    unit: str

    @classmethod
    def of(cls, given: Mapping[str, float | None]) -> Budget:
        """Create the budget from the arguments in `UNITS`. Raise InputError unless exactly one of them is a number
        above 0.
        """
        known = {name: value for name, value in given.items() if value is not None}
        if len(known) != 1:
            raise InputError(
                "Pass exactly one budget: in Wh (--budget-wh 20), in TFLOPs (--budget-tflops 500) or in minutes "
                "(--minutes 60)."
            )
        (name, value), *_ = known.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise InputError(f"{name}={value!r} is not a number above 0. Use a number of {UNITS[name]}, such as 20.")
        return cls(float(value), UNITS[name])


@dataclass(frozen=True)
class Prices:
    """A model of the cost of one training: a fixed cost, plus a cost that grows with the operations.

    Attributes
    ----------
    unit
        ``Wh``, ``TFLOPs`` or ``minutes``.
    tflops
        Operations for each image seen, in units of 10^12.
    rate
        Cost of 10^12 operations.
    fixed
        The part of the cost that does not depend on the length of a training: its start and its evaluation.
    rates
        Label of a recipe -> the `rate` of this recipe. Only recipes with a finished training are included.
    trainings
        Number of finished trainings from which the prices were computed. With 0, they are rough estimates.
    exact
        A function that takes the label of a recipe and a length, and returns the exact cost of this training. None for
        Wh and minutes, whose costs are estimates.
    """

    unit: str
    tflops: float
    rate: float
    fixed: float
    rates: Mapping[str, float] = field(default_factory=dict)
    trainings: int = 0
    exact: Callable[[str, int], float] | None = None

    def of(self, length: int, labels: Collection[str] = ()) -> float:
        """Return the cost of a training of one of these recipes, with the operations of `length` images.

        If the costs are estimates, this is the mean over the recipes. If the costs are exact, it is the largest cost,
        because the mean could be too low for some recipes.
        """
        if self.exact is not None and labels:
            return max(self.exact(label, length) for label in labels)
        rates = [self.rates.get(label, self.rate) for label in labels] or [self.rate]
        return self.fixed + self.tflops * length * math.fsum(rates) / len(rates)


def operations(tflops: float, exact: Callable[[str, int], float] | None = None) -> Prices:
    """Return prices in TFLOPs. They do not include evaluations."""
    return Prices(TFLOPS, tflops, 1.0, 0.0, exact=exact)


def estimated(unit: str, tflops: float, speed: Speed, evaluation_tflops: float) -> Prices:
    """Return prices before any training is finished. `evaluation_tflops` are the operations of one evaluation."""
    if unit == WH and speed.wh is None:
        raise InputError("The energy of this machine cannot be metered. Use a budget in minutes or in TFLOPs.")
    rate = speed.seconds / 60 if unit == MINUTES else float(speed.wh or 0.0)
    start = START_SECONDS / 60 * (1.0 if unit == MINUTES else 60 * rate / speed.seconds)
    return Prices(unit, tflops, rate, start + evaluation_tflops * rate)


def measured(unit: str, tflops: float, cells: Iterable[FinishedCell]) -> Prices | None:
    """Return prices that are computed from finished trainings, or None if no finished training has a known cost.

    `unit` is ``Wh`` or ``minutes``, and `tflops` is the number of operations for one image, in units of 10^12.
    Trainings that shared the machine with another training are left out, unless no others remain.
    """
    found = [cell for cell in cells if cell.training.training_tflops and spent_by(cell, unit) is not None]
    found = [cell for cell in found if not cell.ran.get("overlapped")] or found
    if not found:
        return None
    groups: dict[str, list[FinishedCell]] = {}
    for cell in found:
        groups.setdefault(str(cell.cell["label"]), []).append(cell)
    fixed = math.fsum(float(spent_by(cell, unit) or 0.0) - _training(cell, unit) for cell in found)
    rates = {label: _rate(group, unit) for label, group in groups.items()}
    return Prices(unit, tflops, _rate(found, unit), fixed / len(found), rates, len(found))


def spent_by(cell: FinishedCell, unit: str) -> float | None:
    """Return the cost of a finished training, including choosing and evaluation, or None if it is not known."""
    if unit == TFLOPS:
        return cell.training.training_tflops
    phases = [*cell.choosing.values(), *cell.training.energy.values()]
    if unit == MINUTES:
        return math.fsum(phase.seconds for phase in phases) / 60
    known = [phase.wh for phase in phases if phase.wh is not None]
    return math.fsum(known) if len(known) == len(phases) else None


def spent(cells: Iterable[FinishedCell], unit: str) -> float:
    """Return the total cost of finished trainings. Raise InputError if one of the costs is not known."""
    total = 0.0
    for cell in cells:
        cost = spent_by(cell, unit)
        if cost is None:
            raise InputError(f"The {unit} of the finished training {cell.key} are not known. Use another budget.")
        total += cost
    return total


def _training(cell: FinishedCell, unit: str) -> float:
    """Return the cost of the phase ``training`` of a cell."""
    phase: Any = cell.training.energy["training"]
    return float(phase.seconds / 60 if unit == MINUTES else phase.wh or 0.0)


def _rate(cells: Sequence[FinishedCell], unit: str) -> float:
    """Return the mean cost of 10^12 operations in the phase ``training`` of these cells."""
    done = math.fsum(cell.training.training_tflops or 0.0 for cell in cells)
    return math.fsum(_training(cell, unit) for cell in cells) / done
