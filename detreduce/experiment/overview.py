"""The overview that is shown before a run starts: how many cells there are, and what the trainings will cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from detreduce.display.numbers import counted, fixed
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.choices import Choices
from detreduce.experiment.costs.forecast import Estimate, Forecast
from detreduce.experiment.sources import FEATURES_PHASE, Sources
from detreduce.training.proxy import PHASE
from detreduce.vocabulary.controls import explain_names
from detreduce.vocabulary.keeps import keep_key

NOTHING = Estimate(0.0, 0.0)
SEARCHES, SELECTION = "searches for duplicates", "selection"


@dataclass(frozen=True, slots=True)
class MethodCells:
    """The cells of one method at one keep.

    Attributes
    ----------
    method, keep
        The label of the method, and its keep.
    is_control
        Whether the cells belong to a control.
    cells
        Number of cells.
    reused, to_run
        Number of cells that are already finished in the ledger, and number of cells that have to run.
    seconds, wh
        Expected time and energy of the cells that have to run. None if there is no estimate.
    """

    method: str
    keep: float | int
    is_control: bool
    cells: int
    reused: int
    to_run: int
    seconds: float | None
    wh: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of a run.

    Attributes
    ----------
    name, ledger
        The name of the experiment, and the path of its ledger.
    shard
        The part of the plan that is run, such as ``1/3``. None means the whole plan.
    shares
        One entry per method and keep, in the order of the plan.
    estimated_from
        Number of finished cells on which the estimates are based. If it is 0, there are no estimates.
    cells, reused, to_run, seconds, wh
        Sums over all shares.
    not_included
        Phases that the estimates do not include, because no finished cell shows what they cost. Possible phases are
        ``searches for duplicates``, ``features``, ``proxy training`` and ``selection``.
    """

    name: str
    ledger: str
    shard: str | None
    shares: tuple[MethodCells, ...]
    estimated_from: int
    cells: int
    reused: int
    to_run: int
    seconds: float | None
    wh: float | None
    not_included: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the overview as a dict that can be written as JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """Return the overview as one line of text."""
        part = f" (shard {self.shard})" if self.shard else ""
        text = (
            f"{counted(self.cells, 'cell')}{part}: {self.reused} finished before, {self.to_run} to run. "
            f"Ledger: {self.ledger}"
        )
        return f"{text}. {self.cost_in_words()}" if self.to_run else text

    def explanations(self) -> list[str]:
        """Return sentences that explain terms in the table to a new reader."""
        return ["A cell is one training.", *explain_names([share.method for share in self.shares])]

    def cost_in_words(self) -> str:
        """Return a sentence with the expected cost of the run."""
        if self.seconds is None:
            return "No estimate yet: no similar cell is finished."
        energy = "energy not known" if self.wh is None else f"{fixed(self.wh, 2)} Wh"
        text = (
            f"About {self.seconds / 60:.1f} minutes, {energy}, estimated from {self.estimated_from} similar finished "
            f"cell{'' if self.estimated_from == 1 else 's'}"
        )
        if self.not_included:
            *others, last = self.not_included
            what = f"{', '.join(others)} and {last}" if others else last
            text += f". Not included: {what}, because no finished cell shows the cost"
        return f"{text}."


@dataclass(frozen=True)
class PlannedCells:
    """The cells of a run, and which of them are finished.

    Attributes
    ----------
    name, ledger, shard
        As in `Overview`.
    cells
        All cells of the run.
    finished
        Keys of the cells that are already finished in the ledger.
    searched
        Whether the searches for duplicates have already been done.
    """

    name: str
    ledger: str
    shard: str | None
    cells: Sequence[Cell]
    finished: Collection[str]
    searched: bool = True


def overview(planned: PlannedCells, costing: Costing) -> Overview:
    """Return the overview of a run: its cells by method and keep, and the expected cost of its missing cells."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in planned.cells:
        groups.setdefault((cell.label, keep_key(cell.keep)), []).append(cell)
    shares, costs = [], []
    for group in groups.values():
        missing = [cell for cell in group if cell.key not in planned.finished]
        cost = reduce(Estimate.__add__, [costing.of(cell) for cell in missing], NOTHING)
        first, done = group[0], len(group) - len(missing)
        control = first.control is not None
        shares.append(
            MethodCells(first.label, first.keep, control, len(group), done, len(missing), cost.seconds, cost.wh)
        )
        costs.append(cost)
    total = reduce(Estimate.__add__, costs, NOTHING)
    return Overview(
        name=planned.name,
        ledger=planned.ledger,
        shard=planned.shard,
        shares=tuple(shares),
        estimated_from=costing.estimated_from,
        cells=sum(share.cells for share in shares),
        reused=sum(share.reused for share in shares),
        to_run=sum(share.to_run for share in shares),
        seconds=total.seconds,
        wh=total.wh,
        not_included=(
            *[SEARCHES] * (not planned.searched),
            *(part for part in (FEATURES_PHASE, PHASE, SELECTION) if part in costing.unknown),
        ),
    )


class Costing:
    """Estimates the cost of cells that run one after the other.

    If one cell computes features, a proxy training or a selection, later cells reuse the result at no cost. The
    function `evaluation` returns the cost of evaluating a cell on corrupted images. For cells that also need a
    training, it returns None.

    Attributes
    ----------
    unknown
        Names of the phases whose cost was not known for a cell so far.
    """

    def __init__(
        self,
        forecast: Forecast,
        choices: Choices,
        sources: Sources,
        evaluation: Callable[[Cell], Estimate | None] = lambda cell: None,
    ) -> None:
        self._forecast, self._choices, self._sources = forecast, choices, sources
        self._evaluation = evaluation
        self._made: set[str] = set()
        self.unknown: set[str] = set()

    @property
    def estimated_from(self) -> int:
        """Number of finished cells on which the estimates are based."""
        return self._forecast.cells

    def of(self, cell: Cell) -> Estimate:
        """Return the expected cost of the next cell.

        The cost includes the selection, the features and the proxy training, unless they are in the ledger or an
        earlier cell computes them. If the cell only needs to be evaluated, only the evaluation counts.
        """
        if (evaluation := self._evaluation(cell)) is not None:
            return evaluation
        cost = self._forecast.training(cell)
        if cell.on_all:
            return cost
        for phase, name in self._sources.to_make(cell):
            if name in self._made:
                continue
            self._made.add(name)
            known = self._sources.expected(phase)
            if known is None:
                self.unknown.add(phase)
            else:
                cost += known
        fit = self._choices.fit_of(cell)
        if fit not in self._made and not self._choices.is_fitted(cell):
            known = self._forecast.selection(cell)
            if known is None:
                self.unknown.add(SELECTION)
            else:
                cost += known
        self._made.add(fit)
        return cost


def shard_of(cells: list[Cell], shard: str | None) -> list[Cell]:
    """Return the cells of one shard. The shard ``"i/n"`` takes every n-th cell, starting with the i-th.

    The n shards together contain every cell exactly once, including controls. Each shard gets cells of different keeps.
    If `shard` is None, return all cells. Raise InputError if `shard` does not have the form ``"i/n"``.
    """
    if shard is None:
        return cells
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise InputError(f"shard {shard!r} is not i/n with i from 1 to n: use for example 1/3 for the first of three.")
    return cells[int(number) - 1 :: int(of)]
