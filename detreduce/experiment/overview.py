"""What an experiment is about to do: its cells by method and keep, and what the ones to run will probably cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.choices import Choices
from detreduce.experiment.costs.forecast import Estimate, Forecast
from detreduce.experiment.sources import FEATURES_PHASE, Sources
from detreduce.reducers import make_reducer
from detreduce.training.proxy import PHASE
from detreduce.vocabulary.keeps import keep_key

NOTHING = Estimate(0.0, 0.0)
SEARCHES, SELECTION = "searches for duplicates", "selection"


@dataclass(frozen=True, slots=True)
class Share:
    """The cells of one method at one keep. `seconds` and `wh` are of those to run; None where no estimate can be made.

    `reused` are finished in the ledger.
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
        One a method and keep, in the plan's order.
    estimated_from
        Finished cells that the estimate is from; 0: there is no estimate.
    not_included
        What is still to be done and no finished cell tells the cost of: ``searches for duplicates``, ``features``,
        ``proxy training``, ``selection``.
    cells, reused, to_run, seconds, wh
        Of all shares together.
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
        """The same, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """One line."""
        part = f" (shard {self.shard})" if self.shard else ""
        text = f"{self.cells} cells{part}: {self.reused} finished before, {self.to_run} to run. Ledger: {self.ledger}"
        return f"{text}. {self.cost_in_words()}" if self.to_run else text

    def cost_in_words(self) -> str:
        """The estimate as a sentence."""
        if self.seconds is None:
            return "No estimate yet: no cell like these is finished."
        energy = "energy not known" if self.wh is None else f"{self.wh:.2f} Wh"
        text = f"About {self.seconds / 60:.1f} minutes, {energy}, by {self.estimated_from} finished cells like these"
        if self.not_included:
            *others, last = self.not_included
            what = f"{', '.join(others)} and {last}" if others else last
            text += f"; {what} not included: still to be made, and no finished cell tells what that takes"
        return f"{text}."


def overview(
    name: str,
    ledger: str,
    shard: str | None,
    cells: Iterable[Cell],
    finished: Collection[str],
    forecast: Forecast,
    choices: Choices,
    sources: Sources,
    *,
    searched: bool = True,
) -> Overview:
    """Sum up `cells`, of which the keys `finished` need not be run; `searched`: duplicates were looked for."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.label, keep_key(cell.keep)), []).append(cell)
    costing = Costing(forecast, choices, sources)
    shares, costs = [], []
    for group in groups.values():
        missing = [cell for cell in group if cell.key not in finished]
        cost = reduce(Estimate.__add__, [costing.of(cell) for cell in missing], NOTHING)
        first, done = group[0], len(group) - len(missing)
        control = first.control is not None
        shares.append(Share(first.label, first.keep, control, len(group), done, len(missing), cost.seconds, cost.wh))
        costs.append(cost)
    total = reduce(Estimate.__add__, costs, NOTHING)
    counts = [sum(getattr(share, field) for share in shares) for field in ("cells", "reused", "to_run")]
    return Overview(
        name,
        ledger,
        shard,
        tuple(shares),
        forecast.cells,
        cells=counts[0],
        reused=counts[1],
        to_run=counts[2],
        seconds=total.seconds,
        wh=total.wh,
        not_included=(
            *[SEARCHES] * (not searched),
            *(part for part in (FEATURES_PHASE, PHASE, SELECTION) if part in costing.unknown),
        ),
    )


class Costing:
    """What cells will take one after the other; what one makes for those after it costs them nothing.

    `unknown` are the phases that are to be gone through and of which no finished cell tells what they take.
    """

    def __init__(self, forecast: Forecast, choices: Choices, sources: Sources) -> None:
        self._forecast, self._choices, self._sources = forecast, choices, sources
        self._made: set[str] = set()
        self.unknown: set[str] = set()

    def of(self, cell: Cell) -> Estimate:
        """What the next cell takes, with the selection and what it is chosen from as far as they are not there."""
        cost = self._forecast.training(cell)
        if cell.on_all:
            return cost
        for phase, name in self._sources.to_make(make_reducer(cell.chooser, **cell.parameters).needs):
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
    """Every n-th cell of a plan from the i-th on, for ``"i/n"``; with None all.

    The order is the plan's, so that the shards of one configuration share it out whole, controls included, and each
    gets cells of every size. Raises InputError for what is no shard.
    """
    if shard is None:
        return cells
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise InputError(f"shard {shard!r}: give i/n with i from 1 to n, for instance 1/3 for the first of three.")
    return cells[int(number) - 1 :: int(of)]
