"""The common style of all figures. Its colours can be distinguished by colour-blind readers."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib
import matplotlib.figure
from matplotlib.axes import Axes

from detreduce.display.terminal_text import visible_lines

INK, MUTED, GRID = "#1b1f24", "#69707a", "#d4d8de"
# the palette of Okabe and Ito, which colour-blind readers can distinguish
BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#56b4e9", "#e69f00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)

SETTINGS: Any = {
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    # white, because a notebook may have a dark background; saved figures have no background of their own
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    # class names may contain a dollar sign
    "text.parse_math": False,
    # keep text as text, so that it can be searched, read by screen readers and shown in any script
    "svg.fonttype": "none",
    "svg.hashsalt": "detreduce",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that a notebook shows exactly once, whether or not the notebook imports pyplot.

    If pyplot is imported, IPython knows how to show figures. Otherwise IPython calls `_repr_png_`.
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with warnings.catch_warnings():
            # the font has no emoji, so an emoji in a name is drawn as a box
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            self.savefig(content, format="png", facecolor=self.get_facecolor())
        return content.getvalue()


def short(name: object, longest: int = 80) -> str:
    """Return a name on one line of at most `longest` characters, with visible codes for invisible characters."""
    text = " ".join(visible_lines(name).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def drawn(width: float, height: float, columns: int = 1, rows: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of `width` x `height` inches in the common style, and a list of its axes, row by row.

    The figure is created without pyplot, so no window opens and the figure does not stay in memory.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
        for each in axes.flat:
            each.grid(True)
    return figure, list(axes.flat)


def start_at_zero(axes: Axes) -> None:
    """If the vertical axis starts below 0, let it start at 0. Values such as mAP are never negative."""
    if axes.get_ylim()[0] < 0:
        axes.set_ylim(bottom=0)


def styled() -> Any:
    """Return a context manager in which matplotlib draws and saves figures in the common style."""
    return matplotlib.rc_context(SETTINGS)
