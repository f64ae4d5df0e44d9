"""Read drawn elements back from a figure."""

from __future__ import annotations

import io
import warnings

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from detreduce.figures.style import styled

HOSTILE = [
    "$x$",
    "<script>alert(1)</script>",
    "שלום עולם",
    '"quoted" & \\frac',
    "🦈",
    "a" * 300,
    "two\nlines",
    "caf\udce9",
]


def bars_of(axes: Axes, kind: int = 0) -> list[tuple[float, float]]:
    """Return the width and height of each bar of one kind."""
    return [(bar.get_width(), bar.get_height()) for bar in axes.containers[kind]]


def points_of(axes: Axes, place: int = 0) -> list[list[float]]:
    """The points of one scatter."""
    return axes.collections[place].get_offsets().tolist()  # type: ignore[union-attr]


def ticks_of(axis: object) -> list[str]:
    """The labels of an axis."""
    return [label.get_text() for label in axis.get_ticklabels()]  # type: ignore[attr-defined]


def legend_of(figure: Figure) -> list[str]:
    """The entries of all legends."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def colliding_ticks(figure: Figure) -> list[tuple[str, str]]:
    """Neighbours below an axis that touch each other when they are drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with styled():
        FigureCanvasAgg(figure).draw()
    found = []
    for axes in figure.axes:
        low, high = axes.get_xlim()
        labels = [tick.label1 for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [label.get_window_extent() for label in labels]
        found += [
            (labels[place].get_text(), labels[place + 1].get_text())
            for place in range(len(labels) - 1)
            if boxes[place].x1 + 2 > boxes[place + 1].x0
        ]
    return found


def svg_of(figure: Figure) -> str:
    """The figure as it is saved."""
    content = io.StringIO()
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(content, format="svg")
    return content.getvalue()


def takes_no_text_for_mathematics(figure: Figure) -> bool:
    """Return whether all texts show dollar signs literally."""
    texts = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert texts, "no text with a dollar sign was drawn"
    return not any(text.get_parse_math() for text in texts)
