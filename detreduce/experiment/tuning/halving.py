"""Successive halving: train all recipes for a short time, then the better half for longer, and so on, within a budget.

Jamieson and Talwalkar (2016, arXiv 1502.07943) call one round of trainings of equal length a *rung*. The next rung has
half of the recipes and twice the length, so every rung costs about the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

REDUCTION = 2
"""Each rung has 1 / REDUCTION of the recipes of the previous rung, and its trainings are REDUCTION times longer."""
FEWEST_SEEDS, MOST_SEEDS = 3, 7
"""Number of fresh seeds for comparing the best recipe with its control. Fewer than 3 can hardly show anything."""
SIDES = 2
"""Number of recipes in the comparison: the best recipe and its control."""


@dataclass(frozen=True)
class Schedule:
    """The rungs to run, and the number of fresh seeds for the comparison after them.

    Attributes
    ----------
    lengths
        For each rung, the number of images that each of its trainings sees. The numbers increase.
    seeds
        Number of fresh seeds for the comparison. Its trainings are as long as the trainings in the last rung. 0 if the
        budget does not allow a comparison.
    """

    lengths: tuple[int, ...]
    seeds: int


@dataclass(frozen=True)
class Conditions:
    """The conditions that a schedule must meet.

    Attributes
    ----------
    sizes
        Number of recipes in each rung that still has to run (see `rung_sizes`). Empty if only the comparison is left.
    lengths
        The possible numbers of images seen, increasing.
    price
        A function that returns the expected cost of one training, given its number of images seen.
    budget
        What all trainings together may cost, in the unit of `price`.
    last
        Number of images seen by each training of the last finished rung. 0 if no rung is finished.
    """

    sizes: Sequence[int]
    lengths: Sequence[int]
    price: Callable[[int], float]
    budget: float
    last: int = 0

    @property
    def smallest_budget(self) -> float:
        """The cost of the shortest possible first rung."""
        return self.sizes[0] * self.price(self.lengths[0])


def rung_sizes(recipes: int) -> list[int]:
    """Return the number of recipes in each rung, from all recipes down to two. For 7 recipes, it is [7, 4, 2]."""
    found = [recipes]
    while found[-1] > REDUCTION:
        found.append(-(-found[-1] // REDUCTION))
    return found


def keep_best(scores: Mapping[str, float], count: int) -> list[str]:
    """Return the names with the `count` highest scores, best first. If scores are equal, the earlier name comes
    first.
    """
    return sorted(scores, key=lambda name: -scores[name])[:count]


def find_schedule(question: Conditions) -> Schedule | None:
    """Return the best schedule that the budget allows, or None if the budget does not allow a single rung.

    A comparison with at least `FEWEST_SEEDS` fresh seeds comes first, because nothing can be shown without a
    comparison. Then more rungs are preferred, and then longer rungs. The rest of the budget is spent on more fresh
    seeds, up to `MOST_SEEDS`.
    """
    for seeds in (FEWEST_SEEDS, 0):
        for rungs in range(len(question.sizes), 0, -1):
            if (lengths := _longest(question, rungs, seeds)) is not None:
                return Schedule(lengths, _seeds(question, lengths) if seeds else 0)
        if seeds and question.last and _cost(question, (), seeds) <= question.budget:
            return Schedule((), _seeds(question, ()))
    return None


def affordable_seeds(price: float, budget: float) -> int:
    """Return how many fresh seeds a budget allows, at most `MOST_SEEDS`. `price` is the cost of one training."""
    if budget <= 0:
        return 0
    return MOST_SEEDS if price <= 0 else min(MOST_SEEDS, int(budget / (SIDES * price) + 1e-9))


def _longest(question: Conditions, rungs: int, seeds: int) -> tuple[int, ...] | None:
    """Return the lengths of this number of rungs, the longest that the budget allows. Return None if there are none."""
    for top in reversed(question.lengths):
        lengths = _ladder(question, top, rungs)
        if lengths is None:
            return None
        if _cost(question, lengths, seeds) <= question.budget:
            return lengths
    return None


def _ladder(question: Conditions, top: int, rungs: int) -> tuple[int, ...] | None:
    """Return the lengths of rungs that increase up to `top`, or None if the first rung would be too short."""
    found = []
    for rung in range(rungs):
        place = bisect_right(question.lengths, top / REDUCTION ** (rungs - 1 - rung))
        if not place:
            return None
        found.append(question.lengths[place - 1])
    rising = all(short < long for short, long in zip([question.last, *found], found, strict=False))
    return tuple(found) if rising else None


def _cost(question: Conditions, lengths: Sequence[int], seeds: int) -> float:
    """Return the total cost of rungs with these lengths and of the comparison after them, with `seeds` fresh seeds."""
    rungs = sum(size * question.price(length) for size, length in zip(question.sizes, lengths, strict=False))
    return rungs + SIDES * seeds * question.price(lengths[-1] if lengths else question.last)


def _seeds(question: Conditions, lengths: Sequence[int]) -> int:
    """Return how many fresh seeds the budget allows if the remaining rungs have the given lengths."""
    left = question.budget - _cost(question, lengths, 0)
    return max(FEWEST_SEEDS, affordable_seeds(question.price(lengths[-1] if lengths else question.last), left))
