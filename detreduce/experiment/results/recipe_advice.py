"""Advice on the recipes of an experiment, in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detreduce.display.numbers import fixed
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import BEST_UNIFORM, EQUAL_ITERATIONS, FULL, RECIPE_CLAIM, words_of
from detreduce.vocabulary.keeps import keep_in_words
from detreduce.vocabulary.measures import ACCURACIES
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

_NAME = ACCURACIES[MEASURE]


@dataclass(frozen=True)
class RecipeAdvice:
    """The best recipe of an experiment, and how it compares with a control.

    Attributes
    ----------
    best
        The recipe with the highest mean mAP. If some recipes are shown to be better than their control, only these are
        considered.
    found
        The comparison of `best` with its control. The control is the equal-steps control for the same number of images
        seen. If it was not trained, the control is the best other uniform recipe, or else `full`. None if there is no
        control.
    sentence
        The advice in words.
    """

    best: Summary
    found: Comparison | None
    sentence: str


def advise_recipes(outcome: Outcome) -> RecipeAdvice | None:
    """Return the advice on the recipes of an experiment, or None if no recipe has an mAP."""
    recipes = [item for item in outcome.summaries if item.is_recipe and math.isfinite(item.mean[MEASURE])]
    if not recipes:
        return None
    best = min(recipes, key=lambda item: (not _is_better(_against(outcome, item)), -item.mean[MEASURE]))
    found = _against(outcome, best)
    return RecipeAdvice(best, found, _sentence(best, found))


def _against(outcome: Outcome, recipe: Summary) -> Comparison | None:
    """Return the comparison of a recipe with a control.

    The control is the equal-steps control if it was trained, or else the best other uniform recipe, or else `full`.
    """
    for against in (EQUAL_ITERATIONS, BEST_UNIFORM, FULL):
        if (item := outcome.difference(recipe, against, MEASURE)) is not None:
            return item
    return None


def _is_better(item: Comparison | None) -> bool:
    return item is not None and item.verdict.startswith("better")


def _sentence(best: Summary, found: Comparison | None) -> str:
    """Return a sentence with the advice on the best recipe."""
    images = f"images seen as {keep_in_words(best.keep)}"
    if found is None:
        return (
            f"The recipe {best.method} has the highest {_NAME}, but no control to compare it with: add "
            f"{EQUAL_ITERATIONS} to the controls."
        )
    where = f"{words_of(found.against)} ({fixed(found.difference, 3, sign=True)}, {images})"
    cost = " at equal TFLOPs" * (found.claim == RECIPE_CLAIM)
    if found.verdict.startswith("better"):
        return f"Train with the recipe {best.method}: {_NAME} is shown to be higher{cost} than with {where}."
    if found.verdict.startswith("worse"):
        return f"No recipe helps: {best.method}, the best, is shown to be worse{cost} than {where}."
    return f"No recipe is shown to be better: {best.method} leads, compared{cost} with {where}: {found.verdict}."
