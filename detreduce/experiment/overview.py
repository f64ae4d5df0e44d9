"""The plan of an experiment: its cells by method and keep, and the expected cost of those to train."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.choices import Choices
from detreduce.experiment.costs.forecast import Estimate, Forecast
from detreduce.experiment.sources import FEATURES_PHASE, Sources
from detreduce.training.proxy import PHASE
from detreduce.vocabulary.keeps import keep_key

NOTHING = Estimate(0.0, 0.0)
SEARCHES, SELECTION = "searches for duplicates", "selection"


@dataclass(frozen=True, slots=True)
class Share:
    """The cells of one method at one keep.

    `reused` cells are finished in the ledger. `seconds` and `wh` are the expected cost of the cells to run; None
    without an estimate.
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
    """A plan before it starts.

    Attributes
    ----------
    shares
        One per method and keep, in the plan's order.
    estimated_from
        How many finished cells the estimate is based on; 0: there is no estimate.
    not_included
        Work to do whose cost no finished cell shows: ``searches for duplicates``, ``features``, ``proxy training``,
        ``selection``.
    cells, reused, to_run, seconds, wh
        Sums over all shares.
    """

    name: str
    ledger: str
    shard: str | None
    shares: tuple[Share, ...]
    estimated_from: int
    cells: int
    reused: int
    to_run: int
    seconds: float | None
    wh: float | None
    not_included: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the overview, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """Return the overview in one line."""
        part = f" (shard {self.shard})" if self.shard else ""
        text = f"{self.cells} cells{part}: {self.reused} finished before, {self.to_run} to run. Ledger: {self.ledger}"
        return f"{text}. {self.cost_in_words()}" if self.to_run else text

    def cost_in_words(self) -> str:
        """Return the estimate as a sentence."""
        if self.seconds is None:
            return "No estimate yet: no similar cell is finished."
        energy = "energy not known" if self.wh is None else f"{self.wh:.2f} Wh"
        text = f"About {self.seconds / 60:.1f} minutes, {energy}, by {self.estimated_from} similar finished cells"
        if self.not_included:
            *others, last = self.not_included
            what = f"{', '.join(others)} and {last}" if others else last
            text += f"; without {what}, whose cost no finished cell shows"
        return f"{text}."


@dataclass(frozen=True)
class PlannedCells:
    """The cells of a run. `finished` holds the keys that need no training; `searched`: duplicates are known."""

    name: str
    ledger: str
    shard: str | None
    cells: Sequence[Cell]
    finished: Collection[str]
    searched: bool = True


def overview(planned: PlannedCells, costing: Costing) -> Overview:
    """Sum up the cells of a run by method and keep, with the expected cost of those to train."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in planned.cells:
        groups.setdefault((cell.label, keep_key(cell.keep)), []).append(cell)
    shares, costs = [], []
    for group in groups.values():
        missing = [cell for cell in group if cell.key not in planned.finished]
        cost = reduce(Estimate.__add__, [costing.of(cell) for cell in missing], NOTHING)
        first, done = group[0], len(group) - len(missing)
        control = first.control is not None
        shares.append(Share(first.label, first.keep, control, len(group), done, len(missing), cost.seconds, cost.wh))
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
    """Expected cost of cells that run one after the other: what one cell makes is free for the next ones.

    `unknown` holds the phases to run whose cost no finished cell shows.
    """

    def __init__(self, forecast: Forecast, choices: Choices, sources: Sources) -> None:
        self._forecast, self._choices, self._sources = forecast, choices, sources
        self._made: set[str] = set()
        self.unknown: set[str] = set()

    @property
    def estimated_from(self) -> int:
        """How many finished cells the estimates are based on."""
        return self._forecast.cells

    def of(self, cell: Cell) -> Estimate:
        """Return the cost of the next cell, including the selection, features and proxy training that are missing."""
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
    """Return every n-th cell of a plan, starting at the i-th, for ``"i/n"``; all cells for None.

    Together the n shards hold every cell once, controls included. Each shard gets cells of every size. Raise InputError
    for anything else.
    """
    if shard is None:
        return cells
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise InputError(f"shard {shard!r}: give i/n with i from 1 to n, for instance 1/3 for the first of three.")
    return cells[int(number) - 1 :: int(of)]
