"""How all figures look: one palette that the colour-blind can read, told apart by shape as well."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib
import matplotlib.figure
from matplotlib.axes import Axes

from detreduce.display.terminal_text import visible_lines

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
    # a notebook's page may be dark; what is saved in this style lies on the page's own ground
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    # class names may hold a dollar sign
    "text.parse_math": False,
    # text stays text: searchable, read aloud, in any script
    "svg.fonttype": "none",
    "svg.hashsalt": "detreduce",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that a notebook shows as the value of a cell, once, whether or not pyplot was ever imported.

    Without pyplot nobody tells IPython how a Figure is shown; with it, that comes first, and this is not asked.
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with warnings.catch_warnings():
            # an emoji in a name becomes a box, and nobody can help it here
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            self.savefig(content, format="png", facecolor=self.get_facecolor())
        return content.getvalue()


def short(name: object, longest: int = 80) -> str:
    """A name as it fits beside an axis: one line, cut where it is long, what no font can draw as codes."""
    text = " ".join(visible_lines(name).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


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
