"""How all figures look: one palette that the colour-blind can read, told apart by shape as well."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1b1f24", "#69707a", "#d4d8de"
# Okabe and Ito's palette, which the colour-blind can tell apart
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
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    # class names may hold a dollar sign
    "text.parse_math": False,
    # text stays text: searchable, read aloud, in any script
    "svg.fonttype": "none",
    "svg.hashsalt": "detreduce",
}


def drawn(width: float, height: float, columns: int = 1, rows: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """An empty figure of `width` x `height` inches in the common style, and its axes row by row.

    Made without pyplot, so that no window opens and nothing is kept.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
        for each in axes.flat:
            each.grid(True)
    return figure, list(axes.flat)


def styled() -> Any:
    """A context in which matplotlib draws and saves in the common style."""
    return matplotlib.rc_context(SETTINGS)
