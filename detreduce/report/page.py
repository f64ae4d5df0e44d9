"""The page of a report: templates filled with what was gathered; every name is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from detreduce.display.numbers import change, significant, with_spread
from detreduce.display.terminal_text import visible, visible_lines
from detreduce.experiment.outcome import Outcome
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.figures.roles import keep_in_words
from detreduce.report.class_colours import Looks
from detreduce.report.headline import MEASURE
from detreduce.report.pictures import Album, Picture
from detreduce.report.selections import FeatureMap, SelectionView
from detreduce.version import __version__
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS, FULL

MAP_SIDES = (640, 440)
MAP_MARGIN = 14


def render(*, chosen: Any, outcome: Outcome, **content: Any) -> str:
    """Fill the page."""
    environment = Environment(
        loader=PackageLoader("detreduce.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        keep=keep_in_words,
        safe_svg=Markup,
        significant=significant,
        apart=_apart,
        breakable=_breakable,
        in_words=_in_words,
    )
    environment.globals.update(
        thumbnail=_thumbnail(environment), outlines=partial(outlines, looks=chosen.looks), version=__version__
    )
    folder = files("detreduce.report") / "templates"
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    rows: list[dict[str, Any]] = [
        {"cells": table_cells(outcome, item), "control": item.is_control} for item in outcome.summaries
    ]
    return environment.get_template("report.html.j2").render(
        style=Markup(style),
        script=Markup(script),
        rows=rows,
        # a column that nothing is in says nothing
        columns=[column for column in COLUMNS if any(row["cells"][column.name]["text"] for row in rows)],
        outcome=outcome,
        chosen=chosen,
        map_data=map_data(chosen.map, chosen.album, chosen.views) if chosen.map is not None else None,
        map_sides=MAP_SIDES,
        **content,
    )


def _shown(value: Any) -> Any:
    """What the page prints of a value: of texts that are not markup, codes for what cannot be seen."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _apart(name: str) -> Markup:
    """A name within an attribute or title, where no ``<bdi>`` can keep its direction to itself."""
    return escape(f"\u2068{visible(name)}\u2069")


def _breakable(name: str) -> Markup:
    """A method's name that a narrow column breaks before its parameters rather than within a word."""
    return Markup(re.sub(r"([(=,_])", r"\1<wbr>", str(escape(visible_lines(name)))))


