"""Draw docs/results/clips.png: the gain in mAP from removing or balancing near-duplicates, if clips are unequal.

    python scripts/pictures/clips.py

The differences in mAP come from the stored results docs/results/clips_*.json. The redundancy of a dataset is computed
from the lengths of its clips: see docs/results/studies/clips.json, which scripts/studies/redundancy.py has written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from detreduce.figures.style import BLUE, INK, ORANGE, drawn, styled
from detreduce.vocabulary.controls import EQUAL_ITERATIONS
from detreduce.vocabulary.keeps import keep_in_words

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
MADE = RESULTS / "studies" / "clips.json"
MEASURE = "mAP50"
SERIES = {
    ("cleaned", False): ("near-duplicates left out", BLUE, "o", 0.87),
    ("cleaned", True): ("the same, other scenes and seeds", BLUE, "D", 1.0),
    ("balanced", False): ("clusters equally often", ORANGE, "s", 1.15),
}
"""(label, whether the scenes differ) -> name in the legend, colour, marker, and a factor for x against overlaps."""
DATASETS = {"clips_equal": "equal", "clips_zipf15": "zipf15", "clips_confirm": "zipf15_other", "clips_long": "zipf15"}
"""Name of a stored result -> name of its dataset in clips.json."""


def differences() -> Iterator[dict[str, Any]]:
    """Yield each comparison with the equal-steps control, together with the redundancy of its dataset."""
    made: Mapping[str, Any] = json.loads(MADE.read_text(encoding="utf-8"))
    for name, dataset in DATASETS.items():
        file = RESULTS / f"{name}.json"
        for item in json.loads(file.read_text(encoding="utf-8"))["comparisons"] if file.is_file() else ():
            series = item["method"], dataset.endswith("_other")
            if (item["against"], item["measure"]) == (EQUAL_ITERATIONS, MEASURE) and series in SERIES:
                clips = {part: made[dataset]["made"][part] for part in ("unevenness", "effective_images", "images")}
                yield {**item, **clips, "series": series}


def picture(items: list[dict[str, Any]]) -> Figure:
    """Return the figure, which has a panel for each number of images seen. The shortest training comes first."""
    keeps = sorted({item["keep"] for item in items})
    ticks = {
        item["unevenness"]: f"{item['unevenness']:.1f}\n({item['effective_images']:.0f})"
        for item in sorted(items, key=lambda item: item["unevenness"])
    }
    with styled():
        figure, panels = drawn(8.4, 3.4, len(keeps), sharex=True, sharey=True)
        for axes, keep in zip(panels, keeps, strict=True):
            axes.axhline(0, color=INK, linewidth=1)
            for series, (words, colour, mark, shift) in SERIES.items():
                found = [item for item in items if (item["keep"], item["series"]) == (keep, series)]
                for item in found:
                    place = shift * item["unevenness"]
                    if item["low"] is not None:
                        axes.plot([place, place], [item["low"], item["high"]], color=colour, linewidth=1.6)
                    shown = item["verdict"].startswith(("better", "worse"))
                    axes.plot(
                        place, item["difference"], mark, color=colour, markerfacecolor=colour if shown else "white"
                    )
                if any(item["series"] == series for item in items):
                    axes.plot([], [], mark, color=colour, label=words)
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xticks(list(ticks), list(ticks.values()))
            axes.set_title(f"{keep_in_words(keep)} of the images seen", fontsize=10)
            axes.set_xlabel("clusters per effective image\n(effective images of 448)")
        panels[0].set_xlim(min(ticks) / 1.5, max(ticks) * 1.5)
        panels[0].set_ylabel(f"{MEASURE} minus all images,\nequal steps")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8.5)
    return figure


def main() -> None:
    target = RESULTS / "clips.png"
    picture(list(differences())).savefig(target, dpi=140, facecolor="white", metadata={"Software": None})
    print(target)


if __name__ == "__main__":
    main()
