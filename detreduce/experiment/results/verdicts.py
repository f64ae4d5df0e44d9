"""The verdicts on subsets, and the order of the subsets by these verdicts."""

from __future__ import annotations

import math

from detreduce.display.numbers import fixed
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.statistics.comparison import NO_VERDICT, Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, ON_ALL_IMAGES, RANDOM_METHODS
from detreduce.vocabulary.measures import ACCURACIES
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

BETTER, WORSE = "better", "worse"
NAME = ACCURACIES[MEASURE]


def ranked_subsets(outcome: Outcome) -> list[Summary]:
    """Return the subsets (one for each method and keep), with the best first.

    Subsets that are shown to be better than random subsets come first, and those that are shown to be worse come last.
    Subsets with the same verdict are sorted by their mean mAP. The control ``first`` is not ranked.
    """
    subsets = [
        item
        for item in outcome.summaries
        if item.method not in ON_ALL_IMAGES
        and not item.is_recipe
        and (not item.is_control or item.method in RANDOM_METHODS)
    ]

    def place(item: Summary) -> tuple[int, int, float, str]:
        """Return the sort key of a subset: the verdicts first, then the mean mAP."""
        against = [comparison_with(outcome, item, name) for name in (outcome.random, EQUAL_ITERATIONS)]
        tiers = [1 if starts(one, BETTER) else -1 if starts(one, WORSE) else 0 for one in against]
        mean = item.mean[MEASURE]
        random, equal = tiers[0], max(0, tiers[1]) if tiers[0] > 0 else 0
        return -random, -equal, -mean if math.isfinite(mean) else math.inf, item.method

    return sorted(subsets, key=place)


def differences(outcome: Outcome, against: str) -> list[Comparison]:
    """Return the comparisons of mAP50-95 with the reference `against`."""
    return [item for item in outcome.comparisons if item.against == against and item.measure == MEASURE]


def comparison_with(outcome: Outcome, summary: Summary, against: str | None) -> Comparison | None:
    """Return the comparison of a subset with the reference `against`, or None if there is none."""
    return None if against is None else outcome.difference(summary, against, MEASURE)


def verdict_against(outcome: Outcome, summary: Summary, against: str) -> str:
    """Return the verdict on a subset compared with a reference, or an empty string if there is no comparison."""
    item = comparison_with(outcome, summary, against)
    return "" if item is None else item.verdict


def starts(item: Comparison | None, word: str) -> bool:
    """Return whether the verdict of a comparison starts with `word`, which is ``better`` or ``worse``."""
    return item is not None and item.verdict.startswith(word)


def is_judged(item: Comparison) -> bool:
    """Return whether there are enough seeds for a verdict."""
    return NO_VERDICT not in item.verdict


def signed(item: Comparison) -> str:
    """Return the difference of a comparison (method minus reference) as text with its sign."""
    return fixed(item.difference, 3, sign=True)


def with_sign_reversed(item: Comparison) -> str:
    """Return the difference with its sign reversed (reference minus method) as text."""
    return fixed(-item.difference, 3, sign=True)
