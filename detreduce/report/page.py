"""The page of a report: the HTML templates, filled with the content. All names are escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from detreduce.display.numbers import significant
from detreduce.display.terminal_text import visible, visible_lines
from detreduce.experiment.outcome import Outcome
from detreduce.experiment.result_table import DifferenceCell, ResultCell, ResultRow, ResultTable
from detreduce.report.class_colours import Looks
from detreduce.report.pictures import Album, Picture
from detreduce.report.selections import FeatureMap, SelectionView
from detreduce.version import __version__
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS_EXPLAINED, title_of
from detreduce.vocabulary.keeps import keep_in_words
from detreduce.vocabulary.measures import ACCURACIES, COSTS
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

MAP_SIDES = (640, 440)
MAP_MARGIN = 14
HINTS = {"Wh": "energy of training", "TFLOPs": "10^12 operations of training"}
COMPARED_COSTS = ("Wh", "TFLOPs")
"""Costs for which a column shows the change compared with all images."""


def render(*, chosen: Any, outcome: Outcome, **content: Any) -> str:
    """Return the page as HTML; `chosen` holds the images and selections, and `content` the other template variables."""
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
        sort_key=_sort_key,
    )
    environment.globals.update(
        thumbnail=_thumbnail(environment), outlines=partial(outlines, looks=chosen.looks), version=__version__
    )
    folder = files("detreduce.report") / "templates"
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return environment.get_template("report.html.j2").render(
        style=Markup(style),
        script=Markup(script),
        columns=_columns(outcome.table),
        outcome=outcome,
        chosen=chosen,
        map_data=map_data(chosen.map, chosen.album, chosen.views) if chosen.map is not None else None,
        map_sides=MAP_SIDES,
        **content,
    )


def _shown(value: Any) -> Any:
    """Return a value for the page. In text that is not markup, invisible characters become codes."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _apart(name: str) -> Markup:
    """Return a name with Unicode marks that isolate its writing direction, for use in an HTML attribute or title.

    In other places the element ``<bdi>`` isolates the direction, but attributes and titles cannot contain elements.
    """
    return escape(f"\u2068{visible(name)}\u2069")


def _breakable(name: str) -> Markup:
    """Return the name of a method with possible line breaks at its parameters, for narrow columns."""
    return Markup(re.sub(r"([(=,_])", r"\1<wbr>", str(escape(visible_lines(name)))))


def _in_words(classes: Sequence[tuple[str, int]]) -> Markup:
    """Return the classes of an image with their counts, as text."""
    return Markup(", ").join(Markup("{} {}").format(_apart(name), count) for name, count in classes) or Markup(
        "no boxes"
    )


CellOf = Callable[[ResultRow], ResultCell | DifferenceCell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    heading
        The heading.
    cell
        Function that returns the cell of a row.
    hint
        An explanation of the heading, shown as a tooltip.
    """

    heading: str
    cell: CellOf
    hint: str = ""


def _mean(measure: str) -> CellOf:
    """Return the function for a column of means."""
    return lambda row: row.means[measure]


def _against_full(measure: str) -> CellOf:
    """Return the function for a column of comparisons with all images."""
    return lambda row: row.against_full[measure]


def _columns(table: ResultTable) -> list[Column]:
    """Return the columns that are not empty; the first column is the method."""
    main = ACCURACIES[MEASURE]
    columns = [
        Column("method", lambda row: row.method),
        Column("keep", lambda row: row.keep),
        Column("images", lambda row: row.images),
        Column("trainings", lambda row: row.cells),
        *(Column(heading, _mean(name)) for name, heading in ACCURACIES.items()),
        Column("vs all images", _against_full(MEASURE), f"{main} minus that of all images"),
    ]
    for against in table.references:
        title, words = "random", "a random subset"
        if against == EQUAL_ITERATIONS:
            title, words = title_of(against), EQUAL_STEPS_EXPLAINED
        cell = partial(ResultRow.difference, against=against, measure=MEASURE)
        columns.append(Column(f"vs {title}", cell, f"{main} minus that of {words}"))
    for name in table.costs:
        columns.append(Column(COSTS[name], _mean(name), HINTS.get(name, "")))
        if name in COMPARED_COSTS:
            columns.append(Column(f"{COSTS[name]} vs all", _against_full(name)))
    columns.append(
        Column("pays after", lambda row: row.pays_after, "trainings until choosing has paid for itself in Wh")
    )
    return [column for column in columns if any(column.cell(row).text for row in table.rows)]


def _sort_key(value: float) -> str:
    """Return the text that the page's script uses to sort a cell. Return "" if the number is not known.

    The script sorts empty texts last.
    """
    return "" if math.isnan(value) else "Infinity" if math.isinf(value) else f"{value}"


def _place(point: Any) -> tuple[float, float]:
    """Return the position of a map point in the drawing, in pixels; the largest y is at the top."""
    width, height = (side - 2 * MAP_MARGIN for side in MAP_SIDES)
    return round(MAP_MARGIN + float(point[0]) * width, 1), round(MAP_MARGIN + (1 - float(point[1])) * height, 1)


def map_data(drawn: FeatureMap, album: Album, views: Sequence[SelectionView]) -> dict[str, Any]:
    """Return the data of the feature map for the page's script.

    ``images`` holds the position and the picture of each image. ``ranks`` holds, for each selection, the kept images
    on the map with their rank in the order of selection.
    """
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
    """Return the boxes of a picture as SVG paths, one path for each colour and line style."""
    paths: dict[str, list[str]] = {}
    for x, y, w, h, kind in picture.boxes:
        left, width = round(x * picture.width, 1), round(w * picture.width, 1)
        top, height = round(y * picture.height, 1), round(h * picture.height, 1)
        paths.setdefault(looks.of_class[kind], []).append(f"M{left:g} {top:g}h{width:g}v{height:g}h-{width:g}z")
    return Markup().join(Markup('<path class="box {}" d="{}"/>').format(css, "".join(d)) for css, d in paths.items())


def _thumbnail(environment: Environment) -> Any:
    """Return a function for the templates that draws an image with its boxes and a caption."""
    macro = environment.get_template("thumbnail.html.j2")

    def draw(album: Album, row: int, note: str = "") -> Markup:
        return Markup(macro.render(picture=album.pictures[row], identity=f"{album.prefix}{row}", note=note))

    return draw
