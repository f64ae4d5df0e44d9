"""A figure of accuracy against cost in which each point has its name next to it, if there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.text import Text

from detreduce.display.numbers import fixed, significant
from detreduce.figures.cost import plain_ticks
from detreduce.figures.roles import LOOKS
from detreduce.figures.style import GREEN, MUTED, Figure, drawn, short, start_at_zero, styled
from detreduce.vocabulary.controls import Role

LONGEST = 30
"""Largest number of characters of a name in the figure. The middle of a longer name is cut out."""
GAP = 7.0
"""Distance between a point and its name, in points (1/72 inch)."""
RING = 11.0
"""The same distance for the chosen point, around which there is a ring."""
MARK = 5.0
"""Half the side of the square around a point that no name may cover, in points."""
LINE = 12.0
"""Height of a line of text, in points."""
PLACES = tuple((side, lines) for lines in (0, 1, -1, 2, -2, 3, -3, 4, -4) for side in (1, -1))
"""Possible positions of a name, as (side of the point, number of lines above the point). The first free one is used."""


LEADER = {"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 4}
"""Style of the line that connects a point with a name that is not directly next to it."""


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A point of the figure: one way to train.

    Attributes
    ----------
    name
        The name.
    cost, value
        The position: cost along the horizontal axis, accuracy along the vertical axis.
    spread
        Standard deviation of the accuracy, drawn as a vertical line. It is NaN if it is not known.
    role
        Role of the training in comparisons. The role determines the colour and the marker.
    chosen
        Whether the point has a ring around it. A ring shows that the page with the figure recommends or describes this
        point.
    """

    name: str
    cost: float
    value: float
    spread: float
    role: Role
    chosen: bool = False


def named_points(
    points: Sequence[NamedPoint], axes: tuple[str, str], size: tuple[float, float] = (7.2, 4.2)
) -> tuple[Figure, int]:
    """Draw points with their names. Return the figure, and the number of points whose name did not fit.

    `axes` contains the labels of the horizontal and the vertical axis. `size` is the width and the height of the figure
    in inches. Earlier points get their names first. A name that does not fit is shown as a tooltip.
    """
    with styled():
        figure, (frame,) = drawn(*size)
        for role, look in LOOKS.items():
            own = [point for point in points if point.role is role]
            for number, point in enumerate(own):
                if math.isfinite(point.spread) and point.spread > 0:
                    ends = [point.value - point.spread, point.value + point.spread]
                    frame.plot([point.cost] * 2, ends, color=look.colour, linewidth=1.2, alpha=0.45)
                mark = frame.scatter(
                    [point.cost], [point.value], s=44, c=look.colour, marker=look.marker, zorder=3, clip_on=False
                )
                mark.set_gid(f"title:{point.name}: {fixed(point.value, 3)} at {significant(point.cost)}")
                if number == 0:
                    mark.set_label(look.name)
                if point.chosen:
                    frame.scatter(
                        [point.cost],
                        [point.value],
                        s=190,
                        facecolors="none",
                        edgecolors=GREEN,
                        linewidths=2,
                        zorder=4,
                        clip_on=False,
                    )
        frame.margins(x=0.14, y=0.14)
        start_at_zero(frame)
        costs = [point.cost for point in points]
        if min(costs, default=0.0) > 0 and max(costs) > 3 * min(costs):
            frame.set_xscale("log")
            plain_ticks(frame.xaxis, min(costs), max(costs))
        frame.set_xlabel(axes[0])
        frame.set_ylabel(axes[1])
        figure.legend(loc="outside upper left", ncols=2 if size[0] < 5 else 4, fontsize=8.5)
        nameless = _name(figure, frame, points)
    return figure, nameless


def _name(figure: Figure, frame: Any, points: Sequence[NamedPoint]) -> int:
    """Write each name at a position where it covers no point and no other name. Return how many names did not fit."""
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    marks = frame.transData.transform([(point.cost, point.value) for point in points]).reshape(-1, 2) if points else []
    # x0, y0, x1, y1 of the squares around the points, and later of the names too
    taken = np.array([[x - MARK * scale, y - MARK * scale, x + MARK * scale, y + MARK * scale] for x, y in marks])
    left_out = 0
    for number, (point, (x, y)) in enumerate(zip(points, marks, strict=True)):
        width, height = _measure_name(frame, point)
        others = np.delete(taken, number, axis=0)
        for side, lines in PLACES:
            edge = x + _offset(point, lines) * side * scale
            middle = y + LINE * lines * scale
            left = edge if side > 0 else edge - width
            box = np.array([left - 1, middle - height / 2 - 1, left + width + 1, middle + height / 2 + 1])
            within = frame.bbox.contains(*box[:2]) and frame.bbox.contains(*box[2:])
            if within and not ((box[:2] <= others[:, 2:]) & (others[:, :2] <= box[2:])).all(axis=1).any():
                _write_name(frame, point, side, lines)
                taken = np.vstack([taken, box])
                break
        else:
            left_out += 1
    return left_out


def _offset(point: NamedPoint, lines: int) -> float:
    """Return the horizontal distance between a point and its name, in points.

    `lines` is how far the name is above the point, in lines of text.
    """
    return (RING if point.chosen else GAP) + (GAP if lines else 0)


def _measure_name(frame: Any, point: NamedPoint) -> tuple[float, float]:
    """Return the width and the height of a name in pixels."""
    text = _write_name(frame, point, *PLACES[0])
    box = Text.get_window_extent(text)
    text.remove()
    return box.width, box.height


def _write_name(frame: Any, point: NamedPoint, side: int, lines: int) -> Any:
    """Write the name of a point at one side of it, `lines` lines above it, and return the text object.

    If the name is not directly next to the point, a thin line connects them.
    """
    colour = GREEN if point.chosen else MUTED
    return frame.annotate(
        cut_in_the_middle(point.name, LONGEST),
        (point.cost, point.value),
        (_offset(point, lines) * side, LINE * lines),
        textcoords="offset points",
        fontsize=8.5,
        fontweight="bold" if point.chosen else "normal",
        color=colour,
        ha="left" if side > 0 else "right",
        va="center",
        arrowprops={**LEADER, "color": colour} if lines else None,
        in_layout=False,
    )


def cut_in_the_middle(name: object, longest: int) -> str:
    """Return a name on one line with at most `longest` characters. In a longer name, ``…`` replaces the middle."""
    text = short(name, 10**4)
    if len(text) <= longest:
        return text
    last = longest // 2
    return f"{text[: longest - last - 1]}…{text[-last:]}"
