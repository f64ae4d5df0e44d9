"""The page of a report: templates filled with what was gathered; every name is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detreduce.experiment.outcome import Outcome
from detreduce.experiment.statistics.pairs import EQUAL_ITERATIONS
from detreduce.experiment.statistics.summary import Summary
from detreduce.figures.roles import keep_in_words
from detreduce.report.headline import MEASURE
from detreduce.report.pictures import Album, Picture
from detreduce.report.selections import FeatureMap, SelectionView
from detreduce.version import __version__

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
    )
    environment.filters.update(keep=keep_in_words, safe_svg=Markup)
    environment.globals.update(thumbnail=_thumbnail(environment), version=__version__)
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
    Column("equal", "beside equal steps", "mAP50-95 less that of all images for as many iterations"),
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
    beside = f"{summary.overlapped} beside another" if summary.overlapped else ""
    return {
        "method": {"text": summary.method, "sort": 0},
        "keep": {"text": "all" if summary.method == "full" else keep_in_words(summary.keep), "sort": summary.images},
        "images": {"text": str(summary.images), "sort": summary.images},
        "cells": {"text": str(summary.cells), "sort": summary.cells, "below": beside},
        "mAP50": _figure(summary, "mAP50", 3),
        "mAP50_95": _figure(summary, MEASURE, 3),
        "below": _signed(summary.against_full.get(MEASURE)),
        "chance": _difference(against.get("chance")),
        "equal": _difference(against.get("equal")),
        "Wh": _figure(summary, "Wh", 2),
        "Wh_saved": _percent(summary.against_full.get("Wh")),
        "TFLOPs": _figure(summary, "TFLOPs", 1),
        "TFLOPs_saved": _percent(summary.against_full.get("TFLOPs")),
        "minutes": _figure(summary, "minutes", 1),
        "pays": {"text": after, "sort": trainings},
    }


def _figure(summary: Summary, name: str, digits: int) -> dict[str, Any]:
    mean, spread = summary.mean[name], summary.spread[name]
    if not math.isfinite(mean):
        return {"text": "", "sort": math.nan}
    text = f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if math.isfinite(spread) else "")
    return {"text": text, "sort": mean}


def _signed(value: float | None) -> dict[str, Any]:
    known = value is not None and math.isfinite(value)
    return {"text": f"{value:+.3f}" if known else "", "sort": value if known else math.nan}


def _percent(ratio: float | None) -> dict[str, Any]:
    known = ratio is not None and math.isfinite(ratio)
    return {"text": f"{100 * (ratio - 1):+.0f} %" if known else "", "sort": ratio if known else math.nan}  # type: ignore[operator]


def _difference(found: Any) -> dict[str, Any]:
    if found is None:
        return {"text": "", "sort": math.nan, "verdict": "", "kind": ""}
    text = f"{found.difference:+.3f}"
    if found.low is not None and found.high is not None:
        text += f" [{found.low:+.3f}, {found.high:+.3f}]"
    kind = next((word for word in ("better", "worse") if found.verdict.startswith(word)), "open")
    return {"text": text, "sort": found.difference, "verdict": found.verdict, "kind": kind}


def _place(point: Any) -> tuple[float, float]:
    """Where a point of the map lies in the drawing; y goes up."""
    width, height = (side - 2 * MAP_MARGIN for side in MAP_SIDES)
    return round(MAP_MARGIN + float(point[0]) * width, 1), round(MAP_MARGIN + (1 - float(point[1])) * height, 1)


def map_data(drawn: FeatureMap, album: Album, views: list[SelectionView]) -> dict[str, Any]:
    """What the page's script needs: every point's place and image, and the order of each selection."""
    images = {}
    for row, point in zip(drawn.rows.tolist(), drawn.points, strict=True):
        picture = album.pictures.get(row, Picture(album.dataset[row].name, "", ()))
        images[row] = {
            "at": _place(point),
            "name": picture.name,
            "classes": picture.classes,
            "size": [picture.width, picture.height],
            "picture": f"{album.prefix}{row}" if picture.data else None,
            "boxes": picture.boxes,
        }
    orders: Mapping[str, list[int]] = {f"s{number}": list(view.order) for number, view in enumerate(views, 1)}
    return {"images": images, "orders": orders}


def _thumbnail(environment: Environment) -> Any:
    """A function for the template: an image with its boxes and a caption."""
    macro = environment.get_template("thumbnail.html.j2")

    def draw(album: Album, row: int, note: str = "") -> Markup:
        picture = album.pictures.get(row, Picture(album.dataset[row].name, "", ()))
        names = album.dataset.class_names
        return Markup(macro.render(picture=picture, identity=f"{album.prefix}{row}", note=note, names=names))

    return draw
