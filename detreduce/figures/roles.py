"""How the cells of each role look in figures."""

from __future__ import annotations

from dataclasses import dataclass

from detreduce.figures.style import BLUE, INK, MUTED, ORANGE
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, Role


@dataclass(frozen=True, slots=True)
class Look:
    """The legend entry, the colour and the marker of a role."""

    name: str
    colour: str
    marker: str


LOOKS = {
    Role.FULL: Look(CONTROLS[FULL].words, INK, "s"),
    Role.EQUAL_STEPS: Look(CONTROLS[EQUAL_ITERATIONS].title, MUTED, "D"),
    Role.RANDOM: Look("random subsets", ORANGE, "^"),
    Role.METHOD: Look("chosen by a method", BLUE, "o"),
}
