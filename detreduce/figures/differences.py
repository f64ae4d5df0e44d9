"""Differences of each method to a reference, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from matplotlib.ticker import MaxNLocator

from detreduce.figures.style import GREEN, INK, MUTED, ORANGE, Figure, drawn, short, styled
from detreduce.vocabulary.controls import title_of
from detreduce.vocabulary.keeps import keep_in_words

LONGEST_NAME = 60
ROOM = 24
"""Characters of a name that fit a figure of common width."""


class Difference(Protocol):
    """A comparison to draw, such as `detreduce.experiment.statistics.comparison.Comparison`."""

    @property
    def method(self) -> str:
        """The method's label."""

    @property
    def keep(self) -> float | int:
        """Keep of the method."""

    @property
    def difference(self) -> float:
        """Mean difference."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""

    @property
    def verdict(self) -> str:
        """Verdict in words."""


def difference_intervals(comparisons: Sequence[Difference], axis: str) -> Figure:
    """Draw a row for each method and keep: the difference as a point, its interval as a line, the verdict as a shape.

    `axis` is the label of the axis. A green triangle up is better, an orange triangle down is worse, and a grey circle
    is no difference shown.
    """
    labels = [f"{short(title_of(item.method), LONGEST_NAME)}  {keep_in_words(item.keep)}" for item in comparisons]
    longest = max(map(len, labels), default=0)
    with styled():
        figure, (axes,) = drawn(7.2 + 0.07 * max(0, longest - ROOM), 0.8 + 0.24 * max(1, len(comparisons)))
        for place, item in enumerate(comparisons):
            better, worse = item.verdict.startswith("better"), item.verdict.startswith("worse")
            colour = GREEN if better else ORANGE if worse else MUTED
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            axes.scatter(
                [item.difference], [place], s=34, color=colour, marker="^" if better else "v" if worse else "o"
            )
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(comparisons)), labels, parse_math=False)
        axes.set_ylim(len(comparisons) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        axes.set_xlabel(axis)
        # long names leave little room for the numbers of the axis
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    return figure
