"""What an experiment is about to do: its cells by method and keep, and what the ones to run will probably cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.choices import Choices
from detreduce.experiment.forecast import Estimate, Forecast
from detreduce.experiment.plan import Cell

NOTHING = Estimate(0.0, 0.0)


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

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """One line."""
        part = f" (shard {self.shard})" if self.shard else ""
        text = f"{self.cells} cells{part}: {self.reused} finished before, {self.to_run} to run. Ledger: {self.ledger}"
        return (
            text
            if not self.to_run
            else f"{text}. {cost_in_words(Estimate(self.seconds, self.wh), self.estimated_from)}"
        )


def cost_in_words(cost: Estimate, cells: int) -> str:
    """An estimate as a sentence."""
    if cost.seconds is None:
        return "No estimate yet: no cell like these is finished."
    energy = "energy not known" if cost.wh is None else f"{cost.wh:.2f} Wh"
    by = f"by {cells} finished cells like these; features and proxy training come on top"
    return f"About {cost.seconds / 60:.1f} minutes, {energy}, {by}."


def overview(
    name: str,
    ledger: str,
    shard: str | None,
    cells: Iterable[Cell],
    finished: Collection[str],
    forecast: Forecast,
    choices: Choices,
) -> Overview:
    """Sum up `cells`, of which the keys `finished` need not be run."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.label, repr(cell.keep)), []).append(cell)
    fits: set[str] = set()
    shares, costs = [], []
    for group in groups.values():
        missing = [cell for cell in group if cell.key not in finished]
        cost = reduce(Estimate.__add__, [expected_cost(cell, forecast, choices, fits) for cell in missing], NOTHING)
        first, done = group[0], len(group) - len(missing)
        control = first.control is not None
        shares.append(Share(first.label, first.keep, control, len(group), done, len(missing), cost.seconds, cost.wh))
        costs.append(cost)
    total = reduce(Estimate.__add__, costs, NOTHING)
    counts = [sum(getattr(share, field) for share in shares) for field in ("cells", "reused", "to_run")]
    return Overview(
        name, ledger, shard, tuple(shares), forecast.cells, counts[0], counts[1], counts[2], total.seconds, total.wh
    )


def expected_cost(cell: Cell, forecast: Forecast, choices: Choices, fits: set[str]) -> Estimate:
    """What a cell will take, its selection included unless it is there or among `fits`, which it joins."""
    cost = forecast.training(cell)
    if cell.on_all:
        return cost
    fit = choices.fit_of(cell)
    if fit not in fits and not choices.is_fitted(cell):
        cost += forecast.selection(cell)
    fits.add(fit)
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
