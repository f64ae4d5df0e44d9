"""Draw a wide picture for the documentation: all points, and the tenth of them that each of three methods keeps.

python scripts/pictures/opening.py [--output docs/opening.png]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from methods import PICTURES, STYLES, Example, example, picks

SHOWN = (
    ("srs", "srs: a random tenth"),
    ("herding", "herding: typical objects"),
    ("class_coverage", "class_coverage: rich in boxes"),
)
WIDE, HIGH, DPI = 9.6, 2.75, 150


def opening(points: Example) -> Figure:
    """Return a figure with a panel for all points, and a panel for the points that each method keeps."""
    figure = Figure(figsize=(WIDE, HIGH), dpi=DPI, facecolor="white", layout="constrained")
    panels = figure.subplots(1, 1 + len(SHOWN), sharex=True, sharey=True)
    everything = np.arange(len(points.X))
    kept = [everything, *(picks(name, points) for name, _ in SHOWN)]
    titles = [f"all {len(everything)} images, three categories", *(title for _, title in SHOWN)]
    for axes, title, rows in zip(panels, titles, kept, strict=True):
        axes.set_title(title, fontsize=8)
        axes.set(xticks=[], yticks=[], aspect="equal")
        for category, (colour, marker) in enumerate(STYLES):
            mine = points.X[points.categories == category]
            axes.scatter(mine[:, 0], mine[:, 1], s=5, c=colour, marker=marker, linewidths=0, alpha=0.35)
            if len(rows) < len(everything):
                chosen = points.X[rows[points.categories[rows] == category]]
                axes.scatter(chosen[:, 0], chosen[:, 1], s=26, c=colour, marker=marker, ec="black", lw=0.7)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=PICTURES.parent / "opening.png", help="the PNG to write")
    options = parser.parse_args(arguments)
    opening(example()).savefig(options.output, metadata={"Software": None})
    print(options.output)


if __name__ == "__main__":
    main()
