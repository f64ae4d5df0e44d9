"""Pair each recipe with the controls that it is compared with, and determine what each comparison claims.

*Data claim*: all training settings and the number of images seen are equal. Only the images differ. *Recipe claim*: the
trainings cost the same (TFLOPs), and anything may differ. The control is then the best uniform recipe on all images at
this cost, because it was chosen with the same freedom as the recipe.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detreduce.experiment.statistics.break_even import choosing_wh
from detreduce.experiment.statistics.pairs import Row
from detreduce.vocabulary.controls import (
    BEST_UNIFORM,
    DATA_CLAIM,
    EQUAL_ITERATIONS,
    ON_ALL_IMAGES,
    RANDOM_METHODS,
    RANDOM_TWIN,
    RECIPE_CLAIM,
    UNIFORM_TWIN,
    is_recipe,
)
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import MAIN_ACCURACY

EQUAL_COST = 0.02
"""Trainings count as equally expensive if their TFLOPs differ by at most this share."""
_IMAGES = ("name", "subset", "stream", "images_seen", "skip_learnt")
"""Keys of a recipe that determine which images a training sees, and how many. All other keys are settings."""


@dataclass(frozen=True)
class Claim:
    """The two sides of a comparison, and what the comparison claims.

    Attributes
    ----------
    ours, theirs
        The rows of a recipe, and the rows of its control.
    against
        The name of the control.
    claim
        ``data``, ``recipe``, or empty if the two sides neither have equal settings nor cost the same.
    note
        Says which recipe the control is, and by how much the costs differ.
    budget
        Comparisons with different budgets are adjusted separately by Holm's method. The budget is the keep, which
        determines the number of images seen. For the best uniform recipe, it is the number of a group of recipes with
        equal TFLOPs.
    """

    ours: Sequence[Row]
    theirs: Sequence[Row]
    against: str
    claim: str
    note: str
    budget: str

    @property
    def verdict(self) -> str:
        """The verdict if the two sides may not be compared. Otherwise it is empty."""
        return "" if self.claim else f"not compared: {self.note}"


def claims_of(rows: Sequence[Row]) -> Iterator[Claim]:
    """Yield every comparison of a recipe with a control.

    A recipe is compared with the equal-steps control for the same number of images seen. It is also compared with
    random images and with a uniform stream, both trained with the settings of the recipe. The last control is the best
    other uniform recipe with equal TFLOPs.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    every = list(groups.values())
    cost_of = _budgets(every)
    ordered = sorted((group for group in every if is_recipe(group[0])), key=lambda group: -_mean(group, "images_seen"))
    for group in ordered:
        if (control := _control(group, every)) is not None:
            yield make_claim(group, control, EQUAL_ITERATIONS)
        for against, fits in ((RANDOM_TWIN, _is_random), (UNIFORM_TWIN, _is_uniform)):
            twin = _twin(group, every, fits)
            if twin is not None:
                yield make_claim(group, twin, against)
        if (best := _best_uniform(group, every)) is not None:
            yield replace(make_claim(group, best, BEST_UNIFORM), budget=f"equal TFLOPs {cost_of[group[0]['key']]}")


def tflops_differ_by(ours: Sequence[Row], theirs: Sequence[Row]) -> float:
    """Return (TFLOPs of `ours`) / (TFLOPs of `theirs`) - 1, or NaN if a value is not known."""
    reference = _mean(theirs, "TFLOPs")
    return _mean(ours, "TFLOPs") / reference - 1 if reference else math.nan


def make_claim(ours: Sequence[Row], theirs: Sequence[Row], against: str) -> Claim:
    """Create the comparison of the rows of a recipe (`ours`) with the rows of the control named `against`
    (`theirs`).
    """
    difference = tflops_differ_by(ours, theirs)
    same = _same_settings(ours[0], theirs[0]) and _seen(ours) == _seen(theirs)
    claim = DATA_CLAIM if same and against != BEST_UNIFORM else RECIPE_CLAIM if abs(difference) <= EQUAL_COST else ""
    notes = []
    if against in (BEST_UNIFORM, UNIFORM_TWIN, RANDOM_TWIN):
        notes.append(f"the control is {theirs[0]['label']}")
    if claim != DATA_CLAIM:
        cost = "TFLOPs are not known" if math.isnan(difference) else f"TFLOPs {difference:+.0%}"
        notes.append(cost if abs(difference) > EQUAL_COST or math.isnan(difference) else "equal TFLOPs")
        alone = [row for row in (*ours, *theirs) if not row.get("overlapped")]
        if claim and len(alone) == len(ours) + len(theirs) and not math.isnan(wh := _wh_differ_by(ours, theirs)):
            notes.append(f"Wh {wh:+.0%}")
    return Claim(ours, theirs, against, claim, ", ".join(notes), keep_key(ours[0]["keep"]))


