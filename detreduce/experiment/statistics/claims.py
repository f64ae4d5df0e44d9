"""Pair each recipe with the controls that it is compared with, and determine what each comparison claims.

*Data claim*: all training settings and the number of images seen are equal. Only the images differ.

*Recipe claim*: the trainings cost the same (TFLOPs), and anything else may differ. The control is the best uniform
recipe on all images at this cost. This is fair, because the recipe may be the best of several recipes too.
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
_IMAGES = ("name", "subset", "stream", "images_seen", "skip_learnt", "infobatch")
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
        ``data`` if the two sides differ only in their images, ``recipe`` if they cost the same, and otherwise empty.
    note
        A text with the name of the recipe that is the control, and with the difference in cost.
    budget
        Holm's method adjusts all comparisons with the same budget together. The budget is the keep, which determines
        the number of images seen. For a comparison with the best uniform recipe, the budget is the number of a group of
        recipes with equal TFLOPs.
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

    The groups are sorted by their TFLOPs. If a group takes more TFLOPs than the previous one, by more than
    `EQUAL_COST`, it begins a new budget. Therefore groups that are compared at equal TFLOPs have the same budget, even
    if they see different numbers of images.
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
    """Return the rows of the control that has the settings of a recipe but other images, or None if there is none.

    `fits(row, own)` returns whether `row` has the images of the wanted control, for example random images. `own` is a
    row of the recipe.
    """
    if fits(group[0], group[0]):
        return None
    keep = keep_key(group[0]["keep"])
    same = [one for one in groups if keep_key(one[0]["keep"]) == keep and _same_settings(one[0], group[0])]
    found = [one for one in same if one[0]["control"] not in ON_ALL_IMAGES and fits(one[0], group[0])]
    return found[0] if found else None


def _best_uniform(group: Sequence[Row], groups: Sequence[Sequence[Row]]) -> Sequence[Row] | None:
    """Return the rows of the uniform training on all images that has the highest mean mAP at the TFLOPs of `group`.

    `group` itself is not considered, and only its seeds are used. The highest of several means is a little too high by
    chance, which favours the control.
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
    return bool(recipe) and not any(recipe.get(name) for name in ("subset", "stream", "skip_learnt", "infobatch"))


def _is_random(row: Row, ours: Row) -> bool:
    """Return whether the cell `row` is the random counterpart of the recipe `ours`.

    Its random subset has the size of the recipe's subset, and its stream is the same. If the recipe has no subset,
    return True only for the recipe's own row.
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

    This compares the settings that the trainings used, because a recipe may contain a default value. Rows of early
    versions do not record these settings. In this case, the keys of the recipes are compared.
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
