"""The controls of an experiment: trainings that the methods are compared with.

`CONTROLS` has one entry per control. Other modules take the names of the controls from `CONTROLS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(Enum):
    """The role that one cell (one training of an experiment) plays in comparisons."""

    FULL = "all images"
    """Trains on all images for all epochs, once per training seed. Losses and savings are measured against it."""
    EQUAL_STEPS = "equal steps"
    """Trains on all images, but stops after the number of optimiser steps that a training on a subset of this keep
    takes.
    """
    RANDOM = "random subset"
    """Trains on a random subset. A useful method must do better than this."""
    METHOD = "method"
    """Trains on a subset that a method chose."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control of an experiment.

    Attributes
    ----------
    name
        Key of the control in the YAML and in ledgers.
    chooser
        Name of the reducer that chooses the images. It is None if the control trains on all images.
    role
        Role of the control in comparisons.
    title
        Name of the control in tables and legends.
    words
        Name of the control within a sentence, for example ``the equal-steps control``.
    """

    name: str
    chooser: str | None
    role: Role
    title: str
    words: str


FULL, EQUAL_ITERATIONS = "full", "full_equal_iterations"
CONTROLS = {
    row.name: row
    for row in (
        Control(FULL, None, Role.FULL, "full", "all images"),
        Control(EQUAL_ITERATIONS, None, Role.EQUAL_STEPS, "equal-steps control", "the equal-steps control"),
        Control("random", "srs", Role.RANDOM, "random", "random"),
        Control("first", "first", Role.METHOD, "first", "the first images"),
    )
}
RECIPE = "recipe"
"""The method name of a recipe that trains on all images."""
ON_ALL_IMAGES = tuple(row.name for row in CONTROLS.values() if row.chooser is None)
"""Names of the controls that train on all images."""
RANDOM_METHODS = tuple(
    name for row in CONTROLS.values() if row.role is Role.RANDOM and row.chooser for name in (row.chooser, row.name)
)
"""Method names under which random subsets appear in results. If several of them are present, comparisons use the
first.
"""
DATA_CLAIM, RECIPE_CLAIM = "data", "recipe"
CLAIMS = {
    DATA_CLAIM: "all settings equal, only the images differ",
    RECIPE_CLAIM: "equal TFLOPs, the settings may differ",
}
"""Kind of claim -> the sentence that says what a comparison of this kind claims."""
RANDOM_TWIN, UNIFORM_TWIN, BEST_UNIFORM = "random_subset", "uniform_stream", "best_uniform"
RECIPE_CONTROLS = {
    RANDOM_TWIN: "random images with the same settings",
    UNIFORM_TWIN: "a uniform stream with the same settings",
    BEST_UNIFORM: "the best other uniform recipe",
}
"""Controls that are recipes themselves -> the name of the control within a sentence."""
EQUAL_STEPS_EXPLAINED = "all images, with the same number of batches and optimiser steps as a subset at that keep"


def explain_names(labels: Iterable[str]) -> list[str]:
    """Return one sentence for each label in `labels` that a new reader may not know, such as ``srs``."""
    labels = list(labels)
    found = []
    if EQUAL_ITERATIONS in labels:
        found.append(f"{title_of(EQUAL_ITERATIONS)} ({EQUAL_ITERATIONS}): {EQUAL_STEPS_EXPLAINED}.")
    if any(label.partition("(")[0] == "srs" and "by=" not in label for label in labels):
        found.append("srs: random images, with the same share of every image category (stratified random sampling).")
    if any("drop_duplicates" in label for label in labels):
        found.append("drop_duplicates: near-duplicates are left out before the method chooses.")
    return found


def is_recipe(row: Mapping[str, Any]) -> bool:
    """Return whether a cell was trained by a recipe. `row` is the cell as a dict, or its tidy row."""
    return bool(row.get("recipe"))


def is_on_all(row: Mapping[str, Any]) -> bool:
    """Return whether a cell was trained on all images, either as a control or by a recipe.

    `row` must have the key ``control``, and may have the key ``method``.
    """
    return row["control"] in ON_ALL_IMAGES or row.get("method") == RECIPE


def role_of(row: Mapping[str, Any]) -> Role:
    """Return the role of a cell, given its tidy row with the keys ``control`` and ``label``.

    The method `srs` with parameters, such as ``srs(by=classes)``, counts as a method and not as a random subset.
    """
    if row["control"] in CONTROLS:
        return CONTROLS[row["control"]].role
    return Role.RANDOM if row["label"] in RANDOM_METHODS else Role.METHOD


def title_of(label: str) -> str:
    """Return the name under which tables and legends show the method or control with this label."""
    return CONTROLS[label].title if label in CONTROLS else RECIPE_CONTROLS.get(label, label)


def words_of(reference: str) -> str:
    """Return the name of a control for use within a sentence, for example ``the equal-steps control``.

    For the label of a random subset, return ``random``.
    """
    if reference in CONTROLS:
        return CONTROLS[reference].words
    return RECIPE_CONTROLS.get(reference, "random")
