"""The figure that compares methods with a reference: each difference with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from matplotlib.ticker import MaxNLocator

from detreduce.figures.style import GREEN, INK, MUTED, ORANGE, Figure, drawn, short, styled
from detreduce.vocabulary.controls import title_of
from detreduce.vocabulary.keeps import keep_in_words

LONGEST_NAME = 60
ROOM = 24
"""Number of characters of a label that fit into a figure of normal width. Longer labels make the figure wider."""


class Difference(Protocol):
    """A comparison that can be drawn, such as `detreduce.experiment.statistics.comparison.Comparison`."""

    @property
    def method(self) -> str:
        """The name of the method, followed by its parameters."""

    @property
    def keep(self) -> float | int:
        """The fraction or the number of images that the method kept."""

    @property
    def difference(self) -> float:
        """The mean difference: the method minus the reference."""

    @property
    def low(self) -> float | None:
        """The lower end of the interval, or None if there is no interval."""

    @property
    def high(self) -> float | None:
        """The upper end of the interval, or None if there is no interval."""

    @property
    def verdict(self) -> str:
        """The verdict in words, such as ``better than random``."""


def difference_intervals(comparisons: Sequence[Difference], axis: str) -> Figure:
    """Draw one line per method and keep: a mark at the difference, and a bar for its interval.

    `axis` is the label of the axis. A green triangle that points up means that the method is better than the reference.
    An orange triangle that points down means that it is worse. A grey circle means that no difference is shown.
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
        # long names leave little room for the numbers on the axis
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    return figure
