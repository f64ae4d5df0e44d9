"""The controls of an experiment, one row each. Every module that treats a control specially asks this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(Enum):
    """The part that a cell plays in comparisons."""

    FULL = "all images"
    """All images for all epochs, once per training seed: losses and savings are measured against it."""
    EQUAL_STEPS = "equal steps"
    """All images, with the batches and optimiser steps of a reduced cell at the same keep."""
    RANDOM = "random subset"
    """A random subset: a method must be better."""
    METHOD = "method"
    """A subset that a method chose."""


@dataclass(frozen=True, slots=True)
class Control:
    """One row of `CONTROLS`.

    Attributes
    ----------
    name
        Its key in the YAML and in ledgers.
    chooser
        The reducer that chooses its images; None: it trains on all images.
    role
        Its part in comparisons.
    title
        Its name in tables and legends.
    words
        Its name in sentences.
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
ON_ALL_IMAGES = tuple(row.name for row in CONTROLS.values() if row.chooser is None)
"""Controls that train on all images."""
RANDOM_METHODS = tuple(
    name for row in CONTROLS.values() if row.role is Role.RANDOM and row.chooser for name in (row.chooser, row.name)
)
"""Names under which cells train on random subsets; comparisons prefer the first one."""
EQUAL_STEPS_EXPLAINED = "all images, with the same number of batches and optimiser steps as a subset at that keep"


def role_of(row: Mapping[str, Any]) -> Role:
    """Return the role of a tidy row, from its control and label.

    `srs` with parameters, such as ``srs(by=classes)``, is a method to compare with random subsets.
    """
    if row["control"] in CONTROLS:
        return CONTROLS[row["control"]].role
    return Role.RANDOM if row["label"] in RANDOM_METHODS else Role.METHOD


def title_of(label: str) -> str:
    """Return the name of a method or control in tables and legends."""
    return CONTROLS[label].title if label in CONTROLS else label
