"""Draw docs/results/NAME.png from NAME.json: python scripts/pictures/results.py [NAME ...].

If there are few methods, the picture shows mAP50 against computation. If there are many, the picture has a row for each
method, which compares it with a random subset.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from detreduce.errors import nearest
from detreduce.figures import trade_off
from detreduce.figures.roles import LOOKS
from detreduce.figures.style import drawn, short, styled
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, RANDOM_METHODS, Role, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
MEASURE = "mAP50"
# with more methods, the marks and names would overlap in a plot against computation
FEW = 8
RANDOM = RANDOM_METHODS[0]
METHOD = LOOKS[Role.METHOD]

Row = Mapping[str, Any]


def picture(rows: Sequence[Row]) -> Figure:
    """Return the picture that suits the number of methods. It shows every configuration in `rows`."""
    methods = {row["label"] for row in rows if row["control"] is None}
    figure = trade_off(rows, "TFLOPs", MEASURE) if len(methods) <= FEW else method_rows(rows)
    if figure is None:
        raise SystemExit(f"No cell has both TFLOPs and {MEASURE}.")
    return figure


def method_rows(rows: Sequence[Row]) -> Figure:
    """Return a figure with a panel for each keep, and a row for each method in the order of their gain.

    A row shows the mean and the single trainings. `srs` and the equal-steps control are vertical lines, with their
    standard deviation as a band. The title of the panel shows the mean with all images.
    """
    groups: dict[str, dict[str, list[float]]] = {}
    keep_of_key = {keep_key(row["keep"]): row["keep"] for row in rows}
    full = []
    for row in rows:
        if row["control"] == FULL:
            full.append(float(row[MEASURE]))
        else:
            groups.setdefault(keep_key(row["keep"]), {}).setdefault(row["label"], []).append(float(row[MEASURE]))
    keeps = sorted(groups, key=lambda key: keep_of_key[key], reverse=True)
    order = _by_gain(list(groups.values()))
    with styled():
        figure, panels = drawn(8.4, 1.3 + 0.25 * len(order), len(keeps), sharey=True)
        for axes, keep in zip(panels, keeps, strict=True):
            _panel(axes, groups[keep], order)
            whole = f"; all images: {np.mean(full):.3f}" if full else ""
            axes.set_title(f"keep {keep_in_words(keep_of_key[keep])}{whole}", fontsize=10)
            axes.set_xlabel(MEASURE)
        panels[0].set_yticks(range(len(order)), [short(label) for label in order], parse_math=False)
        panels[0].set_ylim(len(order) - 0.4, -0.6)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, fontsize=8.5)
    return figure


def _by_gain(panels: Sequence[Mapping[str, Sequence[float]]]) -> list[str]:
    """Return the labels that get a row, those with the largest mean gain over `srs` first.

    Without `srs`, the labels are ordered by their mean mAP.
    """
    gains: dict[str, list[float]] = {}
    for panel in panels:
        random = np.mean(panel[RANDOM]) if RANDOM in panel else 0.0
        for label in panel.keys() - {RANDOM, EQUAL_ITERATIONS}:
            gains.setdefault(label, []).append(float(np.mean(panel[label]) - random))
    return sorted(gains, key=lambda label: (-np.mean(gains[label]), label))


def _panel(axes: Axes, panel: Mapping[str, Sequence[float]], order: Sequence[str]) -> None:
    for label, role, dashes in ((EQUAL_ITERATIONS, Role.EQUAL_STEPS, "--"), (RANDOM, Role.RANDOM, "-")):
        if label not in panel:
            continue
        values, shown, colour = panel[label], title_of(label), LOOKS[role].colour
        mean = float(np.mean(values))
        axes.axvline(mean, color=colour, linestyle=dashes, linewidth=1.6, label=f"{shown}: mean", gid=label)
        if len(values) > 1:
            spread = float(np.std(values, ddof=1))
            name = f"{shown}: ± standard deviation"
            axes.axvspan(mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0, label=name)
    for what, size, filled in (("one training", 16, False), ("mean", 40, True)):
        points = [
            (value, place)
            for place, label in enumerate(order)
            if label in panel
            for value in ([float(np.mean(panel[label]))] if filled else panel[label])
        ]
        x, y = np.transpose(points)
        face = METHOD.colour if filled else "none"
        marks = axes.scatter(x, y, s=size, facecolors=face, edgecolors=METHOD.colour, label=what, zorder=3)
        marks.set_gid(what)
    axes.tick_params(axis="y", length=0)


def file_of(name: str) -> Path:
    """Return the JSON file for a name in docs/results, or for a path. Exit with a message if it does not exist."""
    known = sorted(file.stem for file in RESULTS.glob("*.json"))
    file = Path(name) if name.endswith(".json") else RESULTS / f"{name}.json"
    if not file.is_file():
        raise SystemExit(f"{file} is not there.{nearest(file.stem, known)} There are: {', '.join(known)}.")
    return file


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the pictures of the named results, or of all stored results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="in docs/results, or a path to a .json; default: all")
    names = parser.parse_args(arguments).names
    for file in [file_of(name) for name in names] or sorted(RESULTS.glob("*.json")):
        rows = json.loads(file.read_text(encoding="utf-8"))["cells"]
        target = file.with_suffix(".png")
        picture(rows).savefig(target, dpi=140, facecolor="white", metadata={"Software": None})
        print(target)


if __name__ == "__main__":
    main()
