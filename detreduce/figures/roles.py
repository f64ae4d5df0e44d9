"""The look of points in figures. It shows the role of a training, for example a training on a random subset."""

from __future__ import annotations

from dataclasses import dataclass

from detreduce.figures.style import BLUE, INK, MUTED, ORANGE
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, Role


@dataclass(frozen=True, slots=True)
class Look:
    """The look of the points of one role, for example of all trainings on random subsets.

    Attributes
    ----------
    name
        The entry in the legend.
    colour, marker
        The colour and the marker of the points.
    """

    name: str
    colour: str
    marker: str


LOOKS = {
    Role.FULL: Look(CONTROLS[FULL].words, INK, "s"),
    Role.EQUAL_STEPS: Look(CONTROLS[EQUAL_ITERATIONS].title, MUTED, "D"),
    Role.RANDOM: Look("random subsets", ORANGE, "^"),
    Role.METHOD: Look("subset or recipe", BLUE, "o"),
}
