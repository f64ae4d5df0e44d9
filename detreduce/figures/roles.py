"""What a row of a comparison is drawn as: all images, chance, or a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.figures.style import BLUE, INK, MUTED, ORANGE
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS


@dataclass(frozen=True, slots=True)
class Role:
    """How the cells of one kind look, and what they are called."""

    name: str
    colour: str
    marker: str


FULL = Role("all images", INK, "s")
EQUAL = Role(EQUAL_STEPS, MUTED, "D")
CHANCE = Role("random subsets", ORANGE, "^")
METHOD = Role("chosen by a method", BLUE, "o")
ROLES = (FULL, EQUAL, CHANCE, METHOD)


def role_of(row: Mapping[str, Any]) -> Role:
    """The role of a tidy row, by its control and method."""
    if row["control"] == "full":
        return FULL
    if row["control"] == EQUAL_ITERATIONS:
        return EQUAL
    # other parameters of srs, such as by=classes, are methods to be compared with it
    return CHANCE if row["label"] in ("srs", "random") else METHOD


def keep_in_words(keep: float | int) -> str:
    """``25 %`` of a fraction, ``500 images`` of a count."""
    return f"{keep * 100:.4g} %" if isinstance(keep, float) else f"{keep} images"