def _in_words(classes: Sequence[tuple[str, int]]) -> Markup:
    """The classes of an image with their counts."""
    return Markup(", ").join(Markup("{} {}").format(_apart(name), count) for name, count in classes) or Markup(
        "no boxes"
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its key, its heading, and what the heading means where that needs saying."""

    name: str
    heading: str
    hint: str = ""


COLUMNS = (
    Column("method", "method"),
    Column("keep", "keep"),
    Column("images", "images"),
    Column("cells", "trainings"),
    Column("mAP50", "mAP50"),
    Column("mAP50_95", "mAP50-95"),
    Column("below", "beside all images", "mAP50-95 less that of all images"),
    Column("chance", "beside random", "mAP50-95 less that of a random subset"),
    Column("equal", f"beside {EQUAL_STEPS}", "mAP50-95 less that of all images for as many training steps"),
    Column("Wh", "Wh", "energy of training"),
    Column("Wh_saved", "Wh beside all"),
    Column("TFLOPs", "TFLOPs", "10^12 operations of training"),
    Column("TFLOPs_saved", "TFLOPs beside all"),
    Column("minutes", "minutes"),
    Column("pays", "pays after", "trainings until choosing has paid for itself"),
)


def table_cells(outcome: Outcome, summary: Summary) -> dict[str, dict[str, Any]]:
    """A line of the table: for each column what is shown and what it is sorted by (NaN: last)."""
    against = {
        name: outcome.difference(summary, reference, MEASURE)
        for name, reference in (("chance", outcome.chance), ("equal", EQUAL_ITERATIONS))
        if reference is not None
    }
    paid = outcome.pays_after(summary)
    trainings = paid.trainings if paid is not None and paid.choosing_wh >= 0.005 else math.nan
    after = "never" if math.isinf(trainings) else "" if math.isnan(trainings) else str(math.ceil(trainings))
    beside = f"{summary.overlapped} *" if summary.overlapped else ""
    return {
        "method": {"text": EQUAL_STEPS if summary.method == EQUAL_ITERATIONS else summary.method, "sort": 0},
        "keep": {"text": "all" if summary.method == "full" else keep_in_words(summary.keep), "sort": summary.images},
        "images": {"text": str(summary.images), "sort": summary.images},
        "cells": {"text": str(summary.cells), "sort": summary.cells, "below": beside},
        "mAP50": _accuracy(summary, "mAP50"),
        "mAP50_95": _accuracy(summary, MEASURE),
        "below": _lost(outcome, summary),
        "chance": _difference(against.get("chance")),
        "equal": _difference(against.get("equal")),
        "Wh": _amount(summary, "Wh"),
        "Wh_saved": _percent(summary.against_full.get("Wh")),
        "TFLOPs": _amount(summary, "TFLOPs"),
        "TFLOPs_saved": _percent(summary.against_full.get("TFLOPs")),
        "minutes": _amount(summary, "minutes"),
        # as JavaScript reads it
        "pays": {"text": after, "sort": "Infinity" if math.isinf(trainings) else trainings},
    }


def _accuracy(summary: Summary, name: str) -> dict[str, Any]:
    mean, spread = summary.mean[name], summary.spread[name]
    if not math.isfinite(mean):
        return {"text": "", "sort": math.nan}
    return {"text": f"{mean:.3f}" + (f" ± {spread:.3f}" if math.isfinite(spread) else ""), "sort": mean}


def _amount(summary: Summary, name: str) -> dict[str, Any]:
    mean = summary.mean[name]
    known = math.isfinite(mean)
    return {"text": with_spread(mean, summary.spread[name]) if known else "", "sort": mean if known else math.nan}


def _percent(ratio: float | None) -> dict[str, Any]:
    known = ratio is not None and math.isfinite(ratio)
    return {"text": change(ratio) if known else "", "sort": ratio if known else math.nan}  # type: ignore[arg-type]


def _lost(outcome: Outcome, summary: Summary) -> dict[str, Any]:
    """What is shown beside all images, be it without a training seed in common."""
    found = outcome.difference(summary, FULL, MEASURE)
    value = summary.against_full.get(MEASURE, math.nan)
    if found is None and math.isfinite(value):
        return {"text": f"{value:+.3f}", "sort": value, "verdict": "no training seed in common", "kind": ""}
    return _difference(found)


def _difference(found: Comparison | None) -> dict[str, Any]:
    if found is None:
        return {"text": "", "sort": math.nan, "verdict": "", "kind": ""}
    text = f"{found.difference:+.3f}"
    if found.spread is not None and math.isfinite(found.spread):
        text += f" ± {found.spread:.3f}"
    if found.low is not None and found.high is not None:
        text += f" [{found.low:+.3f}, {found.high:+.3f}]"
    kind = next((word for word in ("better", "worse") if found.verdict.startswith(word)), "open")
    return {"text": text, "sort": found.difference, "verdict": found.verdict, "kind": kind}


def _place(point: Any) -> tuple[float, float]:
    """Where a point of the map lies in the drawing; y goes up."""
    width, height = (side - 2 * MAP_MARGIN for side in MAP_SIDES)
    return round(MAP_MARGIN + float(point[0]) * width, 1), round(MAP_MARGIN + (1 - float(point[1])) * height, 1)


def map_data(drawn: FeatureMap, album: Album, views: Sequence[SelectionView]) -> dict[str, Any]:
    """What the page's script needs: every point's place and image, and of each selection which rank it kept them at."""
    images = {}
    for row, point in zip(drawn.rows.tolist(), drawn.points, strict=True):
        picture = album.pictures[row]
        images[row] = {
            "at": _place(point),
            "name": visible(picture.name),
            "classes": [[visible(name), count] for name, count in picture.classes],
            "size": [picture.width, picture.height],
            "picture": f"{album.prefix}{row}",
        }
    ranks = {
        f"s{number}": [(row, rank) for rank, row in enumerate(view.order, 1) if row in images]
        for number, view in enumerate(views, 1)
    }
    return {"images": images, "ranks": ranks}


def outlines(picture: Picture, looks: Looks) -> Markup:
    """The boxes of a picture, those of one look as one path."""
    paths: dict[str, list[str]] = {}
    for x, y, w, h, kind in picture.boxes:
        left, width = round(x * picture.width, 1), round(w * picture.width, 1)
        top, height = round(y * picture.height, 1), round(h * picture.height, 1)
        paths.setdefault(looks.of_class[kind], []).append(f"M{left:g} {top:g}h{width:g}v{height:g}h-{width:g}z")
    return Markup().join(Markup('<path class="box {}" d="{}"/>').format(css, "".join(d)) for css, d in paths.items())


def _thumbnail(environment: Environment) -> Any:
    """A function for the template: an image with its boxes and a caption."""
    macro = environment.get_template("thumbnail.html.j2")

    def draw(album: Album, row: int, note: str = "") -> Markup:
        return Markup(macro.render(picture=album.pictures[row], identity=f"{album.prefix}{row}", note=note))

    return draw
