"""The controls of an experiment: trainings that methods are compared with.

`CONTROLS` has one entry per control. Other modules read the names of the controls from `CONTROLS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(Enum):
    """The role of an experiment cell (one training) in comparisons."""

    FULL = "all images"
    """Training on all images for all epochs, once per training seed. The reference for losses and savings."""
    EQUAL_STEPS = "equal steps"
    """Training on all images, with the same number of optimiser steps as the training on a subset at the same keep."""
    RANDOM = "random subset"
    """Training on a random subset. A useful method must give better results."""
    METHOD = "method"
    """Training on a subset that a method chose."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control of an experiment.

    Attributes
    ----------
    name
        Key of the control in the YAML and in ledgers.
    chooser
        Name of the reducer that chooses the images. None if the control trains on all images.
    role
        Role of the control in comparisons.
    title
        Name of the control in tables and legends.
    words
        Name of the control in sentences.
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
"""Name of the method of a recipe that trains on all images."""
ON_ALL_IMAGES = tuple(row.name for row in CONTROLS.values() if row.chooser is None)
"""Controls that train on all images."""
RANDOM_METHODS = tuple(
    name for row in CONTROLS.values() if row.role is Role.RANDOM and row.chooser for name in (row.chooser, row.name)
)
"""Names of cells that train on random subsets. Comparisons use the first name that is present."""
DATA_CLAIM, RECIPE_CLAIM = "data", "recipe"
CLAIMS = {
    DATA_CLAIM: "all settings equal, only the images differ",
    RECIPE_CLAIM: "equal TFLOPs, the settings may differ",
}
"""What a comparison claims -> the claim in words."""
RANDOM_TWIN, UNIFORM_TWIN, BEST_UNIFORM = "random_subset", "uniform_stream", "best_uniform"
RECIPE_CONTROLS = {
    RANDOM_TWIN: "random images with the same settings",
    UNIFORM_TWIN: "a uniform stream with the same settings",
    BEST_UNIFORM: "the best other uniform recipe",
}
"""Controls of a recipe that are recipes themselves -> their name in sentences."""
EQUAL_STEPS_EXPLAINED = "all images, with the same number of batches and optimiser steps as a subset at that keep"


def explain_names(labels: Iterable[str]) -> list[str]:
    """Return a sentence that explains each label in a table that a new reader may not know."""
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
    """Return whether a cell or its row was trained by a recipe."""
    return bool(row.get("recipe"))


def is_on_all(row: Mapping[str, Any]) -> bool:
    """Return whether a cell (``control``, ``method``) trains on all images, as a control or by a recipe."""
    return row["control"] in ON_ALL_IMAGES or row.get("method") == RECIPE


def role_of(row: Mapping[str, Any]) -> Role:
    """Return the role of a cell from its row in the tidy table (columns ``control`` and ``label``).

    `srs` with parameters, such as ``srs(by=classes)``, counts as a method and not as a random subset.
    """
    if row["control"] in CONTROLS:
        return CONTROLS[row["control"]].role
    return Role.RANDOM if row["label"] in RANDOM_METHODS else Role.METHOD


def title_of(label: str) -> str:
    """Return the name to show for a method or control in tables and legends."""
    return CONTROLS[label].title if label in CONTROLS else RECIPE_CONTROLS.get(label, label)


def words_of(reference: str) -> str:
    """Return the name of a reference in sentences. Labels of random subsets become ``random``."""
    if reference in CONTROLS:
        return CONTROLS[reference].words
    return RECIPE_CONTROLS.get(reference, "random")
