"""Draw docs/results/tables.png: macro-F1 and epsilon of reduced tables, laid out as the figures of arXiv 2403.15150.

python scripts/pictures/tables.py
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from detreduce.figures.style import BLUE, COLOURS, INK, MUTED, drawn, styled

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
FILE = RESULTS / "tables.png"
MEASURES = {"mlp_f1": "macro-F1, network", "boosting_f1": "macro-F1, boosting", "epsilon": "epsilon"}
NAMED = ("srs", "clc", "mms", "prd", "facility", "phl", "fes")
"""Methods that are drawn in colour. The others are grey."""
LEAST_KEEPS = 3
Row = Mapping[str, Any]


def cells() -> list[dict[str, Any]]:
    """Return the stored cells as dicts."""
    content = json.loads((RESULTS / "tables.json").read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["cells"]]


def curve(rows: Sequence[Row], table: str, method: str, measure: str) -> dict[float, float]:
    """Return the mean of a measure for each keep, without infinite means."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if row["table"] == table and row["method"] == method:
            found.setdefault(row["keep"], []).append(float(row[measure]))
    means = {keep: sum(values) / len(values) for keep, values in sorted(found.items())}
    return {keep: value for keep, value in means.items() if math.isfinite(value)}


def picture(rows: Sequence[Row]) -> Figure:
    """Return the figure: a column for each table, a row for each measure, a line for each method over the keeps."""
    keeps = {table: {row["keep"] for row in rows if row["table"] == table} for table in {row["table"] for row in rows}}
    tables = sorted(table for table in keeps if len(keeps[table]) > LEAST_KEEPS)
    methods = sorted({row["method"] for row in rows} - {"full"}, key=lambda name: (name in NAMED, name))
    with styled():
        figure, panels = drawn(4.2 * len(tables), 8.0, len(tables), len(MEASURES), sharex=True)
        for place, axes in enumerate(panels):
            measure, table = list(MEASURES)[place // len(tables)], tables[place % len(tables)]
            for method in methods:
                points = curve(rows, table, method, measure)
                named = method in NAMED
                colour = ([*COLOURS, INK][NAMED.index(method)]) if named else MUTED
                style = {"linewidth": 1.8 if named else 0.8, "alpha": 1.0 if named else 0.6}
                axes.plot(list(points), list(points.values()), color=colour, label=method if named else None, **style)
            if measure != "epsilon":
                axes.axhline(curve(rows, table, "full", measure)[1.0], color=BLUE, linestyle=":", linewidth=1)
            if place < len(tables):
                axes.set_title(table.replace("_", " "))
            axes.set_ylabel(MEASURES[measure] if place % len(tables) == 0 else "")
            if place >= len(tables) * (len(MEASURES) - 1):
                axes.set_xlabel("kept share of the rows")
        panels[0].legend(fontsize=8, ncols=2)
    return figure


def main() -> None:
    content = io.BytesIO()
    picture(cells()).savefig(content, format="png", dpi=100, facecolor="white")
    # 64 colours are enough, and make the file four times smaller
    Image.open(content).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(FILE, optimize=True)


if __name__ == "__main__":
    main()