def _budgets(groups: Sequence[Sequence[Row]]) -> dict[str, int]:
    """Assign the groups to budgets by their TFLOPs. Return key of the first row of a group -> number of its budget.

    Number 0 contains the cheapest groups. A group begins a new budget if it takes more TFLOPs than the next cheaper
    group, by more than `EQUAL_COST`. Therefore groups that are compared at equal TFLOPs have the same budget, even if
    they see different numbers of images.
    """
    costs = sorted((cost, group[0]["key"]) for group in groups if not math.isnan(cost := _mean(group, "TFLOPs")))
    found, number = dict[str, int](), 0
    for place, (cost, key) in enumerate(costs):
        number += place > 0 and cost * (1 - EQUAL_COST) > costs[place - 1][0]
        found[key] = number
    return found


def _control(group: Sequence[Row], groups: Sequence[Sequence[Row]]) -> Sequence[Row] | None:
    """Return the rows of the equal-steps control that sees the same number of images as a recipe, or None."""
    keep = keep_key(group[0]["keep"])
    found = [one for one in groups if one[0]["control"] == EQUAL_ITERATIONS and keep_key(one[0]["keep"]) == keep]
    return found[0] if found else None


def _twin(group: Sequence[Row], groups: Sequence[Sequence[Row]], fits: Any) -> Sequence[Row] | None:
    """Return the rows that differ from a recipe only in their images, or None if there are none.

    `fits` is a function of two rows. It returns whether the first row has the images of the wanted control.
    """
    if fits(group[0], group[0]):
        return None
    keep = keep_key(group[0]["keep"])
    same = [one for one in groups if keep_key(one[0]["keep"]) == keep and _same_settings(one[0], group[0])]
    found = [one for one in same if one[0]["control"] not in ON_ALL_IMAGES and fits(one[0], group[0])]
    return found[0] if found else None


def _best_uniform(group: Sequence[Row], groups: Sequence[Sequence[Row]]) -> Sequence[Row] | None:
    """Return the uniform training on all images with the highest mean mAP at the TFLOPs of `group`, except `group`
    itself.

    Only the seeds of `group` are used. The highest of several means is a little too high by chance, which favours the
    control.
    """
    seeds = {row["training_seed"] for row in group}
    found = []
    for one in groups:
        uniform = one[0]["control"] in ON_ALL_IMAGES or (is_recipe(one[0]) and _is_uniform(one[0], group[0]))
        known = [row for row in one if row["training_seed"] in seeds and row.get(MAIN_ACCURACY) is not None]
        if one is not group and uniform and known and abs(tflops_differ_by(group, one)) <= EQUAL_COST:
            found.append((_mean(known, MAIN_ACCURACY), one))
    return max(found, key=lambda item: item[0])[1] if found else None


def _is_uniform(row: Row, _: Row) -> bool:
    """Return whether a recipe trains on all images and uses each image equally often."""
    recipe: Mapping[str, Any] = row.get("recipe") or {}
    return bool(recipe) and not any(recipe.get(name) for name in ("subset", "stream", "skip_learnt"))


def _is_random(row: Row, ours: Row) -> bool:
    """Return whether a cell trains on a random subset of the same size as a recipe's subset, in the same stream.

    `row` is the cell, and `ours` is the recipe. A recipe without a subset has no random counterpart, so the result is
    then True only for its own row.
    """
    other = ours["recipe"].get("subset")
    if not other:
        return row is ours
    recipe: Mapping[str, Any] = row.get("recipe") or {}
    subset = (recipe.get("subset") or {}) if recipe else {"name": row["method"], "keep": row["keep"]}
    if subset.get("name") not in RANDOM_METHODS or recipe.get("stream") != ours["recipe"].get("stream"):
        return False
    return keep_key(subset["keep"]) == keep_key(other["keep"])


def _same_settings(one: Row, other: Row) -> bool:
    """Return whether two cells trained with the same settings.

    The settings that the trainings actually used are compared, because a recipe may spell out a default. Rows of early
    versions do not contain them, so the keys of the recipes are compared instead.
    """
    used = one.get("settings_hash"), other.get("settings_hash")
    return used[0] == used[1] if None not in used else _settings(one) == _settings(other)


def _settings(row: Row) -> str:
    """Return the settings in the recipe of a cell as text. Cells without a recipe have the settings of the
    experiment.
    """
    recipe: Mapping[str, Any] = row.get("recipe") or {}
    return json.dumps({name: value for name, value in recipe.items() if name not in _IMAGES}, sort_keys=True)


def _seen(rows: Sequence[Row]) -> set[Any]:
    return {row.get("images_seen") for row in rows}


def _wh_differ_by(ours: Sequence[Row], theirs: Sequence[Row]) -> float:
    """Return (Wh of `ours`) / (Wh of `theirs`) - 1, including choosing, or NaN if a value is not known."""
    mine, other = (_mean(side, "Wh") + _number(choosing_wh(side)) for side in (ours, theirs))
    return mine / other - 1 if other else math.nan


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(rows: Sequence[Row], name: str) -> float:
    """Return the mean of a column, or NaN if a value is missing."""
    values = [row.get(name) for row in rows]
    return math.fsum(map(float, values)) / len(values) if values and None not in values else math.nan  # type: ignore[arg-type]
